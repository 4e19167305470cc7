"""Pickle interpreter that calls only a few given functions.

A pickle is a program for a stack machine. `pickle.Unpickler` runs it without limits: nested
containers can exhaust the stack, keys of shared tuples the time, and nested references the memory.
This interpreter supports the operations that ``torch.save`` writes, limits their number and the
size of the result, and reaches Python objects only through names that its owner resolves.
"""

from __future__ import annotations

import pickletools
from collections.abc import Iterator
from typing import Any, Protocol

#: Largest pickle in bytes and in operations; published models have at most 0.3 MB and 14,000.
MAX_BYTES = 32 * 2**20
MAX_OPERATIONS = 400_000
#: Largest number of entries of nested plain containers, shared ones counted each time, and depth.
MAX_ENTRIES = 50_000
MAX_DEPTH = 50

_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_NUMBERS = frozenset({"BININT", "BININT1", "BININT2", "LONG1", "LONG4"})
_LITERALS = frozenset(
    {"BINFLOAT", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "BINBYTES", "SHORT_BINBYTES"}
)
_EMPTY: dict[str, type] = {
    "EMPTY_LIST": list,
    "EMPTY_DICT": dict,
    "EMPTY_TUPLE": tuple,
    "EMPTY_SET": set,
}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_KEYS = (str, int, float, bytes, type(None))
_MARK = object()


class Names(Protocol):
    """Resolver of the names in a pickle."""

    def find(self, module: str, name: str) -> object:
        """Return the object for a name."""

    def call(self, function: object, arguments: tuple) -> object:
        """Return the result of a function, or a new object of a class."""

    def set_state(self, target: object, state: object) -> None:
        """Set the attributes of an object."""

    def persistent(self, reference: object) -> object:
        """Return an object that is stored outside the pickle."""


def interpret(data: bytes, names: Names) -> object:
    """Return the content of a pickle without importing or calling anything it names.

    Parameters
    ----------
    data : bytes
    names : Names
        Stand-ins for the names that the pickle may use.

    Raises
    ------
    ValueError
        If the pickle is malformed, uses an unexpected name, or exceeds a limit of size.
    """
    if len(data) > MAX_BYTES:
        raise ValueError(f"its pickle has {len(data)} bytes; at most {MAX_BYTES} are read")
    machine = _Machine(names)
    for count, (operation, argument, _) in enumerate(pickletools.genops(data)):
        if count >= MAX_OPERATIONS:
            raise ValueError(f"its pickle has more than {MAX_OPERATIONS} operations")
        machine.step(operation.name, argument)
    return machine.result()


class _Machine:
    """Stack and memo of a pickle."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}
        self._stopped = False

    def result(self) -> object:
        if not self._stopped or len(self._stack) != 1:
            raise ValueError("its pickle is malformed")
        check_containers(self._stack[0])
        return self._stack[0]

    def step(self, name: str, argument: Any) -> None:
        stack = self._stack
        if name in _CONSTANTS:
            stack.append(_CONSTANTS[name])
        elif name in _LITERALS:
            stack.append(argument)
        elif name in _NUMBERS:
            if argument.bit_length() > 64:
                raise ValueError(f"its pickle has a number of {argument.bit_length()} bits")
            stack.append(argument)
        elif name in _EMPTY:
            stack.append(_EMPTY[name]())
        elif name in _TUPLES:
            stack.append(tuple(self._pop(_TUPLES[name])))
        elif name in ("BINPUT", "LONG_BINPUT"):
            self._memo[argument] = self._top()
        elif name == "MEMOIZE":
            self._memo[len(self._memo)] = self._top()
        elif name in ("BINGET", "LONG_BINGET"):
            if argument not in self._memo:
                raise ValueError("its pickle is malformed")
            stack.append(self._memo[argument])
        elif name == "MARK":
            stack.append(_MARK)
        elif name == "STOP":
            self._stopped = True
        elif name not in ("PROTO", "FRAME"):
            self._compound(name, argument)

    def _compound(self, name: str, argument: Any) -> None:
        """Operations on the stack and on names."""
        stack, names = self._stack, self._names
        if name == "TUPLE":
            stack.append(tuple(self._pop_to_mark()))
        elif name == "APPEND":
            self._extend(self._pop(1))
        elif name in ("APPENDS", "ADDITEMS"):
            self._extend(self._pop_to_mark())
        elif name == "SETITEM":
            self._set_items(self._pop(2))
        elif name == "SETITEMS":
            self._set_items(self._pop_to_mark())
        elif name == "GLOBAL":
            stack.append(names.find(*argument.split(" ", 1)))
        elif name == "STACK_GLOBAL":
            module, found = self._pop(2)
            if not (isinstance(module, str) and isinstance(found, str)):
                raise ValueError("its pickle is malformed")
            stack.append(names.find(module, found))
        elif name in ("REDUCE", "NEWOBJ"):
            function, arguments = self._pop(2)
            if not isinstance(arguments, tuple):
                raise ValueError("its pickle is malformed")
            stack.append(names.call(function, arguments))
        elif name == "BUILD":
            (state,) = self._pop(1)
            names.set_state(self._top(), state)
        elif name == "BINPERSID":
            stack.append(names.persistent(self._pop(1)[0]))
        elif name == "POP":
            self._pop(1)
        else:
            raise ValueError(f"its pickle has the operation {name}, which torch.save does not use")

    def _top(self) -> Any:
        if not self._stack or self._stack[-1] is _MARK:
            raise ValueError("its pickle is malformed")
        return self._stack[-1]

    def _pop(self, count: int) -> list[Any]:
        values = self._stack[-count:]
        if len(values) < count or any(value is _MARK for value in values):
            raise ValueError("its pickle is malformed")
        del self._stack[-count:]
        return values

    def _pop_to_mark(self) -> list[Any]:
        for start in range(len(self._stack) - 1, -1, -1):
            if self._stack[start] is _MARK:
                values = self._stack[start + 1 :]
                del self._stack[start:]
                return values
        raise ValueError("its pickle is malformed")

    def _extend(self, values: list[Any]) -> None:
        target = self._top()
        if type(target) is list:
            target.extend(values)
        elif type(target) is set:
            target.update(map(checked_key, values))
        else:
            raise ValueError(f"entries are added to {_kind(target)}, which has none")

    def _set_items(self, values: list[Any]) -> None:
        target = self._top()
        if not isinstance(target, dict) or len(values) % 2:
            raise ValueError(f"entries are set in {_kind(target)}, which has none")
        for key, value in zip(values[::2], values[1::2], strict=True):
            target[checked_key(key)] = value


def checked_key(key: Any) -> Any:
    """Return a key of a dict or set: text, numbers, and tuples of a few of these.

    Hashing nested tuples with shared entries can take exponential time.

    Raises
    ------
    ValueError
        For other keys.
    """
    flat = key if type(key) is tuple else (key,)
    kinds = (*_KEYS, bool)
    entries = [each for part in flat[:100] for each in (part if type(part) is tuple else (part,))]
    if len(flat) <= 100 and len(entries) <= 1000 and all(type(e) in kinds for e in entries):
        return key
    if type(key) is tuple or isinstance(key, list | dict | set):
        raise ValueError(f"{_kind(key)} cannot be a key; text and numbers can")
    # By identity.
    return key


def check_containers(root: object) -> None:
    """Check that nested plain containers stay small when they are traversed.

    Entries shared by several containers count each time: sixty lists that each contain the previous
    one twice represent more entries than fit into memory. Objects end the traversal.

    Raises
    ------
    ValueError
        If there are too many entries, or containers are nested too deep or contain themselves.
    """
    known: dict[int, tuple[int, int]] = {}
    for start in _containers(root):
        _measure(start, known)


def _measure(start: Any, known: dict[int, tuple[int, int]]) -> None:
    """Add entries and depth of a container and its nested containers to the known ones."""
    path: list[tuple[Any, Iterator, list[int]]] = [(start, _entries(start), [1, 1])]
    open_ids = {id(start)}
    while path:
        container, entries, measure = path[-1]
        entry = next(entries, _MARK)
        if entry is _MARK:
            path.pop()
            open_ids.discard(id(container))
            known[id(container)] = size, depth = measure[0], measure[1]
            if size > MAX_ENTRIES or depth > MAX_DEPTH:
                raise ValueError(
                    f"its containers have {size} entries in {depth} levels; at most {MAX_ENTRIES} "
                    f"in {MAX_DEPTH} levels are read"
                )
            if path:
                _add(path[-1][2], size, depth)
        elif not isinstance(entry, list | tuple | dict | set):
            measure[0] += 1
        elif id(entry) in known:
            _add(measure, *known[id(entry)])
        elif id(entry) in open_ids:
            raise ValueError("one of its containers contains itself")
        else:
            path.append((entry, _entries(entry), [1, 1]))
            open_ids.add(id(entry))


def _add(measure: list[int], size: int, depth: int) -> None:
    measure[0] += size
    measure[1] = max(measure[1], depth + 1)


def _entries(container: Any) -> Iterator:
    return iter(container.values() if isinstance(container, dict) else container)


def _containers(root: object) -> Iterator[Any]:
    """Yield the content of all objects: attributes and arguments."""
    seen, waiting = set(), [root]
    while waiting:
        found = waiting.pop()
        if id(found) in seen:
            continue
        seen.add(id(found))
        if isinstance(found, list | tuple | dict | set):
            yield found
            waiting.extend(_entries(found))
        elif not isinstance(found, type):
            waiting.extend(
                part for name in ("state", "arguments") if (part := getattr(found, name, None))
            )


def _kind(value: object) -> str:
    return f"a {type(value).__name__}"

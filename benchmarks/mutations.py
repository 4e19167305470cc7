"""Mutations of files: of bytes, and of what the bytes stand for (JSON, pickles, arrays)."""

import io
import json
import pickle
import pickletools
import struct
import zipfile
from functools import lru_cache
from random import Random

VALUES = (
    *(0, -1, 1, 2, 7, 255, 10**5, 10**9, 2**31, 2**63, -(2**63), 10**30),
    *(0.0, -0.5, 1e-300, 1e15, 1e308, -1e308, float("inf"), float("nan")),
    *("", "x", "x" * 3000, "\x1b[31mred\x1b[0m\n\a", "\u202eabc", "no", None, True, False),
    *([], {}, [[]], [0] * 500, {"a": {"b": {}}}, [-1], ["x"]),
)


def mutated(content: bytes, kind: str, chance: Random) -> bytes:
    """The content after one to three mutations; half of them know the format."""
    for _ in range(chance.choice((1, 1, 2, 3))):
        know = chance.random() < 0.5
        try:
            content = _STRUCTURAL[kind](content, chance) if know else _bytes(content, chance)
        except Exception:
            # What was mutated before is no longer of this format.
            content = _bytes(content, chance)
    return content


def _place(size: int, chance: Random) -> int:
    """A position, more often near the ends, where headers and directories are."""
    edge = min(size, 4000)
    start = chance.choice((0, max(size - edge, 0), None))
    return chance.randrange(size) if start is None else start + chance.randrange(edge)


def _bytes(content: bytes, chance: Random) -> bytes:
    if len(content) < 2:
        return content + chance.randbytes(8)
    damaged, place = bytearray(content), _place(len(content), chance)
    match chance.randrange(7):
        case 0:
            for _ in range(chance.randint(1, 8)):
                damaged[_place(len(damaged), chance)] ^= 1 << chance.randrange(8)
        case 1:
            del damaged[place:]
        case 2:
            damaged[place : place + 8] = chance.randbytes(8)
        case 3:
            # A splice: a piece from elsewhere, in place or inserted.
            start, length = _place(len(content), chance), chance.randint(1, 300)
            piece = content[start : start + length]
            damaged[place : place + (len(piece) if chance.random() < 0.5 else 0)] = piece
        case 4:
            del damaged[place : place + chance.randint(1, 300)]
        case 5:
            damaged[place : place + 64] = bytes(len(damaged[place : place + 64]))
        case 6:
            number = chance.choice((0, 1, 2**31 - 1, 2**32 - 1, 2**15, len(content)))
            damaged[place : place + 4] = struct.pack("<I", number)
    return bytes(damaged)


def change_leaf(value: object, chance: Random) -> object:
    """Nested containers with one entry changed, dropped, doubled, exchanged or wrapped."""
    paths = list(_paths(value, ()))
    if not paths:
        return chance.choice(VALUES)
    path = chance.choice(paths)
    inner = value
    for key in path[:-1]:
        inner = inner[key]
    match chance.randrange(7):
        case 0 | 1 | 2:
            inner[path[-1]] = chance.choice(VALUES)
        case 3:
            del inner[path[-1]]
        case 4:
            other = chance.choice(paths)
            source = value
            for key in other:
                source = source[key]
            inner[path[-1]] = json.loads(json.dumps(source))
        case 5:
            number = inner[path[-1]]
            factor = chance.choice((-1, 2, 10, 1000, 1e6, 1e12))
            is_number = isinstance(number, int | float) and not isinstance(number, bool)
            inner[path[-1]] = number * factor if is_number else [number] * 3
        case 6:
            for _ in range(chance.choice((1, 60, 3000))):
                inner[path[-1]] = [inner[path[-1]]]
    return value


def _paths(value: object, above: tuple):
    if isinstance(value, dict):
        entries = value.items()
    elif isinstance(value, list):
        entries = enumerate(value[:50])
    else:
        return
    for key, entry in entries:
        yield (*above, key)
        yield from _paths(entry, (*above, key))


def _json_text(text: str, chance: Random) -> str:
    changed = change_leaf(json.loads(text), chance)
    try:
        return json.dumps(changed)
    except RecursionError:
        depth = chance.choice((500, 100_000))
        return '{"a":' * depth + "1" + "}" * depth


def _safetensors(content: bytes, chance: Random) -> bytes:
    (length,) = struct.unpack("<Q", content[:8])
    header, rest = json.loads(content[8 : 8 + length]), content[8 + length :]
    entries = header["__metadata__"]
    if chance.random() < 0.5:
        entries.pop("sha256", None)
    match chance.randrange(4):
        case 0 | 1:
            name = chance.choice(sorted(entries))
            entries[name] = _json_text(entries[name], chance) if entries[name][:1] == "{" else "x"
        case 2:
            tensors = {name: each for name, each in header.items() if name != "__metadata__"}
            header = change_leaf(tensors, chance) | {"__metadata__": entries}
        case 3:
            first, second = chance.sample(sorted(set(header) - {"__metadata__"}), 2)
            header[first], header[second] = header[second], header[first]
    packed = json.dumps(header).encode()
    return struct.pack("<Q", len(packed)) + packed + rest


def _stored(entries: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def _unzipped(content: bytes) -> dict[str, bytes]:
    return dict(_entries(content))


# Most mutants are made of the sound file.
@lru_cache(maxsize=2)
def _entries(content: bytes) -> tuple[tuple[str, bytes], ...]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return tuple((name, archive.read(name)) for name in archive.namelist())


@lru_cache(maxsize=2)
def _operations(data: bytes) -> tuple[tuple[str, int], ...]:
    """Names and places of the operations of a pickle."""
    return tuple((operation.name, start) for operation, _, start in pickletools.genops(data))


def _archive(content: bytes, chance: Random) -> bytes:
    entries = _unzipped(content)
    if chance.random() < 0.15:
        first, second = chance.sample(sorted(entries), 2)
        entries[first], entries[second] = entries[second], entries[first]
        return _stored(entries)
    name = next(name for name in entries if name.endswith("/data.pkl"))
    entries[name] = _pickle(entries[name], chance)
    return _stored(entries)


def _pickle(data: bytes, chance: Random) -> bytes:
    """A pickle with one operation changed: numbers, names, references, nesting, repetition."""
    places = _operations(data)
    ends = [start for _, start in places[1:]] + [len(data)]
    parts = [data[start:end] for (_, start), end in zip(places, ends, strict=True)]
    kinds = {
        "number": ("BININT", "BININT1", "BININT2", "BINFLOAT", "LONG1"),
        "text": ("BINUNICODE",),
        "name": ("GLOBAL",),
        "reference": ("BINGET", "LONG_BINGET"),
        "flag": ("NEWTRUE", "NEWFALSE", "NONE", "EMPTY_TUPLE", "EMPTY_LIST", "EMPTY_DICT"),
        "any": tuple({name for name, _ in places} - {"PROTO", "STOP"}),
    }
    kind = chance.choice(sorted(kinds))
    fitting = [number for number, (name, _) in enumerate(places) if name in kinds[kind]]
    number = chance.choice(fitting)
    names = [number for number, (name, _) in enumerate(places) if name == "GLOBAL"]
    match kind:
        case "number" | "text" | "flag":
            parts[number] = _dumped(chance.choice(VALUES))
        case "name":
            parts[number] = chance.choice(
                (parts[chance.choice(names)], b"cos\nsystem\n", b"cbuiltins\neval\n", b"clesx\ny\n")
            )
        case "reference":
            parts[number] = b"j" + struct.pack("<I", chance.randrange(len(parts)))
        case "any":
            _reshape(parts, number, chance)
    return b"".join(parts)


def _reshape(parts: list[bytes], number: int, chance: Random) -> None:
    match chance.randrange(6):
        case 0:
            parts.insert(number, parts[number] * chance.choice((1, 100, 20_000)))
        case 1:
            del parts[number]
        case 2:
            other = chance.randrange(1, len(parts) - 1)
            parts[number], parts[other] = parts[other], parts[number]
        case 3:
            # A list that holds the one before twice, and so on; or one list in another.
            depth = chance.choice((10, 40, 5000))
            twice = b"]r" + struct.pack("<I", 10**6) + b"(K\x01K\x02e"
            again = b"](j" + struct.pack("<I", 10**6)
            again += chance.choice((b"", b"j" + struct.pack("<I", 10**6)))
            parts[number] = twice + (again + b"er" + struct.pack("<I", 10**6)) * depth
        case 4:
            # A tuple of itself twice as a key.
            parts[number] = b"}" + b"K\x01" + b"2\x86" * chance.choice((5, 30)) + b"Ns"
        case 5:
            start = chance.randrange(1, len(parts) - 1)
            piece = parts[start : start + chance.randint(1, 200)]
            parts[number:number] = piece * chance.choice((1, 5, 200))


def _dumped(value: object) -> bytes:
    # Without the protocol, frame and end of a pickle of its own.
    return pickle.dumps(value, protocol=2)[2:-1]


def _npz(content: bytes, chance: Random) -> bytes:
    import numpy as np

    entries = _unzipped(content)
    name = chance.choice(sorted(entries))
    match chance.randrange(4):
        case 0 | 1:
            facts = np.load(io.BytesIO(entries["facts.npy"])).tobytes().decode()
            buffer = io.BytesIO()
            np.save(buffer, np.frombuffer(_json_text(facts, chance).encode(), np.uint8))
            entries["facts.npy"] = buffer.getvalue()
        case 2:
            buffer = io.BytesIO()
            shape = chance.choice(((), (0,), (1,), (3,), (7, 3), (50, 50)))
            np.save(buffer, np.full(shape, chance.choice((0, -1, 1e300, np.nan))))
            entries[name] = buffer.getvalue()
        case 3:
            # The shape in the header of an array.
            old, new = chance.choice(
                ((b"(", b"(9"), (b"<f8", b"<c16"), (b"<f8", b"|O "), (b"'", b""))
            )
            entries[name] = entries[name].replace(old, new, 1)
    return _stored(entries)


def _lines(content: bytes, chance: Random) -> bytes:
    lines = content.splitlines(keepends=True)
    number = chance.randrange(len(lines))
    match chance.randrange(5):
        case 0 | 1:
            lines[number] = _json_text(lines[number].decode(), chance).encode() + b"\n"
        case 2:
            del lines[number]
        case 3:
            other = chance.randrange(len(lines))
            lines[number], lines[other] = lines[other], lines[number]
        case 4:
            lines.insert(number, lines[number])
    return b"".join(lines)


def _plain(content: bytes, chance: Random) -> bytes:
    return _bytes(content, chance)


_STRUCTURAL = {
    "safetensors": _safetensors,
    "archive": _archive,
    "npz": _npz,
    "lines": _lines,
    "plain": _plain,
}

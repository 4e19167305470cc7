r"""Translate comment lines of XYZ files that ASE's reader does not understand.

============================================  ====================================================
Comment line                                  Read as
============================================  ====================================================
``lattice=``, ``properties=``, ``PBC=``       ``Lattice=``, ``Properties=``, ``pbc=``
``cell=``, ``box=``, ``abc=``, … with 1, 3,   edge of a cube; lengths; lengths and angles; lattice
6 or 9 numbers; ``Box: …``, ``CRYST1 …``      vectors
``a= b= c=``, also with ``alpha= …``          lengths, and angles
``# CELL(abcABC): a b c α β γ`` (i-PI, CP2K)  lengths and angles, with ``cell{unit}`` and
                                              ``positions{unit}``
``# CELL(H): …``, ``# CELL(GENH): …``         only if diagonal: programs disagree about the order
``pbc="t t f"``, ``TTF``, ``xy``, ``p p f``   ``pbc="T T F"``; other words are refused, which ASE
                                              reads as three periodic directions
============================================  ====================================================

A cell without ``pbc=`` means three periodic directions, as in extended XYZ.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from ase import Atoms, units
from ase.geometry import cellpar_to_cell

from ase_les.messages import one_line

_KEYS = {"lattice": "Lattice", "properties": "Properties", "pbc": "pbc"}
_CELL_KEYS = frozenset(
    (
        *("lattice", "cell", "box", "unitcell", "simulationcell", "simcell", "abc"),
        *("boxsize", "boxlength", "boxlengths", "boxvectors", "cellsize", "cellvectors"),
        *("cellparameters", "cellpar", "latticevectors", "latticeparameters", "latticeabc"),
    )
)
_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_NUMBERS = rf"{_NUMBER}(?:[\s,]+{_NUMBER}){{2,8}}(?![\w.])"
_TRIPLE = r"[TFtf01](?:\s+[TFtf01]){2}(?!\S)"
_ASSIGNMENT = re.compile(
    rf"""(?<![\w-])(?P<key>[A-Za-z_]+)\s*=\s*(?:"(?P<quoted>[^"]*)"|'(?P<single>[^']*)'|
        \[(?P<listed>(?:[^\[\]]|\[[^\]]*\])*)\]|\{{(?P<braced>[^}}]*)\}}|(?P<triple>{_TRIPLE})|(?P<run>{_NUMBERS})|
        (?P<bare>\S+))""",
    re.VERBOSE,
)
_EMPTY = re.compile(
    r"""(?<!\S)(?P<key>[A-Za-z_][\w-]*)=(?:""|''|\s+(?=[A-Za-z_][\w-]*=)|\s*$)|
        "(?:[^"\\]|\\.)*"|'[^']*'""",
    re.VERBOSE,
)
_IPI_CELL = re.compile(
    rf"CELL\s*[(\[{{]\s*(?P<kind>abcABC|ABC|H|GENH)\s*[)\]}}]\s*:?"
    rf"(?P<numbers>(?:[\s,]*{_NUMBER})*)",
    re.IGNORECASE,
)
_IPI_UNIT = re.compile(r"(?P<what>positions|cell)\{(?P<unit>\w+)\}", re.IGNORECASE)
_IN_WORDS = re.compile(
    r"(?<![\w-])(?<!super )(?:unit[ _-]?cell|cell|box|lattice|cryst1)"
    rf"(?:[ _-](?:vectors|size|lengths?|parameters))?\s*:?\s+(?P<run>{_NUMBERS})",
    re.IGNORECASE,
)
_OTHER_UNIT = re.compile(
    r"\s*[(\[{]?\s*(?:nm|pm|bohrs?|au|a\.u\.|atomic\w*|nanomet\w*|picomet\w*)(?![A-Za-z])",
    re.IGNORECASE,
)
_QUOTED = re.compile(r'"[^"]*"|\'[^\']*\'')
_LIKE_A_CELL = re.compile(
    rf"\b(?:unit)?(?:cell|box|lattice|cryst1)[^=\d]*{_NUMBER}[\s,]+{_NUMBER}",
    re.IGNORECASE,
)
# Shorter ones are numbers of repetitions, or of something else.
_SHORTEST_A, _SHORTEST_EDGE_A = 2.0, 3.0
_ONLY_NUMBERS = re.compile(rf"^{_NUMBERS}$")
LENGTHS = {
    "angstrom": 1.0,
    "ang": 1.0,
    "atomic_unit": units.Bohr,
    "atomic": units.Bohr,
    "bohr": units.Bohr,
    "au": units.Bohr,
    "a.u.": units.Bohr,
    "nanometer": 10.0,
    "nm": 10.0,
    "picometer": 0.01,
    "pm": 0.01,
}
"""Units of length in Å, by lower-case name in the singular."""
_PERIODIC_KEYS = ("periodic", "periodic_boundaries", "boundary", "boundaries")
_READ_BY_ASE = frozenset(("T", "F", "true", "false", "True", "False", "TRUE", "FALSE", "0", "1"))
# Those of LAMMPS, too.
_PERIODIC = frozenset(("t", "true", "p", "pp", "y", "yes", "1", "periodic", "on"))
_OPEN = frozenset(("f", "false", "n", "no", "0", "none", "off", "open", "s", "m", "ff", "ss", "mm"))


@dataclass(frozen=True)
class Comment:
    """A translated comment line.

    Parameters
    ----------
    text : str
        In the notation of extended XYZ.
    scale : float
        Factor from the positions in the file to Å.
    note : str
        Note on the changes for the user; empty if there are none.
    warning : str
        What the line seems to say, but is not used; empty if there is nothing.
    """

    text: str
    scale: float = 1.0
    note: str = ""
    warning: str = ""


def translate(comment: str) -> Comment:
    """Return a comment line in the notation of extended XYZ.

    Raises
    ------
    ValueError
        If a cell is ambiguous, its unit unknown, periodic directions are not understood, or there
        are columns, but no positions.
    """
    comment, notes = _without_empty_entries(comment.strip())
    matched = _IPI_CELL.search(comment)
    if matched:
        return _from_ipi(comment, matched)
    given = {match["key"]: match for match in _ASSIGNMENT.finditer(comment)}
    lower = {key.lower(): match for key, match in given.items()}
    text = comment
    for key in given:
        proper = _KEYS.get(key.lower())
        if proper is not None and proper != key and proper not in given:
            text = re.sub(rf"(?<![\w-]){key}(?=\s*=)", proper, text, count=1)
            notes.append(f"'{key}' read as '{proper}'")
    text = _with_periodic_directions(text, notes)
    _check_columns(lower.get("properties"))
    text, has_cell, is_doubtful = _with_cell(text, notes)
    warning = ""
    looks_like_one = _ONLY_NUMBERS.match(comment) or _LIKE_A_CELL.search(comment)
    if is_doubtful or (looks_like_one and not has_cell):
        warning = (
            f"the comment '{one_line(comment, 60)}' may contain a cell, which is not used: write "
            'it as Lattice="ax ay az bx by bz cx cy cz"'
        )
    return Comment(text, note=", ".join(notes), warning=warning)


def _with_cell(text: str, notes: list[str]) -> tuple[str, bool, bool]:
    """Return the comment with a cell that has another name as ``Lattice``.

    Also returned: whether it has a cell, and whether there is one in another unit than Å or with
    edges too short for a cell, which is left as it is.
    """
    given = {match["key"]: match for match in _ASSIGNMENT.finditer(text)}
    lattice = given.get("Lattice")
    is_whole = lattice is not None and lattice["run"] is None and lattice["listed"] is None
    if lattice is not None and is_whole and len(_values(lattice)) == 9:
        return text, True, False
    found = _named_cell(given) or _cell_of_letters(given) or _cell_in_words(text)
    if found is None:
        return text, False, False
    if found.shortest_A < found.least_A or _OTHER_UNIT.match(text, found.end):
        return text, False, True
    notes.append(f"cell read from '{one_line(found.source, 60)}'")
    if found.replaced:
        return text.replace(found.replaced, _lattice(found.vectors), 1), True, False
    return f"{_lattice(found.vectors)} {text}", True, False


@dataclass(frozen=True)
class _FoundCell:
    """A cell in a comment: where it ends, and the text that it replaces, if it does."""

    vectors: np.ndarray
    source: str
    end: int
    replaced: str = ""
    least_A: float = _SHORTEST_A

    @property
    def shortest_A(self) -> float:
        return float(np.linalg.norm(self.vectors, axis=1).min())


def _named_cell(given: Mapping[str, re.Match[str]]) -> _FoundCell | None:
    for key, match in sorted(given.items(), key=lambda each: each[0] != "Lattice"):
        if re.sub("[^a-z]", "", key.lower()) not in _CELL_KEYS:
            continue
        values = _values(match)
        # One number without a word for a length may count something.
        is_edge = re.search("size|length|box", key, re.IGNORECASE)
        cell = _cell(values) if len(values) > 1 or is_edge else None
        if cell is not None:
            least = 0.0 if len(values) > 1 else _SHORTEST_EDGE_A
            return _FoundCell(cell, key, match.end(), match.group(0), least)
    return None


def _cell_of_letters(given: Mapping[str, re.Match[str]]) -> _FoundCell | None:
    letters = [given.get(name) for name in ("a", "b", "c", "alpha", "beta", "gamma")]
    found = [match for match in letters if match is not None]
    numbers = [_values(match) for match in found]
    if not all(letters[:3]) or any(len(each) != 1 for each in numbers):
        return None
    cell = _cell(np.concatenate(numbers))
    end = max(match.end() for match in found)
    return None if cell is None else _FoundCell(cell, "a, b and c", end)


def _cell_in_words(text: str) -> _FoundCell | None:
    # What is quoted is the value of an entry.
    spoken = _IN_WORDS.search(_QUOTED.sub(lambda quoted: " " * len(quoted.group(0)), text))
    if spoken is None:
        return None
    cell, written = _cell(_numbers_in(spoken["run"])), spoken.group(0)
    return None if cell is None else _FoundCell(cell, written, spoken.end(), written)


def _with_periodic_directions(text: str, notes: list[str]) -> str:
    """Return the comment with periodic directions as ``pbc="T T F"``.

    ASE reads words it does not know as three periodic directions.
    """
    given = {match["key"]: match for match in _ASSIGNMENT.finditer(text)}
    key = "pbc"
    if key not in given:
        others = (name for name in given if name.lower() in _PERIODIC_KEYS)
        key = next(others, "")
    if not key:
        return text
    match = given[key]
    words = re.findall(r"[^\s,\[\]]+", _content(match))
    is_whole = match["triple"] is None and match["run"] is None
    if key == "pbc" and is_whole and len(words) in (1, 3) and _READ_BY_ASE.issuperset(words):
        return text
    directions = _directions([word.lower() for word in words])
    if directions is None and key != "pbc":
        return text
    if directions is None:
        raise ValueError(
            f'{match.group(0)} is not understood: write the periodic directions as pbc="T T F"'
        )
    written = f'pbc="{" ".join("T" if each else "F" for each in directions)}"'
    notes.append(f"{written} read from '{match.group(0)}'")
    return text.replace(match.group(0), written, 1)


def _directions(words: list[str]) -> list[bool] | None:
    if len(words) == 1 and words[0] not in _PERIODIC | _OPEN:
        word = words[0]
        if re.fullmatch("x?y?z?", word):
            return [letter in word for letter in "xyz"]
        words = list(word)
    if len(words) == 1:
        words = words * 3
    if len(words) != 3 or not (_PERIODIC | _OPEN).issuperset(words):
        return None
    return [word in _PERIODIC for word in words]


def _check_columns(properties: re.Match[str] | None) -> None:
    columns = _content(properties).split(":")[::3] if properties else ["pos"]
    if "pos" not in columns:
        raise ValueError(f"Properties lists no positions (pos:R:3, in Å), but {', '.join(columns)}")


def is_misread(atoms: Atoms) -> bool:
    """Return whether ASE's reader overlooked a cell, or read an entry as value of another."""
    return any(
        re.sub("[^a-z]", "", key.lower()) in _CELL_KEYS | {"properties"}
        or key.startswith("CELL")
        or (isinstance(value, str) and re.match(r"[A-Za-z_][\w-]*=\S", value) is not None)
        for key, value in atoms.info.items()
    )


def _from_ipi(comment: str, matched: re.Match[str]) -> Comment:
    chosen = {
        match["what"].lower(): match["unit"].lower()
        for match in _IPI_UNIT.finditer(comment.replace(matched.group(0), ""))
    }
    unknown = sorted(set(chosen.values()) - set(LENGTHS))
    if unknown:
        raise ValueError(
            f"the comment line gives lengths in {', '.join(unknown)}; known are "
            f"{', '.join(LENGTHS)}"
        )
    numbers = _numbers_in(matched["numbers"])
    needed = 6 if matched["kind"].lower().endswith("abc") else 9
    if len(numbers) < needed:
        raise ValueError(f"CELL({matched['kind']}) needs {needed} numbers, got '{comment}'")
    numbers = numbers[:needed]
    if needed == 9:
        vectors = numbers.reshape(3, 3)
        if np.abs(vectors - np.diag(np.diag(vectors))).max() > 1e-6:
            raise ValueError(
                f"CELL({matched['kind']}) of a cell that is not right-angled is ambiguous (rows "
                'or columns): write the lattice vectors as Lattice="ax ay az bx by bz cx cy cz"'
            )
    else:
        vectors = cellpar_to_cell(numbers)
    scale = LENGTHS[chosen.get("cell", "angstrom")]
    note = f"cell read from the comment CELL({matched['kind']})"
    if "positions" not in chosen:
        note += ", lengths taken as Å"
    text = f'{_lattice(vectors * scale)} pbc="T T T"'
    return Comment(text, LENGTHS[chosen.get("positions", "angstrom")], note)


def _without_empty_entries(comment: str) -> tuple[str, list[str]]:
    """Return a comment line without empty ``key=``, which ASE would join with the next entry."""
    names: list[str] = []

    def left_out(match: re.Match[str]) -> str:
        if not match["key"]:
            return match.group(0)
        names.append(match["key"])
        return ""

    text = _EMPTY.sub(left_out, comment)
    return text, [f"the empty entry '{name}' is omitted" for name in names]


def _content(match: re.Match[str]) -> str:
    names = ("quoted", "single", "listed", "braced", "triple", "run", "bare")
    return next(match[name] for name in names if match[name] is not None)


def _numbers_in(text: str) -> np.ndarray:
    try:
        return np.array(re.findall(r"[^\s,\[\]]+", text), dtype=float)
    except ValueError:
        return np.zeros(0)


def _values(match: re.Match[str]) -> np.ndarray:
    return _numbers_in(_content(match))


def _cell(values: np.ndarray) -> np.ndarray | None:
    if len(values) == 1:
        values = np.repeat(values, 3)
    if len(values) in (3, 6):
        if (values <= 0).any():
            return None
        angles = values[3:] if len(values) == 6 else np.full(3, 90.0)
        values = cellpar_to_cell([*values[:3], *angles]).ravel()
    if len(values) != 9 or not np.isfinite(values).all() or not values.any():
        return None
    return values.reshape(3, 3)


def _lattice(vectors: np.ndarray) -> str:
    return 'Lattice="' + " ".join(repr(float(x)) for x in np.ravel(vectors)) + '"'

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
species ``D``, ``T``                          hydrogen of mass 2.014 u, 3.016 u
============================================  ====================================================

A cell without ``pbc=`` means three periodic directions, as in extended XYZ.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import StringIO
from itertools import islice
from pathlib import Path

import numpy as np
from ase import Atoms, units
from ase.geometry import cellpar_to_cell

from ase_les.messages import one_line

ISOTOPES = {"D": 2.01410177812, "T": 3.0160492779}
"""Masses (u) of isotopes that are written as elements."""

_KEYS = {"lattice": "Lattice", "properties": "Properties", "pbc": "pbc"}
_CELL_KEYS = frozenset(
    (
        *("lattice", "cell", "box", "unitcell", "simulationcell", "simcell", "abc"),
        *("boxsize", "boxlength", "boxlengths", "boxvectors", "cellsize", "cellvectors"),
        *("cellparameters", "cellpar", "latticevectors", "latticeparameters", "latticeabc"),
    )
)
_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_DIGITS = re.compile(r"[-+.\d]+(?:[eE][-+]?\d+)?")
_NUMBERS = rf"{_NUMBER}(?:[\s,]+{_NUMBER}){{2,8}}(?![\w.])"
_ASSIGNMENT = re.compile(
    rf"""(?<![\w-])(?P<key>[A-Za-z_]+)\s*=\s*(?:"(?P<quoted>[^"]*)"|'(?P<single>[^']*)'|
        \[(?P<listed>(?:[^\[\]]|\[[^\]]*\])*)\]|\{{(?P<braced>[^}}]*)\}}|(?P<run>{_NUMBERS})|
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
    rf"(?<![\w-])(?:unit[ _-]?cell|cell|box|lattice|cryst1)(?:[ _-](?:vectors|size|lengths?|"
    rf"parameters))?\s*:?\s+(?P<run>{_NUMBERS})(?!\s*[A-Za-z(\[{{]*(?:nm|bohr|au|a\.u\.|pm)\b)",
    re.IGNORECASE,
)
_LIKE_A_CELL = re.compile(rf"\b(?:unit)?(?:cell|box|lattice|cryst)[^=\d]*{_NUMBER}", re.IGNORECASE)
_ONLY_NUMBERS = re.compile(rf"^{_NUMBERS}$")
_LENGTHS = {
    "angstrom": 1.0,
    "ang": 1.0,
    "atomic_unit": units.Bohr,
    "bohr": units.Bohr,
    "au": units.Bohr,
    "nanometer": 10.0,
    "nm": 10.0,
    "picometer": 0.01,
    "pm": 0.01,
}
_PERIODIC_KEYS = ("periodic", "periodicity", "periodic_boundaries", "boundary", "boundaries")
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


@dataclass
class TranslatedXYZ:
    """An XYZ file as text that ASE reads, and corrections to apply to its frames."""

    text: StringIO
    scales: list[float] = field(default_factory=list)
    isotopes: list[dict[int, float]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def finish(self, atoms: Atoms, frame: int) -> None:
        """Scale positions to Å and set masses of isotopes of one frame, in place."""
        if self.scales[frame] != 1:
            atoms.positions *= self.scales[frame]
        if self.isotopes[frame]:
            masses = atoms.get_masses()
            for index, mass in self.isotopes[frame].items():
                masses[index] = mass
            atoms.set_masses(masses)


def needs_translation(path: Path) -> bool:
    """Return whether an XYZ file has something that ASE's reader overlooks.

    Of atoms, only those of the first frame are looked at.
    """
    known: set[str] = set()
    with open(path, encoding="utf-8", errors="replace") as file:
        for line in file:
            if not line.strip().isdigit():
                # Lattice vectors on separate lines, or the end.
                continue
            comment = next(file, "")
            rows = islice(file, int(line))
            if not known and _has_more_in_rows(list(rows), comment):
                return True
            for _ in rows:
                pass
            # Frames differ by numbers, as a rule.
            words = _DIGITS.sub("", comment)
            if words not in known:
                known.add(words)
                line_read = translate(comment)
                if line_read.text != comment.strip() or line_read.warning:
                    return True
    return False


def _has_more_in_rows(rows: list[str], comment: str) -> bool:
    species = {row.split(maxsplit=1)[0].upper() for row in rows if row.strip()}
    return not species.isdisjoint(ISOTOPES) or _unnamed_columns(rows, comment)


def _unnamed_columns(rows: list[str], comment: str) -> bool:
    return bool(rows) and "properties=" not in comment.lower() and len(rows[0].split()) > 4


def translated(path: Path) -> TranslatedXYZ:
    """Return an XYZ file with all comment lines in the notation of extended XYZ.

    Raises
    ------
    ValueError
        If a cell is ambiguous.
    """
    done = TranslatedXYZ(StringIO())
    with open(path, encoding="utf-8", errors="replace") as file:
        for count, comment, rows in _frames(file):
            line = translate(comment)
            masses = {}
            for index, row in enumerate(rows):
                symbol, _, rest = row.strip().partition(" ")
                if symbol.upper() in ISOTOPES:
                    masses[index] = ISOTOPES[symbol.upper()]
                    rows[index] = f"H {rest}\n"
            done.text.write(f"{count}\n{line.text}\n")
            done.text.writelines(rows)
            done.scales.append(line.scale)
            done.isotopes.append(masses)
            columns = "columns after x, y and z are not used: name them with Properties="
            for notes, text in (
                (done.notes, line.note),
                (done.notes, columns if _unnamed_columns(rows, comment) else ""),
                (done.warnings, line.warning),
            ):
                if text and text not in notes:
                    notes.append(text)
    done.text.seek(0)
    if any(done.isotopes):
        done.notes.append("D and T are read as hydrogen with the mass of the isotope")
    return done


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
    text, has_cell = _with_cell(text, notes)
    warning = ""
    if not has_cell and (_ONLY_NUMBERS.match(comment) or _LIKE_A_CELL.search(comment)):
        warning = (
            f"the comment '{one_line(comment, 60)}' may contain a cell, which is not used: write "
            'it as Lattice="ax ay az bx by bz cx cy cz"'
        )
    return Comment(text, note=", ".join(notes), warning=warning)


def _with_cell(text: str, notes: list[str]) -> tuple[str, bool]:
    """Return the comment with a cell that has another name as ``Lattice``, and if it has one."""
    given = {match["key"]: match for match in _ASSIGNMENT.finditer(text)}
    if "Lattice" in given and len(_values(given["Lattice"])) == 9:
        return text, True
    named = sorted(given.items(), key=lambda each: each[0] != "Lattice")
    for key, match in named:
        if re.sub("[^a-z]", "", key.lower()) in _CELL_KEYS:
            values = _values(match)
            # One number without a word for a length may count something.
            is_edge = re.search("size|length|box", key, re.IGNORECASE)
            cell = _cell(values) if len(values) > 1 or is_edge else None
            if cell is not None:
                notes.append(f"cell read from '{key}'")
                return text.replace(match.group(0), _lattice(cell), 1), True
    letters = [given.get(name) for name in ("a", "b", "c", "alpha", "beta", "gamma")]
    if all(letters[:3]):
        numbers = [_values(match) for match in letters if match is not None]
        cell = _cell(np.concatenate(numbers)) if all(len(each) == 1 for each in numbers) else None
        if cell is not None:
            notes.append("cell read from 'a', 'b' and 'c'")
            return f"{_lattice(cell)} {text}", True
    spoken = _IN_WORDS.search(text)
    if spoken:
        cell = _cell(_numbers_in(spoken["run"]))
        if cell is not None:
            notes.append(f"cell read from '{one_line(spoken.group(0), 60)}'")
            return text.replace(spoken.group(0), _lattice(cell), 1), True
    return text, False


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
    if key == "pbc" and len(words) in (1, 3) and _READ_BY_ASE.issuperset(words):
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


def count_frames(path: Path) -> int:
    """Return the number of frames of an XYZ file without reading their atoms."""
    count = 0
    with open(path, encoding="utf-8", errors="replace") as file:
        for line in file:
            if not line.strip().isdigit():
                # Lattice vectors on separate lines, or the end.
                continue
            count += 1
            for _ in islice(file, int(line) + 1):
                pass
    return count


def _frames(file: Iterator[str]) -> Iterator[tuple[int, str, list[str]]]:
    for line in file:
        if not line.strip():
            return
        count = int(line)
        comment = next(file, "")
        yield count, comment, list(islice(file, count))


def _from_ipi(comment: str, matched: re.Match[str]) -> Comment:
    chosen = {
        match["what"].lower(): match["unit"].lower()
        for match in _IPI_UNIT.finditer(comment.replace(matched.group(0), ""))
    }
    unknown = sorted(set(chosen.values()) - set(_LENGTHS))
    if unknown:
        raise ValueError(
            f"the comment line gives lengths in {', '.join(unknown)}; known are "
            f"{', '.join(_LENGTHS)}"
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
    scale = _LENGTHS[chosen.get("cell", "angstrom")]
    note = f"cell read from the comment CELL({matched['kind']})"
    if "positions" not in chosen:
        note += ", lengths taken as Å"
    text = f'{_lattice(vectors * scale)} pbc="T T T"'
    return Comment(text, _LENGTHS[chosen.get("positions", "angstrom")], note)


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
    names = ("quoted", "single", "listed", "braced", "run", "bare")
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

r"""Translate comment lines of XYZ files that ASE's reader does not understand.

============================================  ====================================================
Comment line                                  Read as
============================================  ====================================================
``lattice=``, ``properties=``, ``PBC=``       ``Lattice=``, ``Properties=``, ``pbc=``
``cell=``, ``box=`` with 3, 6 or 9 numbers    lengths; lengths and angles; lattice vectors
``# CELL(abcABC): a b c α β γ`` (i-PI, CP2K)  lengths and angles, with ``cell{unit}`` and
                                              ``positions{unit}``
``# CELL(H): …``, ``# CELL(GENH): …``         only if diagonal: programs disagree about the order
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

ISOTOPES = {"D": 2.01410177812, "T": 3.0160492779}
"""Masses (u) of isotopes that are written as elements."""

_KEYS = {"lattice": "Lattice", "properties": "Properties", "pbc": "pbc"}
_CELL_KEYS = ("cell", "box", "unit_cell", "unitcell")
_ASSIGNMENT = re.compile(
    r"""(?<![\w-])(?P<key>[A-Za-z_]+)\s*=\s*(?:"(?P<quoted>[^"]*)"|\[(?P<listed>[^\]]*)\]|
        \{(?P<braced>[^}]*)\}|(?P<bare>\S+))""",
    re.VERBOSE,
)
_EMPTY = re.compile(
    r"""(?P<quoted>"[^"]*"|'[^']*')|(?<!\S)(?P<key>[A-Za-z_][\w-]*)=\s+(?=[A-Za-z_][\w-]*=)"""
)
_IPI_CELL = re.compile(
    r"CELL\s*[(\[{]\s*(?P<kind>abcABC|H|GENH)\s*[)\]}]\s*:?(?P<numbers>[^a-zA-Z{]*)"
)
_IPI_UNIT = re.compile(r"(?P<what>positions|cell)\{(?P<unit>\w+)\}")
_LENGTHS = {"angstrom": 1.0, "atomic_unit": units.Bohr, "bohr": units.Bohr, "nanometer": 10.0}


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
    """

    text: str
    scale: float = 1.0
    note: str = ""


@dataclass
class TranslatedXYZ:
    """An XYZ file as text that ASE reads, and corrections to apply to its frames."""

    text: StringIO
    scales: list[float] = field(default_factory=list)
    isotopes: list[dict[int, float]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

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
    """Return whether the first frame of an XYZ file has something that ASE's reader overlooks."""
    with open(path, encoding="utf-8", errors="replace") as file:
        head = file.readline().strip()
        if not head.isdigit():
            return False
        comment = file.readline()
        species = {line.split(maxsplit=1)[0] for line in islice(file, int(head)) if line.strip()}
    return translate(comment).text != comment.strip() or not species.isdisjoint(ISOTOPES)


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
                if symbol in ISOTOPES:
                    masses[index] = ISOTOPES[symbol]
                    rows[index] = f"H {rest}\n"
            done.text.write(f"{count}\n{line.text}\n")
            done.text.writelines(rows)
            done.scales.append(line.scale)
            done.isotopes.append(masses)
            if line.note and line.note not in done.notes:
                done.notes.append(line.note)
    done.text.seek(0)
    if any(done.isotopes):
        done.notes.append("D and T are read as hydrogen with the mass of the isotope")
    return done


def translate(comment: str) -> Comment:
    """Return a comment line in the notation of extended XYZ.

    Raises
    ------
    ValueError
        If a cell is ambiguous, or its unit unknown.
    """
    comment, notes = _without_empty_entries(comment.strip())
    matched = _IPI_CELL.search(comment)
    if matched:
        return _from_ipi(comment, matched)
    given = {match["key"]: match for match in _ASSIGNMENT.finditer(comment)}
    text = comment
    for key, match in given.items():
        proper = _KEYS.get(key.lower())
        if proper is not None and proper != key and proper not in given:
            text = re.sub(rf"(?<![\w-]){key}(?=\s*=)", proper, text, count=1)
            notes.append(f"'{key}' read as '{proper}'")
        elif key.lower() in _CELL_KEYS and "lattice" not in {each.lower() for each in given}:
            cell = _cell(_values(match))
            if cell is None:
                continue
            text = text.replace(match.group(0), _lattice(cell), 1)
            notes.append(f"cell read from '{key}'")
    return Comment(text, note=", ".join(notes))


def is_misread(atoms: Atoms) -> bool:
    """Return whether ASE's reader overlooked a cell, or read an entry as value of another."""
    return any(
        key.lower() in ("lattice", "properties", *_CELL_KEYS)
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
    chosen = {match["what"]: match["unit"] for match in _IPI_UNIT.finditer(comment)}
    unknown = sorted(set(chosen.values()) - set(_LENGTHS))
    if unknown:
        raise ValueError(
            f"the comment line gives lengths in {', '.join(unknown)}; known are "
            f"{', '.join(_LENGTHS)}"
        )
    numbers = np.array(matched["numbers"].split(), dtype=float)
    needed = 6 if matched["kind"] == "abcABC" else 9
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
        if match["quoted"]:
            return match["quoted"]
        names.append(match["key"])
        return ""

    text = _EMPTY.sub(left_out, comment)
    return text, [f"the empty entry '{name}' is omitted" for name in names]


def _values(match: re.Match[str]) -> np.ndarray:
    text = next(
        match[name] for name in ("quoted", "listed", "braced", "bare") if match[name] is not None
    )
    try:
        return np.array(re.findall(r"[^\s,\[\]]+", text), dtype=float)
    except ValueError:
        return np.zeros(0)


def _cell(values: np.ndarray) -> np.ndarray | None:
    if len(values) == 9:
        return values.reshape(3, 3)
    if len(values) in (3, 6):
        angles = values[3:] if len(values) == 6 else np.full(3, 90.0)
        return cellpar_to_cell([*values[:3], *angles])
    return None


def _lattice(vectors: np.ndarray) -> str:
    return 'Lattice="' + " ".join(repr(float(x)) for x in np.ravel(vectors)) + '"'

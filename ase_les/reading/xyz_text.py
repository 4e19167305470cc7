"""Read XYZ files whose comment lines or species ASE's reader does not understand.

Comment lines are translated by `ase_les.reading.xyz_comment`. Species D and T are hydrogen of mass
2.014 u and 3.016 u.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import StringIO, TextIOWrapper
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from ase import Atoms
from ase.io.formats import open_with_compression

from ase_les.reading.xyz_comment import translate

ISOTOPES = {"D": 2.01410177812, "T": 3.0160492779}
"""Masses (u) of isotopes that are written as elements."""

_MARK, _UNREADABLE = "\ufeff", "\ufffd"
_DIGITS = re.compile(r"[-+.\d]+(?:[eE][-+]?\d+)?")


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


def frames_if_readable(path: Path) -> int | None:
    """Return the number of frames of an XYZ file, or None if it needs `translated`.

    Of atoms, only those of the first frame are looked at.

    Raises
    ------
    ValueError
        If a frame has fewer atoms than it says, or see `translate`.
    """
    known: set[str] = set()
    total = 0
    with _opened(path, "utf-8") as file:
        if file.read(1) == _MARK:
            return None
        file.seek(0)
        for frame in _frames(file):
            # Frames differ by numbers, as a rule.
            words = _DIGITS.sub("", frame.comment)
            if frame.follows_blank or (words not in known and _is_overlooked(frame, not total)):
                return None
            known.add(words)
            total += 1
    return total


class _Frame(NamedTuple):
    """Lines of a frame; ``others`` are lattice vectors on separate lines after the atoms."""

    comment: str
    rows: list[str]
    others: list[str]
    follows_blank: bool


def _frames(file: Iterator[str]) -> Iterator[_Frame]:
    line, after_blank = next(file, ""), False
    while line:
        if not line.strip():
            line, after_blank = next(file, ""), True
            continue
        if not line.strip().isdigit():
            # Not an XYZ file: ASE tells.
            return
        comment = next(file, "")
        rows = list(islice(file, int(line)))
        if len(rows) < int(line):
            # ASE would read an announced number of lines, however large, from the end of a file.
            raise ValueError(
                f"a frame has {len(rows)} atoms and announces {int(line)}: the file is truncated"
            )
        others: list[str] = []
        line = next(file, "")
        while line.strip() and not line.strip().isdigit():
            others.append(line)
            line = next(file, "")
        yield _Frame(comment, rows, others, after_blank)
        after_blank = False


def _opened(path: Path, encoding: str) -> TextIOWrapper:
    return TextIOWrapper(open_with_compression(str(path), "rb"), encoding, errors="replace")


def _is_overlooked(frame: _Frame, with_atoms: bool) -> bool:
    """Return whether ASE's reader overlooks something in a frame."""
    line = translate(frame.comment)
    if line.text != frame.comment.strip() or line.warning or _UNREADABLE in frame.comment:
        return True
    if not with_atoms:
        return False
    species = {row.split(maxsplit=1)[0].upper() for row in frame.rows if row.strip()}
    return not species.isdisjoint(ISOTOPES) or _has_unnamed_columns(frame)


def _has_unnamed_columns(frame: _Frame) -> bool:
    if not frame.rows or "properties=" in frame.comment.lower():
        return False
    return len(frame.rows[0].split()) > 4


def translated(path: Path) -> TranslatedXYZ:
    """Return an XYZ file with all comment lines in the notation of extended XYZ.

    Raises
    ------
    ValueError
        If a cell is ambiguous.
    """
    done = TranslatedXYZ(StringIO())
    with _opened(path, "utf-8-sig") as file:
        for frame in _frames(file):
            line = translate(frame.comment)
            masses = {}
            for index, row in enumerate(frame.rows):
                symbol, *rest = row.split(maxsplit=1) or [""]
                if symbol.upper() in ISOTOPES:
                    masses[index] = ISOTOPES[symbol.upper()]
                    frame.rows[index] = f"H {' '.join(rest).rstrip()}\n"
            done.text.write(f"{len(frame.rows)}\n{line.text}\n")
            done.text.writelines([*frame.rows, *frame.others])
            done.scales.append(line.scale)
            done.isotopes.append(masses)
            columns = "columns after x, y and z are not used: name them with Properties="
            for notes, text in (
                (done.notes, line.note),
                (done.notes, columns if _has_unnamed_columns(frame) else ""),
                (done.warnings, line.warning),
            ):
                if text and text not in notes:
                    notes.append(text)
    done.text.seek(0)
    if any(done.isotopes):
        done.notes.append("D and T are read as hydrogen with the mass of the isotope")
    return done

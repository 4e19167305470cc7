"""Use, reject or report entries of files besides elements, positions and cell."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from ase import Atoms

from ase_les.reading.notes import Notes
from ase_les.reading.total_charge import adopt_total_charge, is_total_charge
from ase_les.reading.xyz_comment import LENGTHS

USED_INFO = frozenset({"charge"})
"""Keys of ``atoms.info`` that commands read; labeling also reads ``spin``."""

USED_ARRAYS = frozenset({"numbers", "positions", "momenta", "masses", "tags", "spacegroup_kinds"})
"""Keys of ``atoms.arrays`` that commands read, and ASE's numbers of the sites of a CIF file."""

_SILENT_INFO = frozenset({"spacegroup", "unit_cell", "occupancy", "comment"})
_MOST_NAMED = 12
_VELOCITIES = frozenset(("velocities", "velo", "vel", "velocity", "v", "vx"))
_MASSES = frozenset(("mass", "masses", "mass_u", "mass_amu", "atomic_mass", "atomic_masses"))
_CONSTRAINTS = frozenset(
    (
        *("fixed", "frozen", "fix", "freeze", "constraint", "constraints", "selective_dynamics"),
        *("move", "movable", "moveable", "mobile", "free"),
    )
)
_UNITS_OF_LENGTH = frozenset(("unit", "units", "length_unit", "length_units", "lengthunit"))


def complete(atoms: Atoms, notes: Notes, charge: float | None = None) -> None:
    """Convert entries of a file with other names than those of ASE, in place.

    Parameters
    ----------
    notes : Notes
        Receives notes on entries read under another name, and on relevant ones that are not used.
    charge : float or None
        Total charge (e), replacing that in the file.

    Raises
    ------
    ValueError
        If the total charge is not a number, two disagree, or lengths are in another unit than Å.
    """
    adopt_total_charge(atoms, notes, charge)
    _check_unit_of_length(atoms)
    _report_occupancy(atoms, notes)
    _report_constraints(atoms, notes)
    _take_velocities(atoms, notes)
    _take_masses(atoms, notes)


def without_placeholder(atoms: Atoms, notes: Notes) -> None:
    """Remove the cell of 1 Å that files of the Protein Data Bank have for molecules, in place."""
    if len(atoms) > 1 and np.allclose(atoms.cell.cellpar(), [1, 1, 1, 90, 90, 90]):
        atoms.set_cell(None)
        atoms.set_pbc(False)
        notes.add("the cell of 1 Å (CRYST1) is a placeholder: no cell and no periodic directions")


def unused_keys(atoms: Atoms) -> list[str]:
    """Return the names of unused entries of a structure, without calculator results."""
    info = [
        key
        for key in atoms.info
        if key not in USED_INFO | _SILENT_INFO and not is_total_charge(key)
    ]
    return [*info, *(key for key in atoms.arrays if key not in USED_ARRAYS)]


def listed(names: list[str]) -> str:
    """Return names separated by commas, at most the first twelve."""
    shown = ", ".join(names[:_MOST_NAMED])
    return shown + (f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else "")


def check_periodicity(atoms: Atoms, card: Mapping[str, object], name: str) -> None:
    """Refuse a structure without periodic directions if all training structures had some.

    A cell in a notation that the reader does not know would be lost.

    Parameters
    ----------
    card : mapping
        Card of the model; ``periodic_directions`` lists how many the training structures had.
    name : str
        Name of the file, for the message.

    Raises
    ------
    ValueError
        If the structure has none, and no training structure was without.
    """
    known = card.get("periodic_directions")
    if not isinstance(known, list) or 0 in known or atoms.pbc.any():
        return
    cell = "a cell, but" if atoms.cell.any() else "no cell and"
    raise ValueError(
        f"{name} has {cell} no periodic directions, and the model was trained on periodic "
        'structures only: give the file a cell (Lattice="ax ay az bx by bz cx cy cz" pbc="T T T" '
        "in extended XYZ), or use --pbc F for a cluster in vacuum"
    )


def _report_occupancy(atoms: Atoms, notes: Notes) -> None:
    shares = atoms.arrays.get("occupancy")
    if shares is not None and np.ndim(shares) == 1 and np.min(shares) < 1 - 1e-6:
        notes.add(
            "occupancies below 1 are not used: every site is occupied. Create an ordered structure "
            "if this is not intended",
            important=True,
        )
    sites = atoms.info.get("occupancy")
    if not isinstance(sites, dict):
        return
    partial = {
        str(site): shares
        for site, shares in sites.items()
        if isinstance(shares, dict) and (len(shares) > 1 or min(shares.values()) < 1 - 1e-6)
    }
    if partial:
        listed_sites = "; ".join(
            " + ".join(f"{share:g} {symbol}" for symbol, share in shares.items())
            for shares in partial.values()
        )
        notes.add(
            f"partial occupancies ({listed_sites}) are not used: every site has its most frequent "
            "element. Create an ordered structure if this is not intended",
            important=True,
        )


def _report_constraints(atoms: Atoms, notes: Notes) -> None:
    for name in atoms.arrays:
        if name.lower() in _CONSTRAINTS and not atoms.constraints:
            notes.add(
                f"'{name}' fixes no atoms: name the column move_mask (T for atoms that move) if "
                "atoms are to be fixed",
                important=True,
            )


def _check_unit_of_length(atoms: Atoms) -> None:
    for name, value in atoms.info.items():
        factor = LENGTHS.get(str(value).lower().rstrip("s"), 1.0)
        if name.lower() in _UNITS_OF_LENGTH and factor != 1:
            raise ValueError(
                f"'{name}' says that lengths are in {value}: convert positions and cell to Å and "
                f"remove '{name}'"
            )


def _take_velocities(atoms: Atoms, notes: Notes) -> None:
    for name in atoms.arrays:
        if name.lower() not in _VELOCITIES or atoms.has("momenta"):
            continue
        notes.add(
            f"'{name}' is not used, its unit is unknown: velocities are read from 'momenta' in "
            "ASE's units (atoms.set_velocities)",
        )


def _take_masses(atoms: Atoms, notes: Notes) -> None:
    name = next((name for name in atoms.arrays if name.lower() in _MASSES), "")
    given = atoms.arrays.get(name)
    if given is None or atoms.has("masses") or np.ndim(given) != 1 or given.dtype.kind not in "fi":
        return
    usual = atoms.get_masses()
    # Isotopes differ by a few u, other units by powers of ten.
    if np.all((given > 0.5 * usual) & (given < 3.2 * usual)):
        atoms.set_masses(given)
        del atoms.arrays[name]
        notes.add(f"masses (u) read from '{name}'")

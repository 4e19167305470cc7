"""Between ASE's atoms and phonopy's cells and files."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np
from ase import Atoms

if TYPE_CHECKING:
    from phonopy import Phonopy
    from phonopy.structure.atoms import PhonopyAtoms


def require_phonopy() -> ModuleType:
    """phonopy, or what to install.

    Raises
    ------
    ModuleNotFoundError
        If it is not installed.
    """
    try:
        import phonopy
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            "phonons and BORN files need phonopy: pip install 'ase_les[phonons]'"
        ) from None
    return phonopy


def from_phonopy(cell: PhonopyAtoms) -> Atoms:
    """ASE's atoms, periodic in all directions."""
    return Atoms(
        symbols=cell.symbols,
        cell=cell.cell,
        positions=cell.positions,
        masses=cell.masses,
        pbc=True,
    )


def cells(atoms: Atoms, supercell: np.ndarray | None = None, tolerance_A: float = 1e-3) -> Phonopy:
    """phonopy's view of a crystal: unit, primitive and supercell, symmetry.

    Atoms keep their order and places. phonopy wants right-handed cells: the second and third vector
    of a left-handed one change places.

    Parameters
    ----------
    atoms : ase.Atoms
    supercell : array, shape (3, 3), or None
        Every row holds the multiples of the cell vectors that make one vector of the supercell, as
        in `ase.build.make_supercell`; None is the cell itself.
    tolerance_A : float
        Of the symmetry search.
    """
    phonopy = require_phonopy()
    from phonopy.structure.atoms import PhonopyAtoms
    from phonopy.structure.cells import guess_primitive_matrix

    order = [0, 1, 2] if np.linalg.det(atoms.cell.array) > 0 else [0, 2, 1]
    unitcell = PhonopyAtoms(
        symbols=list(atoms.symbols),
        cell=atoms.cell.array[order],
        scaled_positions=atoms.get_scaled_positions(wrap=False)[:, order],
        masses=atoms.get_masses(),
    )
    multiples = np.eye(3, dtype=int) if supercell is None else supercell[np.ix_(order, order)]
    return phonopy.Phonopy(
        unitcell,
        # Vectors are columns there.
        supercell_matrix=multiples.T,
        # phonopy's own "auto", which warns of itself.
        primitive_matrix=guess_primitive_matrix(unitcell, symprec=tolerance_A),
        symprec=tolerance_A,
    )


def write_born_file(
    path: Path, atoms: Atoms, tensors: np.ndarray, dielectric: np.ndarray, tolerance_A: float
) -> list[int]:
    """Born charges of the inequivalent atoms of the primitive cell, as phonopy writes them.

    Parameters
    ----------
    path : Path
        A file that phonopy reads as BORN.
    atoms : ase.Atoms
        The crystal; its tensors are symmetrized by phonopy.
    tensors : array, shape (N, 3, 3)
        In e.
    dielectric : array, shape (3, 3)
    tolerance_A : float
        Of the symmetry search.

    Returns
    -------
    list of int
        Which atoms stand in the file, counted from zero.
    """
    require_phonopy()
    from phonopy.file_IO import get_BORN_lines
    from phonopy.structure.symmetry import elaborate_borns_and_epsilon

    crystal = cells(atoms, tolerance_A=tolerance_A)
    settings = {"primitive_matrix": crystal.primitive_matrix, "symprec": tolerance_A}
    lines = get_BORN_lines(crystal.unitcell, tensors, dielectric, **settings)
    _, _, indices = elaborate_borns_and_epsilon(crystal.unitcell, tensors, dielectric, **settings)
    path.write_text("\n".join(lines) + "\n")
    return [int(index) for index in indices]

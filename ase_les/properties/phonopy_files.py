"""Conversion between ASE and phonopy, and the files that phonopy and other programs read."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
from ase import Atoms, units

from ase_les.properties.crystal_symmetry import in_vacuum
from ase_les.runs.output import OutputFiles, replace_file

if TYPE_CHECKING:
    from phonopy import Phonopy
    from phonopy.structure.atoms import PhonopyAtoms

    from ase_les.properties.phonon_results import Phonons


def require_phonopy() -> ModuleType:
    """Import phonopy."""
    try:
        import phonopy
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            "phonons and BORN files need phonopy: pip install 'ase_les[phonons]'"
        ) from None
    return phonopy


def from_phonopy(cell: PhonopyAtoms, pbc: np.ndarray | bool = True) -> Atoms:
    """Convert a cell of phonopy to ASE, with the given periodic directions."""
    return Atoms(
        symbols=cell.symbols,
        cell=cell.cell,
        positions=cell.positions,
        masses=cell.masses,
        pbc=pbc,
    )


def with_normal_last(atoms: Atoms, in_plane: np.ndarray) -> tuple[Atoms, list[int]]:
    """Return a slab whose third cell vector is out of plane, and the order of the cell vectors.

    The open vector of a slab with two periodic directions is set along the normal, to a length with
    vacuum; forces do not depend on it. The cell is right-handed. The calculator is kept.

    Parameters
    ----------
    atoms : ase.Atoms
        Slab with two periodic directions, or in a periodic box with vacuum.
    in_plane : array of bool, shape (3,)
        Which cell vectors are in the plane of the slab.
    """
    oriented = atoms.copy() if atoms.pbc.all() else in_vacuum(atoms)
    order = [int(i) for i in (*np.flatnonzero(in_plane), *np.flatnonzero(~in_plane))]
    if np.linalg.det(oriented.cell.array[order]) < 0:
        order = [order[1], order[0], order[2]]
    oriented.set_cell(oriented.cell.array[order])
    oriented.pbc = atoms.pbc[order]
    oriented.calc = atoms.calc
    return oriented, order


def cells(
    atoms: Atoms,
    supercell: np.ndarray | None = None,
    tolerance_A: float = 1e-3,
    primitive: bool = True,
) -> Phonopy:
    """Return unit cell, primitive cell, supercell and symmetry as a ``Phonopy`` object.

    Order and positions of the atoms are kept. phonopy requires right-handed cells: the second and
    third vector of a left-handed cell are exchanged.

    Parameters
    ----------
    atoms : ase.Atoms
        Crystal, or slab as returned by `with_normal_last`.
    supercell : array, shape (3, 3), or None
        Multiples of the cell vectors, one vector of the supercell per row, as in
        `ase.build.make_supercell`. By default the cell itself.
    tolerance_A : float
        Symmetry tolerance.
    primitive : bool
        Whether to determine the primitive cell; otherwise the cell itself is used.
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
        # phonopy uses columns for vectors.
        supercell_matrix=multiples.T,
        # Equivalent to "auto", without its warning.
        primitive_matrix=guess_primitive_matrix(unitcell, symprec=tolerance_A)
        if primitive
        else np.eye(3),
        symprec=tolerance_A,
    )


def write_files(files: OutputFiles, result: Phonons, tolerance_A: float) -> None:
    """Write ``-phonopy.yaml``, ``-FORCE_SETS`` and, with Born charges, ``-BORN``."""
    from phonopy.file_IO import write_FORCE_SETS

    crystal = result.phonopy
    # Euphonic needs the force constants, phonopy recalculates them from the forces.
    crystal.save(files.named("-phonopy.yaml"), settings={"force_constants": True})
    dataset = crystal.dataset
    assert dataset is not None
    write_FORCE_SETS(dataset, files.named("-FORCE_SETS"))
    if result.non_analytic is not None:
        write_born_file(
            files.named("-BORN"),
            from_phonopy(crystal.primitive),
            result.non_analytic.born_charges_e,
            result.non_analytic.dielectric,
            tolerance_A,
        )


def write_born_file(
    path: Path, atoms: Atoms, tensors: np.ndarray, dielectric: np.ndarray, tolerance_A: float
) -> list[int]:
    """Write the Born charges of the symmetry-inequivalent atoms of the primitive cell.

    phonopy begins the file with a comment. Here it begins with the unit factor in eV Å, which
    ``phonopy.load``, ``phonopy.file_IO.parse_BORN`` and Euphonic all accept.

    Parameters
    ----------
    path : Path
        File in the format of phonopy's BORN file.
    atoms : ase.Atoms
        Crystal.
    tensors : array, shape (N, 3, 3)
        Born charges in e, [atom, polarization, displacement]; symmetrized by phonopy.
    dielectric : array, shape (3, 3)
    tolerance_A : float
        Symmetry tolerance.

    Returns
    -------
    list of int
        Indices of the atoms in the file.
    """
    require_phonopy()
    from phonopy.file_IO import get_BORN_lines
    from phonopy.structure.symmetry import elaborate_borns_and_epsilon

    crystal = cells(atoms, tolerance_A=tolerance_A)
    settings: dict[str, Any] = {
        "primitive_matrix": crystal.primitive_matrix,
        "symprec": tolerance_A,
    }
    lines = get_BORN_lines(crystal.unitcell, tensors, dielectric, **settings)
    _, _, indices = elaborate_borns_and_epsilon(crystal.unitcell, tensors, dielectric, **settings)
    lines[0] = f"{units.Hartree * units.Bohr:.8f}"
    replace_file(path, ("\n".join(lines) + "\n").encode())
    return [int(index) for index in indices]

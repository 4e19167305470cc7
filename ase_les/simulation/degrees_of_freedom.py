"""What may move in a relaxation: which atoms, which strains of the cell, which symmetry is kept."""

from __future__ import annotations

import numpy as np
from ase import Atoms, units
from ase.calculators.calculator import PropertyNotImplementedError
from ase.constraints import FixAtoms, FixSymmetry
from ase.filters import FrechetCellFilter

CELLS = ("fixed", "full", "isotropic", "in-plane")


def atoms_held_below(atoms: Atoms, height_A: float) -> Atoms:
    """A copy in which the atoms with z below a height are fixed, besides those fixed already.

    Parameters
    ----------
    atoms : Atoms
    height_A : float
        In Å, of the Cartesian z coordinate.

    Raises
    ------
    ValueError
        If no atom or every atom is below.
    """
    below = atoms.positions[:, 2] < height_A
    if not below.any() or below.all():
        which = "no atom lies" if not below.any() else "all atoms lie"
        low, high = atoms.positions[:, 2].min(), atoms.positions[:, 2].max()
        raise ValueError(
            f"{which} below `fix_below_A` = {height_A:g}: z runs from {low:.3f} to {high:.3f} Å"
        )
    held = atoms.copy()
    held.set_constraint([*atoms.constraints, FixAtoms(mask=below)])
    return held


def check_cell_can_relax(atoms: Atoms, cell: str) -> None:
    """Refuse to relax a cell that has nothing to say about the energy.

    Raises
    ------
    ValueError
        If boundaries or cell do not fit the strains of `cell`, or the calculator has no stress.
    """
    if cell == "fixed":
        return
    if cell == "in-plane":
        _normal_axis(atoms)
    elif not atoms.pbc.all():
        raise ValueError(
            f"cell='{cell}' needs three periodic directions, pbc is {atoms.pbc.tolist()}: vacuum "
            "has no pressure to balance. Use cell='fixed', or 'in-plane' for a slab"
        )
    missing = (
        f"cell='{cell}' needs the stress, which {type(atoms.calc).__name__} does not give; use "
        "cell='fixed' or another calculator"
    )
    if "stress" not in getattr(atoms.calc, "implemented_properties", ()):
        raise ValueError(missing)
    try:
        stress = atoms.get_stress(apply_constraint=False)
    except PropertyNotImplementedError as error:
        raise ValueError(f"{missing} ({error})") from error
    if not np.isfinite(stress).all():
        raise ValueError(f"the stress is {stress.tolist()} for the given structure")


def _normal_axis(atoms: Atoms) -> int:
    """Cartesian axis that the plane of a slab is perpendicular to."""
    open_directions = np.flatnonzero(~atoms.pbc)
    if len(open_directions) > 1:
        raise ValueError(
            f"cell='in-plane' needs two periodic directions, pbc is {atoms.pbc.tolist()}"
        )
    # A slab under full periodic boundaries has its vacuum along c by custom.
    across = int(open_directions[0]) if len(open_directions) else 2
    if abs(np.linalg.det(atoms.cell.array)) < 1e-8:
        raise ValueError(
            f"cell='in-plane' needs a cell vector across the slab too, cell is "
            f"{atoms.cell.tolist()}: set one, for instance with `atoms.center(vacuum=10, axis=2)`"
        )
    in_plane = atoms.cell.array[[each for each in range(3) if each != across]]
    normal = np.cross(*in_plane)
    normal /= np.linalg.norm(normal)
    axis = int(np.abs(normal).argmax())
    if not np.isclose(abs(normal[axis]), 1.0, rtol=0, atol=1e-8):
        raise ValueError(
            f"cell='in-plane' needs the normal of the slab along x, y or z, it is "
            f"{np.round(normal, 6).tolist()}: rotate atoms and cell first"
        )
    return axis


def relaxed_target(
    atoms: Atoms, cell: str, pressure_bar: float, reference_cell: np.ndarray
) -> Atoms | FrechetCellFilter:
    """What the optimizer moves: the atoms, alone or with strains of their cell.

    Parameters
    ----------
    atoms : Atoms
    cell : str
        One of `CELLS`.
    pressure_bar : float
        To be balanced by the stress.
    reference_cell : (3, 3) array
        That strains count from: the cell at the start.
    """
    if cell == "fixed":
        return atoms
    mask = np.ones(6)
    if cell == "in-plane":
        mask = np.ones((3, 3))
        mask[_normal_axis(atoms), :] = mask[:, _normal_axis(atoms)] = 0.0
    target = FrechetCellFilter(
        atoms,
        mask=mask,
        hydrostatic_strain=cell == "isotropic",
        scalar_pressure=pressure_bar * units.bar,
    )
    target.orig_cell = reference_cell
    return target


def space_group(atoms: Atoms, symprec_A: float) -> str | None:
    """International symbol and number, or None where there is no lattice or no spglib."""
    if not atoms.pbc.any() or abs(np.linalg.det(atoms.cell.array)) < 1e-8:
        return None
    try:
        from ase.spacegroup.symmetrize import check_symmetry

        dataset = check_symmetry(atoms, symprec=symprec_A)
    except ImportError:
        return None
    return None if dataset is None else f"{dataset.international} ({dataset.number})"


def with_symmetry_kept(atoms: Atoms, symprec_A: float) -> Atoms:
    """A copy, made exactly symmetric, that keeps its space group whatever it is moved by.

    Parameters
    ----------
    atoms : Atoms
        Its own constraints are kept and must not break the symmetry.
    symprec_A : float
        How far atoms may be, in Å, from where the symmetry wants them.

    Raises
    ------
    ValueError
        If spglib is not installed, the cell has no volume, no symmetry can be found, or the
        fixed atoms are not mapped onto each other by the symmetry.
    """
    if abs(np.linalg.det(atoms.cell.array)) < 1e-8:
        raise ValueError(
            f"keeping the symmetry needs three cell vectors, cell is {atoms.cell.tolist()}"
        )
    others = atoms.constraints
    symmetric = atoms.copy()
    # Made symmetric first: a fixed atom would not follow.
    symmetric.set_constraint()
    try:
        symmetry = FixSymmetry(symmetric, symprec=symprec_A)
    except ImportError as error:
        raise ValueError(
            "keeping the symmetry needs spglib: pip install 'ase_les[phonons]' or spglib"
        ) from error
    except (AttributeError, RuntimeError, TypeError) as error:
        raise ValueError(
            f"no space group was found within {symprec_A:g} Å ({error}); choose another "
            "`symprec_A`, or do not keep the symmetry"
        ) from error
    for constraint in others:
        if not isinstance(constraint, FixAtoms):
            raise ValueError(
                f"keeping the symmetry goes with fixed atoms only, not with "
                f"{type(constraint).__name__}"
            )
        fixed = set(constraint.index.tolist())
        if any({mapped[atom] for atom in fixed} != fixed for mapped in symmetry.symm_map):
            raise ValueError(
                "the fixed atoms break the symmetry that is to be kept: fix all atoms that are "
                "equivalent, or do not keep the symmetry"
            )
    symmetric.set_constraint([symmetry, *others])
    return symmetric

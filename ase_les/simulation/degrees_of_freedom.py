"""Degrees of freedom of a relaxation: fixed atoms, strains of the cell, symmetry."""

from __future__ import annotations

import numpy as np
from ase import Atoms, units
from ase.calculators.calculator import PropertyNotImplementedError
from ase.constraints import FixAtoms, FixSymmetry
from ase.filters import FrechetCellFilter

from ase_les.calculator_extensions import supports

CELLS = ("fixed", "full", "isotropic", "in-plane")


def with_atoms_fixed_below(atoms: Atoms, height_A: float) -> Atoms:
    """Return a copy in which the atoms with z below a height are also fixed.

    Parameters
    ----------
    height_A : float
        Cartesian z coordinate in Å.
    """
    below = atoms.positions[:, 2] < height_A
    if not below.any() or below.all():
        which = "no atom is" if not below.any() else "all atoms are"
        low, high = atoms.positions[:, 2].min(), atoms.positions[:, 2].max()
        raise ValueError(
            f"{which} below `fix_below_A` = {height_A:g}: z ranges from {low:.3f} to {high:.3f} Å"
        )
    fixed = atoms.copy()
    fixed.set_constraint([*atoms.constraints, FixAtoms(mask=below)])
    return fixed


def check_cell_can_relax(atoms: Atoms, cell: str) -> None:
    """Check that the cell can be relaxed as requested."""
    if cell == "fixed":
        return
    if cell == "in-plane":
        _normal_axis(atoms)
    elif not atoms.pbc.all():
        raise ValueError(
            f"cell='{cell}' needs three periodic directions, pbc is {atoms.pbc.tolist()}: the "
            "extent of vacuum cannot be relaxed. Use cell='fixed', or 'in-plane' for a slab"
        )
    missing = (
        f"cell='{cell}' needs the stress, which {type(atoms.calc).__name__} does not provide; "
        "use cell='fixed' or a different calculator"
    )
    if not supports(atoms.calc, "stress"):
        raise ValueError(missing)
    try:
        stress = atoms.get_stress(apply_constraint=False)
    except PropertyNotImplementedError as error:
        raise ValueError(f"{missing} ({error})") from error
    if not np.isfinite(stress).all():
        raise ValueError(f"the stress is {stress.tolist()} for the given structure")


def _normal_axis(atoms: Atoms) -> int:
    """Return the Cartesian axis normal to a slab."""
    open_directions = np.flatnonzero(~atoms.pbc)
    if len(open_directions) > 1:
        raise ValueError(
            f"cell='in-plane' needs two periodic directions, pbc is {atoms.pbc.tolist()}"
        )
    # By convention, the vacuum of a slab with three periodic directions is along c.
    normal_index = int(open_directions[0]) if len(open_directions) else 2
    if abs(np.linalg.det(atoms.cell.array)) < 1e-8:
        raise ValueError(
            f"cell='in-plane' also needs a cell vector across the slab, cell is "
            f"{atoms.cell.tolist()}: set one, for example with `atoms.center(vacuum=10, axis=2)`"
        )
    in_plane = atoms.cell.array[[each for each in range(3) if each != normal_index]]
    normal = np.cross(*in_plane)
    normal /= np.linalg.norm(normal)
    axis = int(np.abs(normal).argmax())
    if not np.isclose(abs(normal[axis]), 1.0, rtol=0, atol=1e-8):
        raise ValueError(
            f"cell='in-plane' needs the normal of the slab along x, y or z, but it is "
            f"{np.round(normal, 6).tolist()}: rotate atoms and cell"
        )
    return axis


def relaxed_target(
    atoms: Atoms, cell: str, pressure_bar: float, reference_cell: np.ndarray
) -> Atoms | FrechetCellFilter:
    """Return the object to optimize: the atoms, or a filter with atoms and strains.

    Parameters
    ----------
    cell : str
        One of `CELLS`.
    pressure_bar : float
        External pressure.
    reference_cell : array, shape (3, 3)
        Initial cell, to which strains refer.
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
    """Return international symbol and number; None without a lattice or without spglib."""
    if not atoms.pbc.any() or abs(np.linalg.det(atoms.cell.array)) < 1e-8:
        return None
    try:
        from ase.spacegroup.symmetrize import check_symmetry

        dataset = check_symmetry(atoms, symprec=symprec_A)
    except ImportError:
        return None
    return None if dataset is None else f"{dataset.international} ({dataset.number})"


def with_symmetry_constraint(atoms: Atoms, symprec_A: float) -> Atoms:
    """Return an exactly symmetric copy with a constraint that preserves its space group.

    Parameters
    ----------
    atoms : Atoms
        Its constraints are kept and must not break the symmetry.
    symprec_A : float
        Symmetry tolerance (spglib `symprec`), in Å.
    """
    if abs(np.linalg.det(atoms.cell.array)) < 1e-8:
        raise ValueError(
            f"preserving the symmetry needs three cell vectors, cell is {atoms.cell.tolist()}"
        )
    # An existing symmetry constraint is replaced.
    others = [each for each in atoms.constraints if not isinstance(each, FixSymmetry)]
    symmetric = atoms.copy()
    # Symmetrize without constraints, which would hold fixed atoms in place.
    symmetric.set_constraint()
    try:
        symmetry = FixSymmetry(symmetric, symprec=symprec_A)
    except ImportError as error:
        raise ValueError(
            "preserving the symmetry needs spglib: pip install 'ase_les[phonons]' or spglib"
        ) from error
    except (AttributeError, RuntimeError, TypeError) as error:
        raise ValueError(
            f"no space group was found within {symprec_A:g} Å ({error}); change `symprec_A`, or "
            "do not preserve the symmetry"
        ) from error
    for constraint in others:
        if not isinstance(constraint, FixAtoms):
            raise ValueError(
                "preserving the symmetry supports FixAtoms only, the structure has "
                f"{type(constraint).__name__}"
            )
        fixed = set(constraint.index.tolist())
        if any({mapped[atom] for atom in fixed} != fixed for mapped in symmetry.symm_map):
            raise ValueError(
                "the fixed atoms break the symmetry: fix all equivalent atoms, or do not preserve "
                "the symmetry"
            )
    symmetric.set_constraint([symmetry, *others])
    return symmetric

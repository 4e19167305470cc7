"""Initial velocities and degrees of freedom."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from ase import Atoms, units
from ase.constraints import FixAtoms, FixCom, FixConstraint, FixedMode, FixSymmetry

#: Moment of inertia, relative to the largest, below which a molecule counts as linear.
NO_INERTIA = 1e-8


class Start(NamedTuple):
    """Initial state of a dynamics run.

    Attributes
    ----------
    atoms : Atoms
        With velocities, without calculator.
    degrees_of_freedom : int
        Number of degrees of freedom with kinetic energy.
    notes : tuple of str
        Changes made to the structure.
    """

    atoms: Atoms
    degrees_of_freedom: int
    notes: tuple[str, ...]


def prepare_motion(
    atoms: Atoms,
    temperature_K: float | None,
    rng: np.random.Generator,
    rotation_is_conserved: bool,
) -> Start:
    """Draw velocities if there are none, and fix the center of mass if there are no constraints.

    Parameters
    ----------
    atoms : Atoms
        Not changed.
    temperature_K : float or None
        Temperature of the Maxwell–Boltzmann distribution, if velocities are drawn.
    rng : numpy.random.Generator
        Random numbers for the velocities.
    rotation_is_conserved : bool
        Whether the dynamics conserve the angular momentum of an isolated system.
    """
    moving = atoms.copy()
    notes = []
    free = not moving.constraints
    isolated = free and not moving.pbc.any()
    if free:
        # Otherwise noise and rounding make the system drift, and velocity rescaling amplifies it.
        moving.set_constraint(FixCom())
        notes.append("center of mass fixed (the structure has no constraints)")
    degrees_of_freedom = count_degrees_of_freedom(moving)
    if np.any(moving.get_momenta()):
        # Applies the constraints.
        moving.set_momenta(moving.get_momenta())
    elif temperature_K is None:
        raise ValueError(
            "the structure has no velocities: give `temperature_K` to draw them, or use a "
            "structure with velocities"
        )
    else:
        moving.set_momenta(_maxwell_boltzmann(moving, temperature_K, rng))
        if isolated:
            moving.set_momenta(_without_rotation(moving))
        notes.append(
            f"velocities drawn from the Maxwell–Boltzmann distribution at {temperature_K:g} K"
            + (", overall rotation removed" if isolated else "")
        )
    if isolated and rotation_is_conserved and not _rotates(moving):
        degrees_of_freedom -= _rotational_degrees_of_freedom(moving)
    if degrees_of_freedom <= 0:
        raise ValueError(
            f"{len(moving)} atoms have no degrees of freedom without constraints and overall "
            "motion: nothing can move. Remove constraints, such as FixSymmetry, with "
            "atoms.set_constraint(), or use a larger cell"
        )
    return Start(moving, int(degrees_of_freedom), tuple(notes))


def count_degrees_of_freedom(atoms: Atoms) -> int:
    r"""Return the number of degrees of freedom under the constraints of the atoms.

    With FixSymmetry, it is the trace of the projector on symmetric displacements,

    .. math::
        \frac{1}{|G|} \sum_{g \in G} \operatorname{tr} \mathbf{R}_g\, n_g,

    with the rotations :math:`\mathbf{R}_g` and the number :math:`n_g` of free atoms that are mapped
    onto themselves.
    """
    symmetries = [each for each in atoms.constraints if isinstance(each, FixSymmetry)]
    others = [each for each in atoms.constraints if not isinstance(each, FixSymmetry)]
    if symmetries:
        return _symmetric_degrees_of_freedom(atoms, symmetries, others)
    removed = 0
    for constraint in others:
        try:
            # ASE counts one constraint per atom for a fixed mode.
            fixes_mode = isinstance(constraint, FixedMode)
            removed += 1 if fixes_mode else constraint.get_removed_dof(atoms)
        except NotImplementedError:
            raise ValueError(
                f"dynamics does not support the constraint {type(constraint).__name__}: the number "
                "of degrees of freedom that it removes is not defined"
            ) from None
    return int(3 * len(atoms) - removed)


def _symmetric_degrees_of_freedom(
    atoms: Atoms, symmetries: list[FixSymmetry], others: list[FixConstraint]
) -> int:
    fixed = [each for each in others if isinstance(each, FixAtoms)]
    unsupported = [type(each).__name__ for each in others if each not in fixed]
    if unsupported or len(symmetries) > 1:
        raise ValueError(
            f"FixSymmetry can be combined with FixAtoms only, the structure has "
            f"{', '.join([*unsupported, *['FixSymmetry'] * len(symmetries)])}"
        )
    free = np.ones(len(atoms), dtype=bool)
    for constraint in fixed:
        free[constraint.index] = False
    (symmetry,) = symmetries
    traces = [
        np.trace(rotation) * np.count_nonzero(free & (np.asarray(mapped) == np.arange(len(atoms))))
        for rotation, mapped in zip(symmetry.rotations, symmetry.symm_map, strict=True)
    ]
    return round(sum(traces) / len(traces))


def _maxwell_boltzmann(atoms: Atoms, temperature_K: float, rng: np.random.Generator) -> np.ndarray:
    spread = np.sqrt(atoms.get_masses() * units.kB * temperature_K)
    return spread[:, None] * rng.standard_normal((len(atoms), 3))


def _inertia(atoms: Atoms) -> np.ndarray:
    """Return the tensor of inertia (3, 3) about the center of mass, in u Å²."""
    r = atoms.positions - atoms.get_center_of_mass()
    m = atoms.get_masses()
    return np.sum(m * np.sum(r**2, axis=1)) * np.eye(3) - np.einsum("i,ia,ib->ab", m, r, r)


def _rotational_degrees_of_freedom(atoms: Atoms) -> int:
    """Return the number of rotations: 3, 2 for a linear molecule, 0 for an atom."""
    moments = np.linalg.eigvalsh(_inertia(atoms))
    return int(np.count_nonzero(moments > NO_INERTIA * max(moments[-1], 1e-12)))


def _angular_velocity(atoms: Atoms) -> np.ndarray:
    """Return the angular velocity of overall rotation; zero about the axis of a linear molecule."""
    r = atoms.positions - atoms.get_center_of_mass()
    angular_momentum = np.cross(r, atoms.get_momenta()).sum(axis=0)
    return np.linalg.pinv(_inertia(atoms), rcond=NO_INERTIA, hermitian=True) @ angular_momentum


def _without_rotation(atoms: Atoms) -> np.ndarray:
    """Return the momenta (N, 3) without overall rotation."""
    r = atoms.positions - atoms.get_center_of_mass()
    rotation = np.cross(_angular_velocity(atoms), r)
    return atoms.get_momenta() - atoms.get_masses()[:, None] * rotation


def _rotates(atoms: Atoms) -> bool:
    """Return whether overall rotation is a significant part of the kinetic energy."""
    omega = _angular_velocity(atoms)
    return 0.5 * omega @ _inertia(atoms) @ omega > 1e-6 * atoms.get_kinetic_energy()

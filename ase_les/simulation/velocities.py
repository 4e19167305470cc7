"""The velocities atoms start with, and the degrees of freedom a temperature refers to."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from ase import Atoms, units
from ase.constraints import FixCom

NO_INERTIA = 1e-8
"""Part of the largest moment of inertia below which a molecule counts as linear."""


class Start(NamedTuple):
    """Atoms ready to move."""

    atoms: Atoms
    """With velocities and without calculator."""
    degrees_of_freedom: int
    notes: tuple[str, ...]
    """What was done to the structure, to be told and recorded."""


def prepare_motion(
    atoms: Atoms,
    temperature_K: float | None,
    rng: np.random.Generator,
    rotation_is_conserved: bool,
) -> Start:
    """Give a structure velocities if it has none, and hold its centre of mass if it is free.

    Parameters
    ----------
    atoms : Atoms
        Not changed.
    temperature_K : float or None
        Of the Maxwell–Boltzmann distribution, where velocities are needed.
    rng : numpy.random.Generator
        Source of the velocities.
    rotation_is_conserved : bool
        Whether the dynamics to come keep an isolated system from beginning to rotate.

    Raises
    ------
    ValueError
        If velocities are needed but no temperature is given, or if nothing can move.
    """
    moving = atoms.copy()
    notes = []
    free = not moving.constraints
    isolated = free and not moving.pbc.any()
    if free:
        # Noise and summation errors would otherwise set the whole system drifting, and velocity
        # rescaling would feed that drift.
        moving.set_constraint(FixCom())
        notes.append("centre of mass held in place (the structure has no constraints)")
    if np.any(moving.get_momenta()):
        # Setting them again lets constraints act on them.
        moving.set_momenta(moving.get_momenta())
    elif temperature_K is None:
        raise ValueError(
            "the structure has no velocities: give `temperature_K` to draw them, or a structure "
            "that has them"
        )
    else:
        moving.set_momenta(_maxwell_boltzmann(moving, temperature_K, rng))
        if isolated:
            moving.set_momenta(_without_rotation(moving))
        notes.append(
            f"velocities drawn from the Maxwell–Boltzmann distribution at {temperature_K:g} K"
            + (", overall rotation removed" if isolated else "")
        )
    degrees_of_freedom = moving.get_number_of_degrees_of_freedom()
    if isolated and rotation_is_conserved and not _rotates(moving):
        degrees_of_freedom -= _rotational_degrees_of_freedom(moving)
    if degrees_of_freedom <= 0:
        raise ValueError(
            f"nothing can move: {len(moving)} atoms have no degree of freedom left once "
            "constraints and overall motion are taken away"
        )
    return Start(moving, int(degrees_of_freedom), tuple(notes))


def _maxwell_boltzmann(atoms: Atoms, temperature_K: float, rng: np.random.Generator) -> np.ndarray:
    spread = np.sqrt(atoms.get_masses() * units.kB * temperature_K)
    return spread[:, None] * rng.standard_normal((len(atoms), 3))


def _inertia(atoms: Atoms) -> np.ndarray:
    """(3, 3) tensor of inertia about the centre of mass, in u Å²."""
    r = atoms.positions - atoms.get_center_of_mass()
    m = atoms.get_masses()
    return np.sum(m * np.sum(r**2, axis=1)) * np.eye(3) - np.einsum("i,ia,ib->ab", m, r, r)


def _rotational_degrees_of_freedom(atoms: Atoms) -> int:
    """3, 2 for a linear molecule, 0 for an atom."""
    moments = np.linalg.eigvalsh(_inertia(atoms))
    return int(np.count_nonzero(moments > NO_INERTIA * max(moments[-1], 1e-12)))


def _angular_velocity(atoms: Atoms) -> np.ndarray:
    """Of the rigid rotation with the same angular momentum; none about a linear axis."""
    r = atoms.positions - atoms.get_center_of_mass()
    angular_momentum = np.cross(r, atoms.get_momenta()).sum(axis=0)
    return np.linalg.pinv(_inertia(atoms), rcond=NO_INERTIA, hermitian=True) @ angular_momentum


def _without_rotation(atoms: Atoms) -> np.ndarray:
    """(N, 3) momenta without their overall rotation."""
    r = atoms.positions - atoms.get_center_of_mass()
    rotation = np.cross(_angular_velocity(atoms), r)
    return atoms.get_momenta() - atoms.get_masses()[:, None] * rotation


def _rotates(atoms: Atoms) -> bool:
    """Whether a noticeable part of the kinetic energy is overall rotation."""
    omega = _angular_velocity(atoms)
    return 0.5 * omega @ _inertia(atoms) @ omega > 1e-6 * atoms.get_kinetic_energy()

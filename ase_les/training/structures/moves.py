"""Moves that generate structures from one: noise, strain, displacement, dissociation, rotation.

Every move is a dataclass of settings with one method. Structures with colliding atoms are rejected
and drawn again.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Annotated, Literal, Protocol

import numpy as np
from ase import Atoms, units
from ase.calculators.abc import GetPropertiesMixin
from ase.data import covalent_radii
from ase.neighborlist import neighbor_list
from scipy.linalg import expm
from scipy.spatial.transform import Rotation

from ase_les.configuration import (
    Count,
    Element,
    Interval,
    MinLen,
    Number,
    Unit,
    configuration,
)

COVALENT_FRACTION = 0.6
"""Fraction of the sum of covalent radii below which atoms collide."""

Atom = Annotated[int, Interval(ge=0, le=10**9)]
Length = Annotated[float, Interval(ge=0, le=1000), Unit("Å")]
Angle = Annotated[float, Interval(ge=0, le=3600), Unit("°")]
Ratio = Annotated[float, Interval(gt=0, le=100)]
Temperature = Annotated[float, Interval(gt=0, le=1e6), Unit("K")]
Fragment = Annotated[tuple[Atom, ...], MinLen(1)]

MAX_ATTEMPTS = 20
"""Maximum number of attempts to draw a structure without collisions."""


class Move(Protocol):
    """Move that generates structures from one."""

    @property
    def kind(self) -> str:
        """Return the name of the move in recipes."""

    def sampled(
        self, atoms: Atoms, rng: np.random.Generator, calculator: GetPropertiesMixin | None
    ) -> list[Atoms]:
        """Return new structures without collisions; fewer than requested if attempts fail."""


@configuration
class Rattle:
    """Gaussian noise on all positions.

    Parameters
    ----------
    structures : int
        Number of structures.
    stdev_A : float
        Standard deviation of every coordinate.
    """

    structures: Count = 10
    stdev_A: Length = 0.1
    kind: Literal["rattle"] = "rattle"

    def sampled(self, atoms, rng, calculator=None):
        """See `Move`."""

        def draw() -> Atoms:
            moved = bare(atoms)
            moved.positions += rng.normal(0.0, self.stdev_A, (len(atoms), 3))
            return moved

        return _without_collisions(draw, self.structures)


@configuration
class Strain:
    r"""Evenly spaced volumes, each with a random volume-conserving shear.

    .. math::
        F = s^{1/d} \exp(\gamma), \qquad \gamma = \gamma^T, \quad \mathrm{tr}\,\gamma = 0

    With two periodic directions the plane is strained: s is its area.

    =================  ============================================
    Symbol             Code
    =================  ============================================
    :math:`s`          from ``volume``
    :math:`\gamma`     entries of standard deviation ``shear``
    :math:`d`          number of periodic directions
    =================  ============================================

    Parameters
    ----------
    structures : int
        Number of structures.
    volume : pair of float
        First and last volume relative to that of the structure.
    shear : float
        Standard deviation of the entries of the shear.
    stdev_A : float
        Standard deviation of additional noise on all positions.
    """

    structures: Count = 10
    volume: tuple[Ratio, Ratio] = (0.9, 1.1)
    shear: Annotated[float, Interval(ge=0, le=10)] = 0.03
    stdev_A: Length = 0.0
    kind: Literal["strain"] = "strain"

    def sampled(self, atoms, rng, calculator=None):
        """See `Move`."""
        if not atoms.pbc.any():
            raise ValueError("strain needs a periodic direction, pbc is [False, False, False]")
        # Orthonormal basis of the space spanned by the periodic vectors.
        basis = np.linalg.qr(atoms.cell.array[atoms.pbc].T)[0]
        dimensions = basis.shape[1]
        found = []
        for ratio in np.linspace(*self.volume, self.structures):

            def draw(ratio=ratio) -> Atoms:
                gamma = rng.normal(0.0, self.shear, (dimensions, dimensions))
                gamma = 0.5 * (gamma + gamma.T)
                gamma -= np.trace(gamma) / dimensions * np.eye(dimensions)
                inner = ratio ** (1 / dimensions) * expm(gamma)
                deformation = np.eye(3) + basis @ (inner - np.eye(dimensions)) @ basis.T
                strained = bare(atoms)
                strained.set_cell(strained.cell.array @ deformation)
                strained.positions = strained.positions @ deformation
                strained.positions += rng.normal(0.0, self.stdev_A, (len(atoms), 3))
                return strained

            found += _without_collisions(draw, 1)
        return found


@configuration
class DisplaceIon:
    """Displacement of one atom.

    Parameters
    ----------
    structures : int
        Number of structures.
    distance_A : pair of float
        Shortest and longest displacement; lengths are uniform between, directions isotropic.
    elements : tuple of str
        Elements of the atoms to displace; empty for all.
    """

    structures: Count = 10
    distance_A: tuple[Length, Length] = (0.3, 1.0)
    elements: tuple[Element, ...] = ()
    kind: Literal["displace"] = "displace"

    def sampled(self, atoms, rng, calculator=None):
        """See `Move`."""
        movable = [
            i for i, s in enumerate(atoms.symbols) if not self.elements or s in self.elements
        ]
        if not movable:
            raise ValueError(f"{atoms.symbols} has no atoms of `elements` {list(self.elements)}")

        def draw() -> Atoms:
            moved = bare(atoms)
            direction = rng.standard_normal(3)
            length = rng.uniform(*self.distance_A)
            moved.positions[rng.choice(movable)] += length * direction / np.linalg.norm(direction)
            return moved

        return _without_collisions(draw, self.structures)


@configuration
class Dissociate:
    """Displacement of a fragment as a rigid body.

    Parameters
    ----------
    fragment : tuple of int
        Its atoms.
    distances_A : tuple of float
        Displacements; negative values are towards the rest.
    axis : tuple of 3 float, or None
        Direction; None uses that from the center of mass of the rest to that of the fragment.
    stdev_A : float
        Standard deviation of additional noise on all positions.
    """

    fragment: Fragment
    distances_A: Annotated[
        tuple[Annotated[float, Interval(ge=-1000, le=1000), Unit("Å")], ...], MinLen(1)
    ] = (0.5, 1.0, 2.0, 3.0, 4.0, 6.0)
    axis: tuple[Number, Number, Number] | None = None
    stdev_A: Length = 0.0
    kind: Literal["dissociate"] = "dissociate"

    def sampled(self, atoms, rng, calculator=None):
        """See `Move`."""
        chosen = np.zeros(len(atoms), dtype=bool)
        chosen[_fragment(self.fragment, atoms)] = True
        if chosen.all():
            raise ValueError(
                "`fragment` contains all atoms; remove some to dissociate it from the rest"
            )
        axis = self.axis
        if axis is None:
            axis = atoms[chosen].get_center_of_mass() - atoms[~chosen].get_center_of_mass()
        length = np.linalg.norm(axis)
        if length < 1e-6:
            raise ValueError("the centers of mass of fragment and rest coincide; specify an `axis`")
        found = []
        for distance in self.distances_A:

            def draw(distance=distance) -> Atoms:
                moved = bare(atoms)
                moved.positions[chosen] += distance * np.asarray(axis) / length
                moved.positions += rng.normal(0.0, self.stdev_A, (len(atoms), 3))
                return moved

            found += _without_collisions(draw, 1)
        return found


@configuration
class MoveFragment:
    """Shift, rotation and scaling of a fragment, such as a molecule on a surface.

    Parameters
    ----------
    fragment : tuple of int
        Its atoms; rotation and scaling are about their centroid.
    structures : int
        Number of structures.
    shift_A : float or tuple of 3 float
        Standard deviation of the shift, along x, y and z.
    turn_degrees : float
        Standard deviation of the rotation angle about a random axis.
    stretch : pair of float
        Range of the scaling factor of all distances within the fragment; uniform.
    stdev_A : float
        Standard deviation of additional noise on all positions.
    """

    fragment: Fragment
    structures: Count = 10
    shift_A: Length | tuple[Length, Length, Length] = 0.2
    turn_degrees: Angle = 15.0
    stretch: tuple[Ratio, Ratio] = (0.95, 1.05)
    stdev_A: Length = 0.0
    kind: Literal["fragment"] = "fragment"

    def sampled(self, atoms, rng, calculator=None):
        """See `Move`."""
        chosen = _fragment(self.fragment, atoms)

        def draw() -> Atoms:
            moved = bare(atoms)
            center, arms = _turned(moved.positions[chosen], rng, self.turn_degrees)
            arms *= rng.uniform(*self.stretch)
            moved.positions[chosen] = center + rng.normal(0.0, self.shift_A, 3) + arms
            moved.positions += rng.normal(0.0, self.stdev_A, (len(atoms), 3))
            return moved

        return _without_collisions(draw, self.structures)


@configuration
class RigidBodies:
    r"""Metropolis Monte Carlo of rigid molecules; all other atoms are fixed.

    .. math::
        p(\text{accepted}) = \min\left(1, e^{-(E_\text{trial} - E) / k_B T}\right)

    Decorrelates structures at far less cost than dynamics, and needs only pair potentials between
    the molecules.

    Parameters
    ----------
    molecules : tuple of tuple of int
        Atoms of each molecule, one for an ion. One molecule is moved at a time.
    structures : int
        Number of structures.
    temperature_K : float
        Temperature.
    stride : int
        Trials per molecule before the first structure that is kept, and between them.
    shift_A : float
        Standard deviation of the shift of a trial along each axis.
    turn_degrees : float
        Standard deviation of the rotation angle of a trial about a random axis.
    stdev_A : float
        Standard deviation of noise on all positions of structures that are kept.
    """

    molecules: Annotated[tuple[Fragment, ...], MinLen(1)]
    structures: Count = 10
    temperature_K: Temperature = 300.0
    stride: Count = 100
    shift_A: Length = 0.2
    turn_degrees: Angle = 20.0
    stdev_A: Length = 0.0
    kind: Literal["rigid-bodies"] = "rigid-bodies"

    def sampled(self, atoms, rng, calculator=None):
        """See `Move`."""
        if calculator is None:
            raise ValueError("rigid bodies need a calculator, such as pair potentials")
        molecules = [_fragment(each, atoms) for each in self.molecules]
        moving = bare(atoms)
        energy = calculator.get_property("energy", moving)
        noise = Rattle(1, self.stdev_A)
        found = []
        for _ in range(self.structures):
            for _ in range(self.stride * len(molecules)):
                trial = moving.copy()
                chosen = molecules[rng.integers(len(molecules))]
                center, arms = _turned(trial.positions[chosen], rng, self.turn_degrees)
                trial.positions[chosen] = center + rng.normal(0.0, self.shift_A, 3) + arms
                if collision(trial) is not None:
                    continue
                trial_energy = calculator.get_property("energy", trial)
                rise = max(trial_energy - energy, 0.0)
                if rng.uniform() < np.exp(-rise / (units.kB * self.temperature_K)):
                    moving, energy = trial, trial_energy
            found += noise.sampled(moving, rng)
        return found


def collision(atoms: Atoms) -> str | None:
    """Describe the atoms closer than 0.6 of the sum of their covalent radii, if any.

    Periodic images are included.
    """
    radii = COVALENT_FRACTION * covalent_radii[atoms.numbers]
    first, second, distance = neighbor_list("ijd", atoms, list(radii))
    if not len(first):
        return None
    excess = radii[first] + radii[second] - distance
    i, j = int(first[excess.argmax()]), int(second[excess.argmax()])
    return (
        f"atoms {i} ({atoms.symbols[i]}) and {j} ({atoms.symbols[j]}) collide: they are "
        f"{distance[excess.argmax()]:.3f} Å apart, closer than {radii[i] + radii[j]:.3f} Å"
    )


def _without_collisions(draw, structures: int) -> list[Atoms]:
    found = []
    for _ in range(structures):
        for _ in range(MAX_ATTEMPTS):
            candidate = draw()
            if collision(candidate) is None:
                found.append(candidate)
                break
    return found


def _fragment(fragment: Sequence[int], atoms: Atoms) -> list[int]:
    if not fragment or not all(0 <= i < len(atoms) for i in fragment):
        raise ValueError(f"`fragment` must name atoms 0 to {len(atoms) - 1}, got {list(fragment)}")
    return list(fragment)


def _turned(positions, rng, turn_degrees) -> tuple[np.ndarray, np.ndarray]:
    """Return the centroid, and positions relative to it after a random rotation."""
    center = positions.mean(axis=0)
    axis = rng.standard_normal(3)
    turn = np.radians(rng.normal(0.0, turn_degrees)) * axis / np.linalg.norm(axis)
    return center, Rotation.from_rotvec(turn).apply(positions - center)


def repeated(atoms: Atoms, repeat: Sequence[int]) -> Atoms:
    """Repeat a structure along its periodic directions, with its total charge."""
    numbers = [n if periodic else 1 for n, periodic in zip(repeat, atoms.pbc, strict=True)]
    result = atoms.repeat(numbers)
    result.info = dict(atoms.info)
    if result.info.get("charge"):
        result.info["charge"] *= prod(numbers)
    return result


def bare(atoms: Atoms) -> Atoms:
    """Return a copy with only the structure, charge and spin."""
    state = {name: atoms.info[name] for name in ("charge", "spin") if name in atoms.info}
    return Atoms(
        numbers=atoms.numbers,
        positions=atoms.positions,
        cell=atoms.cell,
        pbc=atoms.pbc,
        info=state,
    )

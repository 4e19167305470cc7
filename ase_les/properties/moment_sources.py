r"""Sources of the change of the dipole moment with atomic displacements.

==============  ====================================================================================
Source          Change of moment
==============  ====================================================================================
"dipole"        ASE's ``dipole`` (all components for a finite structure, the normal component for a
                slab), or ``calculator.get_cell_dipole(atoms)`` (`LESCalculator` with locally
                conserved charge): all components for all boundary conditions
"polarization"  ASE's ``polarization`` times volume: components along periodic directions. It is
                defined up to :math:`e` times lattice vectors over the volume; the difference is
                taken on the branch nearest to zero
"current"       ``calculator.get_current(atoms)`` for a velocity along the displacement, integrated
                from :math:`-h` to :math:`+h` with two Gauss points: no branches
"charges"       changes of the charges around the displaced atom
==============  ====================================================================================

Changes of charge
-----------------
These are used if charges depend on their environment but do not define a dipole: equilibrated
charges, charges whose excess is distributed evenly, and calculators that give only ``charges``. One
atom is displaced in a repeated cell that is so large that every vector :math:`\mathbf{d}_{ij}` to
an atom whose charge changes is unique. In periodic directions

.. math::
    Z^*_{i,\alpha\beta} = q_i\,\delta_{\alpha\beta} + \sum_j d_{ij,\alpha}
        \frac{\Delta q_j - s}{2h}

where :math:`s` is the even shift common to all atoms beyond the range, which carries no current and
is omitted, as in `ase_les.response`. It is checked that these atoms have the same shift. Along the
normal of a slab the shift is included: the dipole is :math:`\sum_j q_j z_j` about a fixed plane
through the center of mass.

References
----------
.. [1] R. D. King-Smith and D. Vanderbilt, Phys. Rev. B 47, 1651 (1993).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from ase import Atoms, units
from ase.geometry import find_mic

from ase_les.runs.record import Results

SIGNS = (1, -1)
AXES = "xyz"

# Range in Å of charge changes around a displaced atom, for calculators without `charge_reach_A`.
_DEFAULT_REACH_A = 10.0
# Largest accepted error of a Born charge in e, estimated from charges beyond the range.
_LARGEST_ERROR_E = 1e-3
# Two Gauss–Legendre points in [−1, 1], exact to third order.
_GAUSS = 1 / 3**0.5
# Attempts to enlarge the repeated cell until an atom is beyond the range.
_MAX_ENLARGEMENTS = 4


class Source(Protocol):
    """Source of the change of moment.

    ``what`` is the property of the calculator, see `ase_les.runs.evaluations.evaluate_structures`.
    """

    @property
    def what(self) -> str:
        """Property of the calculator."""

    def structures(self, atoms: Atoms, chosen: Sequence[int], step_A: float) -> dict[str, Atoms]:
        """Return the structures to evaluate, by `step_name`."""

    def slope(
        self, atoms: Atoms, index: int, results: Mapping[str, Results], step_A: float
    ) -> np.ndarray:
        """Return the derivative (3, 3) in e, [moment, displacement], for one atom."""


def displaced(atoms: Atoms, chosen: Sequence[int], displacement_A: float) -> dict[str, Atoms]:
    """Return copies with one atom displaced by ±h along x, y or z, by `step_name`."""
    structures = {}
    for index in chosen:
        for axis in range(3):
            for sign in SIGNS:
                moved = atoms.copy()
                moved.positions[index, axis] += sign * displacement_A
                structures[step_name(index, axis, sign)] = moved
    return structures


def step_name(index: int, axis: int, sign: int) -> str:
    """Return the name of a displacement, such as ``atom 3 +x``."""
    return f"atom {index} {'+' if sign > 0 else '-'}{AXES[axis]}"


def moment_slope(
    atoms: Atoms, index: int, results: Mapping[str, Results], displacement_A: float, what: str
) -> np.ndarray:
    """Return the derivative (3, 3) of a moment in e, [moment, displacement].

    Parameters
    ----------
    index : int
        Displaced atom.
    results : mapping of str to mapping of str to array
        Results of the structures of `displaced`.
    what : str
        Property: "dipole", "cell_dipole" or "polarization".
    """
    scale = atoms.get_volume() if what == "polarization" else 1.0
    columns = []
    for axis in range(3):
        plus, minus = (scale * results[step_name(index, axis, sign)][what] for sign in SIGNS)
        change = plus - minus
        if what == "polarization":
            change = _nearest_branch(change, atoms)
        columns.append(change / (2 * displacement_A))
    return np.column_stack(columns)


@dataclass(frozen=True)
class MomentSource:
    """Moment of the structure with one atom displaced."""

    what: str

    def structures(self, atoms: Atoms, chosen: Sequence[int], step_A: float) -> dict[str, Atoms]:
        """Return the displaced structures."""
        return displaced(atoms, chosen, step_A)

    def slope(
        self, atoms: Atoms, index: int, results: Mapping[str, Results], step_A: float
    ) -> np.ndarray:
        """Return the central difference of the moment."""
        return moment_slope(atoms, index, results, step_A, self.what)


@dataclass(frozen=True)
class CurrentSource:
    """Current of an atom moving with unit velocity, at Gauss points of the displacement."""

    what: str = "current"

    def structures(self, atoms: Atoms, chosen: Sequence[int], step_A: float) -> dict[str, Atoms]:
        """Return the displaced structures with velocities."""
        structures = displaced(atoms, chosen, _GAUSS * step_A)
        for name, moving in structures.items():
            index, axis = int(name.split()[1]), AXES.index(name[-1])
            velocities = np.zeros((len(atoms), 3))
            velocities[index, axis] = 1.0 / units.fs
            moving.set_constraint()
            moving.set_velocities(velocities)
        return structures

    def slope(
        self, atoms: Atoms, index: int, results: Mapping[str, Results], step_A: float
    ) -> np.ndarray:
        """Return the mean current per velocity."""
        columns = [
            np.mean([results[step_name(index, axis, sign)][self.what] for sign in SIGNS], axis=0)
            for axis in range(3)
        ]
        return np.column_stack(columns)


@dataclass(frozen=True)
class ChargesSource:
    """Changes of the charges around the displaced atom in a repeated cell.

    Parameters
    ----------
    what : str
        Property: "charges" or "local_charges".
    repeats : tuple of int
        Repeats along the cell vectors.
    reach_A : float
        Range of charge changes in Å.
    factor : array, shape (3, 3)
        Factor between the charges and physical ones.
    """

    what: str
    repeats: tuple[int, int, int]
    reach_A: float
    factor: np.ndarray

    @classmethod
    def for_structure(cls, atoms: Atoms, what: str, reach_A: float | None) -> ChargesSource:
        """Return the source for a structure; by default with the range of its calculator."""
        calculator: Any = atoms.calc
        if reach_A is None:
            reach_A = getattr(calculator, "charge_reach_A", _DEFAULT_REACH_A)
        factor = np.eye(3)
        if what == "local_charges":
            factor = calculator.get_charge_factor(atoms)
        return cls(what, _repeats(atoms, reach_A), float(reach_A), factor)

    def structures(self, atoms: Atoms, chosen: Sequence[int], step_A: float) -> dict[str, Atoms]:
        """Return displaced supercells; the first copy of the cell keeps its indices."""
        return displaced(atoms * self.repeats, chosen, step_A)

    def slope(
        self, atoms: Atoms, index: int, results: Mapping[str, Results], step_A: float
    ) -> np.ndarray:
        """Return the first moment of the charge changes, see the equation of this module."""
        large = atoms * self.repeats
        vectors = large.positions - large.positions[index]
        if atoms.pbc.any():
            vectors = find_mic(vectors, large.cell, large.pbc)[0]
        periodic = _periodic_directions(atoms)
        # The dipole of a slab refers to a fixed plane, the dipole of a molecule to a fixed point.
        fixed = large.positions - atoms.get_center_of_mass()
        out_of_reach = np.linalg.norm(vectors, axis=1) > self.reach_A
        columns = []
        for axis in range(3):
            plus, minus = (results[step_name(index, axis, sign)][self.what] for sign in SIGNS)
            change = (plus - minus) / (2 * step_A)
            shift = change[out_of_reach].mean() if out_of_reach.any() else 0.0
            self._check(change[out_of_reach] - shift, index)
            column = 0.5 * (plus[index] + minus[index]) * np.eye(3)[axis]
            column = column + periodic @ ((change - shift) @ vectors)
            columns.append(column + (np.eye(3) - periodic) @ (change @ fixed))
        return self.factor @ np.column_stack(columns)

    def _check(self, residual: np.ndarray, index: int) -> None:
        error = self.reach_A * np.linalg.norm(residual)
        if error > _LARGEST_ERROR_E:
            raise ValueError(
                f"charges farther than {self.reach_A:g} Å from atom {index} change by different "
                f"amounts when it is displaced; its Born charge would be wrong by about {error:.1g}"
                " e. Use a larger `reach_A`, or a calculator in double precision"
            )


def _periodic_directions(atoms: Atoms) -> np.ndarray:
    """Return the projector (3, 3) on the space of the periodic cell vectors."""
    periodic = atoms.cell.array[atoms.pbc]
    return np.linalg.pinv(periodic) @ periodic if len(periodic) else np.zeros((3, 3))


def _repeats(atoms: Atoms, reach_A: float) -> tuple[int, int, int]:
    """Return repeats for which each atom within range occurs once and others are out of range."""
    periodic = atoms.cell.array[atoms.pbc]
    if len(periodic) == 0:
        return (1, 1, 1)
    spacings = 1 / np.linalg.norm(np.linalg.pinv(periodic), axis=0)
    counts = np.ones(3, dtype=int)
    counts[atoms.pbc] = np.ceil(2 * reach_A / spacings).astype(int)
    for _ in range(_MAX_ENLARGEMENTS):
        large = atoms * (int(counts[0]), int(counts[1]), int(counts[2]))
        vectors = find_mic(large.positions - large.positions[0], large.cell, large.pbc)[1]
        if vectors.max() > 1.05 * reach_A:
            break
        counts[atoms.pbc] += 1
    return int(counts[0]), int(counts[1]), int(counts[2])


def _nearest_branch(change: np.ndarray, atoms: Atoms) -> np.ndarray:
    """Return a change of moment on the branch nearest to zero."""
    periodic = atoms.cell.array[atoms.pbc]
    if len(periodic) == 0:
        return change
    branch = np.round(change @ np.linalg.pinv(periodic))
    return change - branch @ periodic

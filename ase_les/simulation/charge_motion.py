r"""The motion of charge: current and dipole, measured while atoms move.

.. math::
    \mathbf{J} = \sum_i Z^*_i \mathbf{v}_i = \frac{d\mathbf{M}}{dt}, \qquad
    \mathbf{M} = V\,\mathbf{P}

======================  ==========================================================
Symbol                  Meaning
======================  ==========================================================
:math:`\mathbf{J}`      current in e Å/fs
:math:`Z^*_i`           Born charges (3, 3) in e, [polarization, displacement]
:math:`\mathbf{M}`      itinerant dipole in e Å: it follows atoms out of the cell
:math:`\mathbf{P}`      polarization in e/Å²
======================  ==========================================================
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Protocol

import numpy as np
from ase import Atoms, units
from ase.calculators.calculator import PropertyNotImplementedError

# Of a quantum: which way it flowed can no longer be told.
_NEARLY_HALF = 0.4


class Measured(Protocol):
    """A quantity whose values at several times make a series."""

    columns: Mapping[str, tuple[int, ...]]

    def measure(self, atoms: Atoms) -> np.ndarray: ...

    def state(self) -> dict[str, np.ndarray]:
        """What later values depend on."""
        ...

    def restore(self, state: Mapping[str, np.ndarray]) -> None: ...


class Current:
    """:math:`\\sum_i Z^*_i v_i` in e Å/fs. Costs the Born charges whenever it is asked for, unless
    the calculator knows a shorter way, a method ``get_current(atoms)``.

    Raises
    ------
    ValueError
        If the calculator has no Born charges.
    """

    columns: Mapping[str, tuple[int, ...]] = {"current_eA_per_fs": (3,)}

    def __init__(self, atoms: Atoms) -> None:
        _demand(atoms, "born_effective_charges", "the current")

    def measure(self, atoms: Atoms) -> np.ndarray:
        if hasattr(atoms.calc, "get_current"):
            return atoms.calc.get_current(atoms)
        born = atoms.calc.get_property("born_effective_charges", atoms)
        return np.einsum("iab,ib->a", born, atoms.get_velocities() * units.fs)

    def state(self) -> dict[str, np.ndarray]:
        return {}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        pass


class ItinerantDipole:
    r"""Dipole (no periodic direction) or volume times polarization (three), in e Å.

    A polarization of wave functions is defined up to quanta :math:`e\mathbf{a}_k/V`; of all values
    the one next to that of the last measurement is taken, so that the series has no jumps as long
    as less than half a quantum flows between two measurements. One of charges at positions that
    nobody wraps has no quanta and is taken as it is: a calculator says so by an attribute
    ``polarization_follows_positions``.

    Raises
    ------
    ValueError
        If the calculator has neither quantity, or the structure is a slab or a wire.
    """

    columns: Mapping[str, tuple[int, ...]] = {"dipole_eA": (3,)}

    def __init__(self, atoms: Atoms) -> None:
        if atoms.pbc.any() and not atoms.pbc.all():
            raise ValueError(
                f"the dipole needs no or three periodic directions, pbc is {atoms.pbc.tolist()}: "
                "a slab has none along its plane. Observe the current; its integral is the change"
            )
        _demand(atoms, "polarization" if atoms.pbc.all() else "dipole", "the dipole")
        self._follows_positions = getattr(atoms.calc, "polarization_follows_positions", False)
        self._last: np.ndarray | None = None

    def measure(self, atoms: Atoms) -> np.ndarray:
        if not atoms.pbc.any():
            return np.array(atoms.calc.get_property("dipole", atoms))
        dipole = atoms.calc.get_property("polarization", atoms) * atoms.cell.volume
        if self._last is not None and not self._follows_positions:
            dipole = _on_the_branch_of(self._last, dipole, atoms)
        self._last = dipole
        return dipole

    def state(self) -> dict[str, np.ndarray]:
        return {} if self._last is None else {"last": self._last}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        self._last = state.get("last")


def _on_the_branch_of(last: np.ndarray, dipole: np.ndarray, atoms: Atoms) -> np.ndarray:
    """Of all values of a dipole, quanta apart, the one next to the last."""
    flown = np.linalg.solve(atoms.cell.array.T, dipole - last)
    quanta = np.rint(flown)
    if np.abs(flown - quanta).max() > _NEARLY_HALF:
        warnings.warn(
            "nearly half a quantum of polarization flowed between two measurements, so that the "
            "recorded dipole may be off by a whole one from here on. Observe it more often, or the "
            "current, whose integral is the change",
            stacklevel=2,
        )
    return dipole - quanta @ atoms.cell.array


def electronic_dielectric(atoms: Atoms) -> np.ndarray | None:
    """The tensor (3, 3) whose square root the calculator's moments contain; None if unknown."""
    if "dielectric_tensor" not in getattr(atoms.calc, "implemented_properties", ()):
        return None
    try:
        return np.array(atoms.calc.get_property("dielectric_tensor", atoms))
    except PropertyNotImplementedError:
        return None


def _demand(atoms: Atoms, name: str, wanted: str) -> None:
    if name not in getattr(atoms.calc, "implemented_properties", ()):
        raise ValueError(
            f"{wanted} needs the property '{name}', which {type(atoms.calc).__name__} does not "
            "give for this model; leave it out of what is observed"
        )

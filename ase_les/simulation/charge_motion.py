r"""Current, dipole and polarizability during a dynamics run.

.. math::
    \mathbf{J} = \sum_i Z^*_i \mathbf{v}_i = \frac{d\mathbf{M}}{dt}, \qquad
    \mathbf{M} = V\,\mathbf{P}

======================  ==========================================================
Symbol                  Meaning
======================  ==========================================================
:math:`\mathbf{J}`      current in e Å/fs
:math:`Z^*_i`           Born charges (3, 3) in e, [polarization, displacement]
:math:`\mathbf{M}`      itinerant dipole in e Å, which follows atoms across cell faces
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

from ase_les.calculator_extensions import supports
from ase_les.simulation.states import Stateless

# Deviation from a whole number of quanta above which the branch of the polarization is ambiguous.
_AMBIGUOUS_QUANTA = 0.4


class Measured(Protocol):
    """Quantity that is recorded as a time series."""

    columns: Mapping[str, tuple[int, ...]]

    def measure(self, atoms: Atoms) -> np.ndarray:
        """Return the present value."""
        ...

    def state(self) -> dict[str, np.ndarray]:
        """Return the state that later values depend on."""
        ...

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Restore a state returned by `state`."""
        ...


class Current(Stateless):
    r"""Current :math:`\sum_i Z^*_i v_i` in e Å/fs.

    Uses the calculator's method ``get_current(atoms)`` if there is one, else the Born charges.

    Raises
    ------
    ValueError
        If the calculator has no Born charges.
    """

    columns: Mapping[str, tuple[int, ...]] = {"current_eA_per_fs": (3,)}

    def __init__(self, atoms: Atoms) -> None:
        _require_property(atoms, "born_effective_charges", "the current")

    def measure(self, atoms: Atoms) -> np.ndarray:
        """Return the current in e Å/fs, shape (3,)."""
        if hasattr(atoms.calc, "get_current"):
            return atoms.calc.get_current(atoms)
        born = atoms.calc.get_property("born_effective_charges", atoms)
        return np.einsum("iab,ib->a", born, atoms.get_velocities() * units.fs)


class ItinerantDipole:
    r"""Dipole of a molecule, or volume times polarization of a bulk, in e Å.

    The polarization of a periodic electron density is defined up to quanta
    :math:`e\mathbf{a}_k/V`. The value closest to the previous one is recorded, so that the series
    has no jumps as long as it changes by less than half a quantum between two measurements. The
    polarization of point charges at unwrapped positions has no such ambiguity and is recorded
    unchanged; the calculator declares it by the attribute ``polarization_follows_positions``.

    Raises
    ------
    ValueError
        If the calculator has neither quantity, or the structure is a slab or a wire.
    """

    columns: Mapping[str, tuple[int, ...]] = {"dipole_eA": (3,)}

    def __init__(self, atoms: Atoms) -> None:
        if atoms.pbc.any() and not atoms.pbc.all():
            raise ValueError(
                f"the dipole needs zero or three periodic directions, pbc is {atoms.pbc.tolist()}: "
                "it is not defined along the plane of a slab. Observe the current, whose time "
                "integral is the change of the dipole"
            )
        _require_property(atoms, "polarization" if atoms.pbc.all() else "dipole", "the dipole")
        self._follows_positions = getattr(atoms.calc, "polarization_follows_positions", False)
        self._last: np.ndarray | None = None

    def measure(self, atoms: Atoms) -> np.ndarray:
        """Return the dipole, shape (3,), on the branch of the previous one."""
        if not atoms.pbc.any():
            return np.array(atoms.calc.get_property("dipole", atoms))
        dipole = atoms.calc.get_property("polarization", atoms) * atoms.cell.volume
        if self._last is not None and not self._follows_positions:
            dipole = _closest_branch(self._last, dipole, atoms)
        self._last = dipole
        return dipole

    def state(self) -> dict[str, np.ndarray]:
        """Return the last value, which determines the branch."""
        return {} if self._last is None else {"last": self._last}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Restore a state returned by `state`."""
        self._last = state.get("last")


class Polarizability(Stateless):
    """Electronic polarizability in Å³, for Raman spectra.

    Uses the calculator's method ``get_polarizability(atoms)``.

    Raises
    ------
    ValueError
        If the calculator or its model has no polarizability.
    """

    columns: Mapping[str, tuple[int, ...]] = {"polarizability_A3": (3, 3)}

    def __init__(self, atoms: Atoms) -> None:
        _require_property(atoms, "polarizability", "the polarizability")

    def measure(self, atoms: Atoms) -> np.ndarray:
        """Return the polarizability, shape (3, 3)."""
        return np.array(atoms.calc.get_polarizability(atoms))


def _closest_branch(last: np.ndarray, dipole: np.ndarray, atoms: Atoms) -> np.ndarray:
    """Return the dipole shifted by the quanta that bring it closest to the last one."""
    quanta_change = np.linalg.solve(atoms.cell.array.T, dipole - last)
    quanta = np.rint(quanta_change)
    if np.abs(quanta_change - quanta).max() > _AMBIGUOUS_QUANTA:
        warnings.warn(
            "the polarization changed by nearly half a quantum between two measurements: after "
            "this point, the recorded dipole may be wrong by a quantum. Observe it more often, or "
            "observe the current, whose time integral is the change of the dipole",
            stacklevel=2,
        )
    return dipole - quanta @ atoms.cell.array


def electronic_dielectric(atoms: Atoms) -> np.ndarray | None:
    """Return the dielectric tensor (3, 3) whose square root scales the moments; None if unknown."""
    if not supports(atoms.calc, "dielectric_tensor"):
        return None
    try:
        return np.array(atoms.calc.get_property("dielectric_tensor", atoms))
    except PropertyNotImplementedError:
        return None


def _require_property(atoms: Atoms, name: str, observable: str) -> None:
    if not supports(atoms.calc, name):
        raise ValueError(
            f"{observable} needs the property '{name}', which {type(atoms.calc).__name__} does not "
            "provide for this model; remove it from `observe`"
        )

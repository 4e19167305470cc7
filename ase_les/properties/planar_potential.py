r"""Potential and field of charges averaged over planes, from the Poisson equation.

.. math::
    -\phi''(z) = \frac{4\pi k_e}{s^2} \rho(z), \qquad
    \rho(z) = \frac{1}{A} \sum_i Q_i\, g_s(z - z_i), \qquad E = -\phi'

=====================  ==========================================================================
Symbol                 Meaning
=====================  ==========================================================================
:math:`A`              area of the plane in Å²
:math:`Q_i, z_i`       charge in e, height along the normal in Å
:math:`s`              ratio of physical to latent charges if ``dielectric_tensor`` is recorded
                       with them (`ase_les.screening`), otherwise 1
:math:`g_s`            Gaussian of standard deviation `smearing_A`; a delta function if it is 0
:math:`k_e`            14.3996 eV Å
=====================  ==========================================================================

*Open axis*: field and potential are zero below all charges. Above them, the field is zero if the
charges sum to zero, and the potential is the step :math:`4\pi k_e M/(s^2 A)`, where M is the
dipole.

*Periodic axis*: field and potential are periodic and the mean potential is zero; a net charge is
neutralized by a uniform background.

The charge density is computed from the given charges, which are physical for a Latent Ewald
Summation model; field and potential act on physical charges, :math:`1/s` times those of the
latent charges (derived in `ase_les.properties.slab_electrostatics`). With a smearing equal to the σ
of the model, the potential is that experienced by its charges, which are Gaussians themselves. Only
differences of this potential are meaningful; it does not give an absolute work function.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from ase import Atoms
from scipy.special import erf

from ase_les.arguments import require_one_of, require_positive
from ase_les.properties.atomic_charges import required_charges
from ase_les.screening import recorded_scaling
from ase_les.simulation.accumulators.axis_profile import number_of_bins
from ase_les.simulation.slab_geometry import AXES, area_A2, unit_normal
from ase_les.simulation.states import packed, refuse_other_arguments, refuse_other_atoms, unpacked
from ase_les.statistics import BlockedMean, Estimate
from ase_les.statistics import standard_error as blocked_error
from ase_les.units import COULOMB_CONSTANT

# Waves beyond this reciprocal width are smaller than 1e-14 of the first.
_WIDEST_WAVE = 8.0
_NET_CHARGE = 1e-3


@dataclass(frozen=True)
class PlanarPotentialResult:
    """Averaged profiles with one value per position.

    Attributes
    ----------
    axis : int
    position_A : (bins,) array
        Along the normal, from the origin.
    curves, standard_errors : mapping of str to (bins,) array
        ``charge_e_per_A3``, ``field_V_per_A``, ``potential_V``; errors from block averages, nan
        for fewer than 16 configurations.
    step_V : Estimate
        Potential above minus below; nan for a periodic axis or a net charge.
    net_charge_e : float
        Sum of the given charges.
    n_configurations : int
    charge_scaling : float
        Ratio of physical to latent charges.
    """

    axis: int
    position_A: np.ndarray
    curves: Mapping[str, np.ndarray]
    standard_errors: Mapping[str, np.ndarray]
    step_V: Estimate
    net_charge_e: float
    n_configurations: int
    charge_scaling: float = 1.0


class PlanarPotential:
    """Accumulator of charge, field and potential along the normal of two cell vectors.

    The charge density is computed from the given charges; field and potential are 1/s times those
    of latent charges. Each charge is distributed over the two nearest grid positions, which
    preserves charge and dipole and therefore the step of the potential.

    Parameters
    ----------
    axis : int
        0, 1 or 2: cell vector across the planes. The other two must be periodic.
    bin_A : float
        Grid spacing in Å, rounded so that it divides the height of the cell.
    smearing_A : float
        Standard deviation of the Gaussians in Å; 0 for delta functions.

    Raises
    ------
    ValueError
        If an argument is invalid; in `add`, if there are no charges, an atom is outside of an open
        cell, or atoms, charge scaling or boundary conditions change.
    """

    def __init__(self, axis: int = 2, bin_A: float = 0.1, smearing_A: float = 0.0) -> None:
        require_one_of("axis", axis, (0, 1, 2))
        require_positive("bin_A", bin_A)
        if not (math.isfinite(smearing_A) and smearing_A >= 0):
            raise ValueError(f"`smearing_A` must be at least 0, got {smearing_A}")
        self.axis, self.bin_A, self.smearing_A = axis, float(bin_A), float(smearing_A)
        self._numbers: np.ndarray | None = None

    def _begin(self, numbers: np.ndarray, n_bins: int, periodic: bool, scaling: float) -> None:
        self._numbers = numbers.copy()
        self._scaling = scaling
        self._periodic = periodic
        self._n_bins = n_bins
        self._sheets = BlockedMean((n_bins,))
        # Height of the cell and area of the plane.
        self._extent = BlockedMean((2,), max_blocks=2)

    def add(self, atoms: Atoms) -> None:
        """Add a configuration with charges; it is not modified."""
        normal, height, area = plane(atoms, self.axis)
        periodic = bool(atoms.pbc[self.axis])
        charges = required_charges(atoms)
        scaling = recorded_scaling(atoms)
        if self._numbers is None:
            n_bins = number_of_bins(height, self.bin_A)
            self._begin(atoms.numbers, n_bins, periodic, scaling)
        else:
            refuse_other_atoms(self._numbers, atoms.numbers)
        if not math.isclose(scaling, self._scaling, rel_tol=1e-9):
            raise ValueError(
                f"the charges are {scaling:g} times the latent ones in this configuration and "
                f"{self._scaling:g} times in earlier ones; average only runs with one dielectric "
                "constant"
            )
        if periodic != self._periodic:
            raise ValueError(f"pbc changed to {atoms.pbc.tolist()} within one trajectory")
        n_bins = self._n_bins
        # In units of bins, relative to the center of the first bin.
        place = (atoms.positions * normal).sum(axis=1) / height * n_bins - 0.5
        lower = np.floor(place).astype(int)
        if not periodic and (lower.min() < 0 or lower.max() + 1 >= n_bins):
            outside = np.count_nonzero((lower < 0) | (lower + 1 >= n_bins))
            raise ValueError(
                f"{outside} atoms are outside of the cell along its open axis, but the potential "
                "needs all charges: enlarge the cell with atoms.center(vacuum=5, axis=...) or "
                "center the film (center_on)"
            )
        share = place - lower
        sheets = np.bincount(lower % n_bins, charges * (1 - share), n_bins)
        sheets += np.bincount((lower + 1) % n_bins, charges * share, n_bins)
        self._sheets.add(sheets)
        self._extent.add(np.array([height, area]))

    def state(self) -> dict[str, np.ndarray]:
        """Return the state for checkpoints."""
        state = {"arguments": np.array(repr(self))}
        if self._numbers is not None:
            state |= {"numbers": self._numbers.copy(), "periodic": np.array(self._periodic)}
            state["scaling"] = np.array(self._scaling)
            state |= packed({"sheets": self._sheets.state(), "extent": self._extent.state()})
        return state

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Restore the state of an accumulator with the same arguments."""
        refuse_other_arguments(repr(self), state["arguments"])
        self._numbers = None
        if "numbers" in state:
            n_bins = len(state["sheets.unfinished"])
            # States of earlier versions contain latent charges.
            scaling = float(state.get("scaling", 1.0))
            self._begin(np.array(state["numbers"]), n_bins, bool(state["periodic"]), scaling)
            self._sheets.restore(unpacked(state, "sheets"))
            self._extent.restore(unpacked(state, "extent"))

    def result(self) -> PlanarPotentialResult:
        """Return the averages.

        Raises
        ------
        ValueError
            If no configuration was added.
        """
        if self._numbers is None:
            raise ValueError("no configuration has been added")
        height, area = self._extent.mean
        mean, blocks = self._sheets.mean, self._sheets.blocks
        position = (np.arange(len(mean)) + 0.5) / len(mean) * height
        kernels = _kernels(position, height, self.smearing_A, self._periodic, self._scaling)
        curves, errors = {}, {}
        for name, (factor, kernel) in kernels.items():
            curves[name] = factor / area * (kernel @ mean)
            errors[name] = blocked_error(factor / area * (blocks @ kernel.T))
        net = float(mean.sum())
        step = Estimate(math.nan, math.nan)
        if not self._periodic and abs(net / self._scaling) < _NET_CHARGE:
            per_dipole = 4 * math.pi * COULOMB_CONSTANT / (self._scaling**2 * area)
            error = float(blocked_error(blocks @ position))
            step = Estimate(per_dipole * float(mean @ position), per_dipole * error)
        return PlanarPotentialResult(
            axis=self.axis,
            position_A=position,
            curves=curves,
            standard_errors=errors,
            step_V=step,
            net_charge_e=net,
            n_configurations=self._sheets.n_samples,
            charge_scaling=self._scaling,
        )

    def __repr__(self) -> str:
        return (
            f"PlanarPotential(axis={self.axis}, bin_A={self.bin_A}, smearing_A={self.smearing_A})"
        )


def plane(atoms: Atoms, axis: int) -> tuple[np.ndarray, float, float]:
    """Return the unit normal along a cell vector, the cell height along it and the plane's area.

    Raises
    ------
    ValueError
        If the plane is not periodic, or the cell has no volume.
    """
    across = [(axis + 1) % 3, (axis + 2) % 3]
    if not atoms.pbc[across].all():
        raise ValueError(
            f"a profile along cell vector {axis} averages over the other two, which must be "
            f"periodic; pbc is {atoms.pbc.tolist()}"
        )
    if not atoms.cell.volume > 0:
        raise ValueError(
            f"a profile needs a cell with a volume, got {atoms.cell.tolist()}: set the missing "
            "vector, for example with atoms.center(vacuum=10, axis=2)"
        )
    name = AXES[axis]
    normal, area = unit_normal(atoms, name), area_A2(atoms, name)
    return normal, atoms.cell.volume / area, area


def _kernels(
    position: np.ndarray, height: float, smearing: float, periodic: bool, scaling: float
) -> dict[str, tuple[float, np.ndarray]]:
    """Return prefactors and response matrices, [position, position of a sheet of unit charge]."""
    distance = position[:, None] - position
    coulomb = 4 * math.pi * COULOMB_CONSTANT / scaling**2
    make = _periodic_kernels if periodic else _open_kernels
    density, field, potential = make(distance, height, smearing)
    if smearing == 0:
        density = np.eye(len(position)) * len(position) / height
    return {
        "charge_e_per_A3": (1.0, density),
        "field_V_per_A": (coulomb, field),
        "potential_V": (coulomb, potential),
    }


def _open_kernels(
    d: np.ndarray,
    height: float,  # noqa: ARG001 -- used by periodic kernels only
    s: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    if s == 0:
        return d, np.heaviside(d, 0.5), -np.maximum(d, 0.0)
    gaussian = np.exp(-0.5 * (d / s) ** 2) / (math.sqrt(2 * math.pi) * s)
    below = 0.5 * (1 + erf(d / (math.sqrt(2) * s)))
    return gaussian, below, -(d * below + s**2 * gaussian)


def _periodic_kernels(
    d: np.ndarray, height: float, s: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    if s == 0:
        # Periodic parabola with curvature −δ + 1/L and zero mean.
        field = 0.5 * np.sign(d) - d / height
        return d, field, 0.5 * (d**2 / height - np.abs(d) + height / 6)
    n_waves = max(1, math.ceil(_WIDEST_WAVE * height / (2 * math.pi * s)))
    k = 2 * math.pi / height * np.arange(1, n_waves + 1)
    weight = 2 / height * np.exp(-0.5 * (s * k) ** 2)
    # All distances are multiples of the spacing and occur in the first column.
    phase = d[:, 0, None] * k
    density = 1 / height + np.cos(phase) @ weight
    field = np.sin(phase) @ (weight / k)
    potential = np.cos(phase) @ (weight / k**2)
    which = np.arange(len(d))
    which = (which[:, None] - which) % len(d)
    return density[which], field[which], potential[which]

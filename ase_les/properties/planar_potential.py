r"""Potential and field of charges averaged over planes: the Poisson equation in one dimension.

.. math::
    -\phi''(z) = \frac{4\pi k_e}{s} \rho(z), \qquad
    \rho(z) = \frac{1}{A} \sum_i Q_i\, g_s(z - z_i), \qquad E = -\phi'

=====================  ==========================================================================
Symbol                 Meaning
=====================  ==========================================================================
:math:`A`              area of the plane in Å²
:math:`Q_i, z_i`       charge in e, height along the normal in Å
:math:`s`              physical over latent charges where ``dielectric_tensor`` is recorded with
                       them (`ase_les.screening`), else 1
:math:`g_s`            Gaussian of standard deviation `smearing_A`; a sheet if that is 0
:math:`k_e`            14.3996 eV Å
=====================  ==========================================================================

*Open* axis: field and potential are zero below all charges. Above them the field is zero again if
the charges sum to zero, and the potential is the step :math:`4\pi k_e M/(s A)`, with M their
dipole.

*Periodic* axis: field and potential repeat with the cell, and the potential is zero on average; a
net charge is neutralised by a uniform background.

The charge density is that of the charges as they are given, physical ones of a Latent Ewald
Summation model; field and potential are those of its latent charges. With a smearing equal to the σ
of the model, the potential is the one that latent charges, Gaussians themselves, feel. The profile
shows changes and differences of that potential, no absolute work function.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from ase import Atoms
from ase.calculators.calculator import PropertyNotImplementedError
from scipy.special import erf

from ase_les.screening import recorded_scaling
from ase_les.simulation.accumulators.state import refuse_other_arguments, refuse_other_atoms
from ase_les.statistics import BlockedMean, Estimate
from ase_les.statistics import standard_error as blocked_error
from ase_les.units import COULOMB_CONSTANT

# Waves beyond are smaller than 1e-14 of the first.
_WIDEST_WAVE = 8.0
_NET_CHARGE = 1e-3


@dataclass(frozen=True)
class PlanarPotentialResult:
    """Averaged profiles; each curve has one value per position.

    Attributes
    ----------
    axis : int
    position_A : (bins,) array
        Along the normal, from the origin.
    curves, standard_errors : mapping of str to (bins,) array
        ``charge_e_per_A3``, ``field_V_per_A``, ``potential_V``; errors are block averaged, nan
        below 16 configurations.
    step_V : Estimate
        Potential above minus below; nan for a periodic axis or a net charge.
    net_charge_e : float
        Sum of the charges as they were given.
    n_configurations : int
    charge_scaling : float
        Physical over latent charges: charge density over that of what makes field and potential.
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
    """Charge, field and potential along the normal of two cell vectors, from many configurations.

    The charge density is that of the charges, field and potential are those of latent charges.
    Charges are shared between the two nearest of the positions, which keeps their sum and dipole
    and with them the step of the potential.

    Parameters
    ----------
    axis : int
        0, 1 or 2: the cell vector that is not in the plane. The other two must be periodic.
    bin_A : float
        Distance of the positions in Å, rounded so that they fill the cell.
    smearing_A : float
        Standard deviation of the Gaussians in Å; 0 for sheets.

    Raises
    ------
    ValueError
        If an argument is impossible; later, if there are no charges, an atom lies outside of an
        open cell, or the atoms, the scale of charges or the boundary conditions change.
    """

    def __init__(self, axis: int = 2, bin_A: float = 0.1, smearing_A: float = 0.0) -> None:
        if axis not in (0, 1, 2):
            raise ValueError(f"`axis` must be 0, 1 or 2, got {axis!r}")
        if not (math.isfinite(bin_A) and bin_A > 0):
            raise ValueError(f"`bin_A` must be positive and finite, got {bin_A}")
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
        """Take one more configuration, with charges, into account; it is not changed."""
        normal, height, area = plane(atoms, self.axis)
        periodic = bool(atoms.pbc[self.axis])
        charges = charges_of(atoms)
        scaling = recorded_scaling(atoms)
        if self._numbers is None:
            self._begin(atoms.numbers, max(1, round(height / self.bin_A)), periodic, scaling)
        refuse_other_atoms(self._numbers, atoms.numbers)
        if not math.isclose(scaling, self._scaling, rel_tol=1e-9):
            raise ValueError(
                f"charges are {scaling:g} times the latent ones in this configuration, and were "
                f"{self._scaling:g} times those in earlier ones: average runs of one dielectric "
                "constant only"
            )
        if periodic != self._periodic:
            raise ValueError(f"pbc changed to {atoms.pbc.tolist()} within one trajectory")
        n_bins = self._n_bins
        # In bins, from the middle of the first.
        place = (atoms.positions * normal).sum(axis=1) / height * n_bins - 0.5
        lower = np.floor(place).astype(int)
        if not periodic and (lower.min() < 0 or lower.max() + 1 >= n_bins):
            outside = np.count_nonzero((lower < 0) | (lower + 1 >= n_bins))
            raise ValueError(
                f"{outside} atoms lie outside of the cell along its open axis, and the potential "
                "needs all charges: make room with atoms.center(vacuum=5, axis=...) or centre the "
                "film"
            )
        share = place - lower
        sheets = np.bincount(lower % n_bins, charges * (1 - share), n_bins)
        sheets += np.bincount((lower + 1) % n_bins, charges * share, n_bins)
        self._sheets.add(sheets)
        self._extent.add(np.array([height, area]))

    def state(self) -> dict[str, np.ndarray]:
        """Everything the next configurations will be added to."""
        state = {"arguments": np.array(repr(self))}
        if self._numbers is not None:
            state |= {"numbers": self._numbers.copy(), "periodic": np.array(self._periodic)}
            state["scaling"] = np.array(self._scaling)
            state |= {f"sheets.{key}": value for key, value in self._sheets.state().items()}
            state |= {f"extent.{key}": value for key, value in self._extent.state().items()}
        return state

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Go on from a state of an accumulator made with the same arguments."""
        refuse_other_arguments(repr(self), state["arguments"])
        self._numbers = None
        if "numbers" in state:
            n_bins = len(state["sheets.unfinished"])
            # Earlier versions recorded latent charges.
            scaling = float(state.get("scaling", 1.0))
            self._begin(np.array(state["numbers"]), n_bins, bool(state["periodic"]), scaling)
            for name, part in (("sheets", self._sheets), ("extent", self._extent)):
                start = f"{name}."
                part.restore({k[len(start) :]: v for k, v in state.items() if k.startswith(start)})

    def result(self) -> PlanarPotentialResult:
        """The averages so far."""
        if self._numbers is None:
            raise ValueError("no configuration was added yet")
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
            per_dipole = 4 * math.pi * COULOMB_CONSTANT / (self._scaling * area)
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
    """Unit normal towards cell vector `axis`, height of the cell along it, area of the plane.

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
    normal = np.cross(*atoms.cell.array[across])
    area = float(np.linalg.norm(normal))
    height = 0.0 if area == 0 else float(atoms.cell.array[axis] @ normal / area)
    if height == 0:
        raise ValueError(
            f"a profile needs a cell with a volume, got {atoms.cell.tolist()}: set the missing "
            "vector, for instance with atoms.center(vacuum=10, axis=2)"
        )
    return normal / area * np.sign(height), abs(height), area


def charges_of(atoms: Atoms) -> np.ndarray:
    """(N,) charges in e of a configuration.

    Raises
    ------
    ValueError
        If its calculator, or the recorded results, have none.
    """
    try:
        return np.asarray(atoms.get_charges(), dtype=float)
    except (PropertyNotImplementedError, RuntimeError) as error:
        raise ValueError(
            "a potential needs charges, and this configuration has none: record them in the "
            "trajectory, or give a calculator (--model)"
        ) from error


def _kernels(
    position: np.ndarray, height: float, smearing: float, periodic: bool, scaling: float
) -> dict[str, tuple[float, np.ndarray]]:
    """What a sheet of unit charge at each position does at each other, with the prefactor."""
    distance = position[:, None] - position
    coulomb = 4 * math.pi * COULOMB_CONSTANT / scaling
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
    d: np.ndarray, height: float, s: float
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
        # The periodic parabola: curvature −δ + 1/L, zero on average.
        field = 0.5 * np.sign(d) - d / height
        return d, field, 0.5 * (d**2 / height - np.abs(d) + height / 6)
    n_waves = max(1, math.ceil(_WIDEST_WAVE * height / (2 * math.pi * s)))
    k = 2 * math.pi / height * np.arange(1, n_waves + 1)
    weight = 2 / height * np.exp(-0.5 * (s * k) ** 2)
    # Distances of equal positions are multiples of one: a row of the matrix holds them all.
    phase = d[:, 0, None] * k
    density = 1 / height + np.cos(phase) @ weight
    field = np.sin(phase) @ (weight / k)
    potential = np.cos(phase) @ (weight / k**2)
    which = np.arange(len(d))
    which = (which[:, None] - which) % len(d)
    return density[which], field[which], potential[which]

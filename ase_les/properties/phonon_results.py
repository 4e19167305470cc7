"""Results of phonon calculations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from ase import units

from ase_les.properties.equilibrium import LARGE_PRESSURE_GPA

if TYPE_CHECKING:
    from phonopy import Phonopy

PER_CM_PER_THZ = 1e12 * units._c**-1 * 1e-2
"""Wave number in 1/cm of a frequency of 1 THz."""

# Frequencies below this, in THz, count as imaginary; smaller imaginary ones are round-off.
_IMAGINARY_THZ = -0.1
# Residual forces above this, in eV/Å, are reported.
_RESIDUAL_FORCE = 0.01


@dataclass(frozen=True)
class Segment:
    """Frequencies along a straight line between two points of the Brillouin zone.

    Parameters
    ----------
    labels : tuple of str
        Names of the first and last point.
    qpoints : array, shape (n, 3)
        In units of the primitive reciprocal vectors.
    distance_per_A : array, shape (n,)
        Distance along the whole path in 1/Å, without 2π.
    frequencies_THz : array, shape (n, 3 N)
        Imaginary ones are negative.
    """

    labels: tuple[str, str]
    qpoints: np.ndarray
    distance_per_A: np.ndarray
    frequencies_THz: np.ndarray


@dataclass(frozen=True)
class DensityOfStates:
    """Number of modes per THz and primitive cell; its integral is 3 N."""

    frequencies_THz: np.ndarray
    states_per_THz: np.ndarray


@dataclass(frozen=True)
class ThermalProperties:
    """Harmonic thermal properties at constant volume, per mole of primitive cells.

    Imaginary modes and the three acoustic modes at Γ are excluded.
    """

    temperature_K: np.ndarray
    free_energy_kJ_per_mol: np.ndarray
    entropy_J_per_K_mol: np.ndarray
    heat_capacity_J_per_K_mol: np.ndarray


@dataclass(frozen=True)
class Splitting:
    r"""Modes at Γ approached from one direction, with the field of longitudinal modes.

    .. math::
        \Omega^2 = \sum_\nu \left( \omega_{\nu}^2 - \omega_{\nu,0}^2 \right)
            = \frac{4\pi k_e}{V} \sum_i \frac{|\mathbf{n} \cdot Z^*_i|^2}
              {m_i\, \mathbf{n} \cdot \epsilon_\infty \cdot \mathbf{n}}

    with the sum over all modes. For a cubic crystal with two atoms this is
    :math:`\omega_{LO}^2 - \omega_{TO}^2`.

    Parameters
    ----------
    direction : tuple of float
        Cartesian unit vector :math:`\mathbf{n}`.
    without_field_THz, with_field_THz : array, shape (3 N,)
        In ascending order, without and with the non-analytic term.
    """

    direction: tuple[float, float, float]
    without_field_THz: np.ndarray
    with_field_THz: np.ndarray

    @property
    def splitting_term_per_cm(self) -> float:
        r""":math:`\Omega` in 1/cm."""
        difference = _signed_squares(self.with_field_THz) - _signed_squares(self.without_field_THz)
        return float(PER_CM_PER_THZ * np.sqrt(max(difference, 0.0)))


def _signed_squares(frequencies: np.ndarray) -> float:
    return float((np.sign(frequencies) * frequencies**2).sum())


@dataclass(frozen=True)
class NonAnalytic:
    """Charges of the non-analytic term and their consistency with the forces.

    Parameters
    ----------
    born_charges_e : array, shape (N, 3, 3)
        Of the primitive cell, symmetrized, with zero sum.
    dielectric : array, shape (3, 3)
    sum_over_atoms_e : float
        Largest component of the sum over the cell before correction.
    far_force_constants_eV_per_A2 : tuple of float
        Root-mean-square force constants between atoms farther apart than 5 Å and half the largest
        distance, with and without the dipole–dipole interaction of these charges. The second is
        smaller if the charges are consistent with the forces. nan if no atoms are that far apart.
    """

    born_charges_e: np.ndarray
    dielectric: np.ndarray
    sum_over_atoms_e: float
    far_force_constants_eV_per_A2: tuple[float, float]

    @property
    def fits(self) -> bool:
        """Return whether subtracting the dipole interaction reduces distant force constants."""
        before, after = self.far_force_constants_eV_per_A2
        return not after > before


@dataclass(frozen=True)
class Phonons:
    """Phonons of a crystal or slab.

    Parameters
    ----------
    segments : tuple of Segment
        Band structure along the path of seekpath.
    splitting : tuple of Splitting
        One per direction; empty without the non-analytic term.
    supercell : array, shape (3, 3)
        Multiples of the cell vectors.
    residual_force_eV_per_A : float
        Largest force on an atom of the given structure, which is subtracted.
    pressure_GPa : float
        Pressure of the given structure; nan for slabs and calculators without stress. Forces can
        vanish by symmetry at any volume, the pressure only at equilibrium.
    structure, calculator : dict
    phonopy : phonopy.Phonopy
        For all other features of phonopy.
    calculation_notes : tuple of str
        Remarks on parts omitted from the calculation.
    """

    segments: tuple[Segment, ...]
    density_of_states: DensityOfStates
    thermal: ThermalProperties
    splitting: tuple[Splitting, ...]
    non_analytic: NonAnalytic | None
    supercell: np.ndarray
    supercell_atoms: int
    displacements: int
    displacement_A: float
    residual_force_eV_per_A: float
    pressure_GPa: float
    structure: dict[str, object]
    calculator: dict[str, object]
    phonopy: Phonopy
    calculation_notes: tuple[str, ...] = ()

    @property
    def lowest(self) -> tuple[float, tuple[float, float, float]]:
        """Lowest frequency on the path in THz (imaginary ones are negative) and its wave vector."""
        lowest_modes = [
            (float(row.min()), (float(q[0]), float(q[1]), float(q[2])))
            for segment in self.segments
            for q, row in zip(segment.qpoints, segment.frequencies_THz, strict=True)
        ]
        return min(lowest_modes)

    @property
    def highest_THz(self) -> float:
        """Highest frequency on the path in THz."""
        return max(float(segment.frequencies_THz.max()) for segment in self.segments)

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the points along the path."""
        names: list[str] = []
        for segment in self.segments:
            names += [name for name in segment.labels if not names or names[-1] != name]
        return tuple(names)

    def summary(self) -> dict[str, object]:
        """Return the result as plain containers for YAML and JSON."""
        lowest, where = self.lowest
        thermal = self.thermal
        room = int(np.abs(thermal.temperature_K - 300.0).argmin())
        return {
            "structure": self.structure,
            "calculator": self.calculator,
            "primitive_atoms": len(self.phonopy.primitive),
            "primitive_volume_A3": float(self.phonopy.primitive.volume),
            "supercell": self.supercell.tolist(),
            "supercell_atoms": self.supercell_atoms,
            "displacements": self.displacements,
            "displacement_A": self.displacement_A,
            "residual_force_eV_per_A": self.residual_force_eV_per_A,
            "pressure_GPa": self.pressure_GPa,
            "path": list(self.labels),
            "lowest_frequency_THz": lowest,
            "lowest_frequency_at": list(where),
            "highest_frequency_THz": self.highest_THz,
            "notes": list(self.notes),
            "non_analytic": self._non_analytic_summary(),
            "thermal": {
                "temperature_K": float(thermal.temperature_K[room]),
                "free_energy_kJ_per_mol": float(thermal.free_energy_kJ_per_mol[room]),
                "entropy_J_per_K_mol": float(thermal.entropy_J_per_K_mol[room]),
                "heat_capacity_J_per_K_mol": float(thermal.heat_capacity_J_per_K_mol[room]),
            },
        }

    def _non_analytic_summary(self) -> dict[str, object] | None:
        if self.non_analytic is None:
            return None
        before, after = self.non_analytic.far_force_constants_eV_per_A2
        return {
            "born_effective_charges_e": self.non_analytic.born_charges_e.tolist(),
            "dielectric": self.non_analytic.dielectric.tolist(),
            "sum_over_atoms_before_e": self.non_analytic.sum_over_atoms_e,
            "far_force_constants_eV_per_A2": {"all": before, "without_dipoles": after},
            "gamma": [
                {
                    "direction": list(splitting.direction),
                    "without_field_THz": splitting.without_field_THz.tolist(),
                    "with_field_THz": splitting.with_field_THz.tolist(),
                    "splitting_term_per_cm": splitting.splitting_term_per_cm,
                }
                for splitting in self.splitting
            ],
        }

    def arrays(self) -> dict[str, np.ndarray]:
        """Return bands, density of states and thermal properties by name, with units."""
        segments = self.segments
        return {
            "qpoints": np.concatenate([segment.qpoints for segment in segments]),
            "distance_per_A": np.concatenate([segment.distance_per_A for segment in segments]),
            "frequencies_THz": np.concatenate([segment.frequencies_THz for segment in segments]),
            "segment_lengths": np.array([len(segment.qpoints) for segment in segments]),
            "segment_labels": np.array([segment.labels for segment in segments]),
            "dos_frequencies_THz": self.density_of_states.frequencies_THz,
            "dos_states_per_THz": self.density_of_states.states_per_THz,
            "temperature_K": self.thermal.temperature_K,
            "free_energy_kJ_per_mol": self.thermal.free_energy_kJ_per_mol,
            "entropy_J_per_K_mol": self.thermal.entropy_J_per_K_mol,
            "heat_capacity_J_per_K_mol": self.thermal.heat_capacity_J_per_K_mol,
        }

    @property
    def notes(self) -> tuple[str, ...]:
        """Limitations of the result."""
        notes = list(self.calculation_notes)
        lowest, where = self.lowest
        if lowest < _IMAGINARY_THZ:
            notes.append(
                f"Imaginary modes: {abs(PER_CM_PER_THZ * lowest):.1f}i cm⁻¹ at q = "
                f"({', '.join(f'{x:.3f}' for x in where)}). The structure is not a minimum, or the "
                "supercell is too small; these modes are excluded from thermal properties"
            )
        if self.residual_force_eV_per_A > _RESIDUAL_FORCE:
            notes.append(
                f"The structure is not relaxed: forces up to {self.residual_force_eV_per_A:.3g} "
                "eV/Å were subtracted. Relax it first"
            )
        if abs(self.pressure_GPa) > LARGE_PRESSURE_GPA:
            notes.append(
                f"The crystal is under {self.pressure_GPa:.2f} GPa: these are phonons at that "
                "volume. Relax the cell for phonons at zero pressure (ase-les relax --cell full)"
            )
        if self.non_analytic is not None and not self.non_analytic.fits:
            before, after = self.non_analytic.far_force_constants_eV_per_A2
            notes.append(
                f"The Born charges are inconsistent with the forces: distant force constants are "
                f"{before:.2e} eV/Å² with and {after:.2e} without the dipole interaction. The "
                "dielectric tensor may not be the one that screens the charges"
            )
        return tuple(notes)

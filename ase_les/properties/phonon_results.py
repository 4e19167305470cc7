"""What a phonon calculation gives: typed, with units, ready for tables and files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from ase import units
from rich.table import Table

from ase_les.reports import figures, terminal

if TYPE_CHECKING:
    from phonopy import Phonopy

PER_CM_PER_THZ = 1e12 * units._c**-1 * 1e-2
"""Wave number in 1/cm of a frequency of 1 THz."""

# Of more modes than this, the table shows only those that the field moves by so much (1/cm).
_ALL_MODES = 12
_SHIFT_PER_CM = 0.5


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
        Way along the whole path in 1/Å, without 2π.
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
    """Harmonic thermodynamics at constant volume, per mole of primitive cells.

    Imaginary modes and the three acoustic ones at Γ are not counted.
    """

    temperature_K: np.ndarray
    free_energy_kJ_per_mol: np.ndarray
    entropy_J_per_K_mol: np.ndarray
    heat_capacity_J_per_K_mol: np.ndarray


@dataclass(frozen=True)
class Splitting:
    r"""Modes at Γ approached from one direction, where longitudinal ones feel their own field.

    .. math::
        \Omega^2 = \sum_\nu \left( \omega_{\nu}^2 - \omega_{\nu,0}^2 \right)
            = \frac{4\pi k_e}{V} \sum_i \frac{|\mathbf{n} \cdot Z^*_i|^2}
              {m_i\, \mathbf{n} \cdot \epsilon_\infty \cdot \mathbf{n}}

    the sum over all modes, which for a cubic crystal of two atoms is
    :math:`\omega_{LO}^2 - \omega_{TO}^2`.

    Parameters
    ----------
    direction : tuple of float
        Cartesian unit vector :math:`\mathbf{n}`.
    without_field_THz, with_field_THz : array, shape (3 N,)
        Ascending, without and with the non-analytic term.
    """

    direction: tuple[float, float, float]
    without_field_THz: np.ndarray
    with_field_THz: np.ndarray

    @property
    def splitting_term_per_cm(self) -> float:
        r""":math:`\Omega` in 1/cm."""
        gained = _signed_squares(self.with_field_THz) - _signed_squares(self.without_field_THz)
        return float(PER_CM_PER_THZ * np.sqrt(max(gained, 0.0)))


def _signed_squares(frequencies: np.ndarray) -> float:
    return float((np.sign(frequencies) * frequencies**2).sum())


@dataclass(frozen=True)
class NonAnalytic:
    """The charges behind the non-analytic term, and how well they fit the forces.

    Parameters
    ----------
    born_charges_e : array, shape (N, 3, 3)
        Of the primitive cell, symmetrized, with their sum taken out.
    dielectric : array, shape (3, 3)
    sum_over_atoms_e : float
        Largest component of the sum over the cell before it was taken out.
    far_force_constants_eV_per_A2 : tuple of float
        Root-mean-square force constants between atoms farther apart than 5 Å and half the largest
        distance, before and after the dipole–dipole interaction of these charges is taken out.
        Charges that belong to the forces make them smaller. nan if no atoms are that far apart.
    """

    born_charges_e: np.ndarray
    dielectric: np.ndarray
    sum_over_atoms_e: float
    far_force_constants_eV_per_A2: tuple[float, float]

    @property
    def fits(self) -> bool:
        """Whether taking out the dipoles leaves less at long range than there was."""
        before, after = self.far_force_constants_eV_per_A2
        return not after > before


@dataclass(frozen=True)
class Phonons:
    """Phonons of a crystal.

    Parameters
    ----------
    segments : tuple of Segment
        Band structure along the path of seekpath.
    density_of_states : DensityOfStates
    thermal : ThermalProperties
    splitting : tuple of Splitting
        One for every direction; none without a non-analytic term.
    non_analytic : NonAnalytic or None
    supercell : array, shape (3, 3)
        Multiples of the cell vectors.
    supercell_atoms, displacements : int
    displacement_A : float
    residual_force_eV_per_A : float
        Largest force on an atom of the structure as it was given, which is subtracted.
    pressure_GPa : float
        Of that structure; nan where the calculator has no stress. At a minimum of the crystal
        forces and pressure vanish; symmetry can make forces vanish at any volume.
    structure, calculator : dict
    phonopy : phonopy.Phonopy
        For everything else that phonopy can do.
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

    @property
    def lowest(self) -> tuple[float, tuple[float, float, float]]:
        """Lowest frequency on the path in THz (negative: imaginary) and where it is."""
        every = [
            (float(row.min()), tuple(map(float, q)))
            for segment in self.segments
            for q, row in zip(segment.qpoints, segment.frequencies_THz, strict=True)
        ]
        return min(every)

    @property
    def highest_THz(self) -> float:
        """Highest frequency on the path in THz."""
        return max(float(segment.frequencies_THz.max()) for segment in self.segments)

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the points along the path, where segments meet once."""
        names: list[str] = []
        for segment in self.segments:
            names += [name for name in segment.labels if not names or names[-1] != name]
        return tuple(names)

    def summary(self) -> dict[str, object]:
        """Plain containers for YAML and JSON."""
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

    def table(self) -> Table:
        """What there is to know at a glance."""
        lowest, where = self.lowest
        rows: dict[str, object] = {
            "supercell": f"{self.supercell_atoms} atoms, {self.displacements} displacements",
            "largest force of the structure / (eV/Å)": self.residual_force_eV_per_A,
            "pressure of the structure / GPa": self.pressure_GPa,
            "highest frequency / cm⁻¹": PER_CM_PER_THZ * self.highest_THz,
            "lowest frequency / cm⁻¹": (
                f"{_tenths(PER_CM_PER_THZ * lowest)} at q = "
                f"({', '.join(f'{x:.3f}' for x in where)})"
            ),
        }
        if self.non_analytic is not None:
            before, after = self.non_analytic.far_force_constants_eV_per_A2
            rows["far force constants / (eV/Å²), all | without dipoles"] = (
                f"{before:.2e} | {after:.2e}"
            )
        return terminal.results_table(f"Phonons of {self.structure['formula']}", rows)

    def splitting_table(self) -> Table:
        """Frequencies at Γ without field and approached from every direction."""
        names = [f"along ({_direction(s.direction)})" for s in self.splitting]
        table = Table(
            *("mode", "no field", *names), title="Modes at Γ in cm⁻¹", title_justify="left"
        )
        without = PER_CM_PER_THZ * self.splitting[0].without_field_THz
        with_field = PER_CM_PER_THZ * np.array([s.with_field_THz for s in self.splitting])
        shown = np.abs(with_field - without).max(axis=0) >= _SHIFT_PER_CM
        if len(without) <= _ALL_MODES:
            shown[:] = True
        for mode in np.flatnonzero(shown):
            table.add_row(str(mode + 1), *map(_tenths, (without[mode], *with_field[:, mode])))
        if not shown.all():
            hidden = len(shown) - shown.sum()
            table.caption = f"{hidden} modes that move by less than {_SHIFT_PER_CM:g} left out"
        terms = (f"{splitting.splitting_term_per_cm:.1f}" for splitting in self.splitting)
        table.add_row("√Σ(ω² − ω₀²)", "", *terms, style="bold")
        return table

    def save_series(self, path: Path) -> None:
        """Bands, density of states and thermal properties as named arrays, units in the names."""
        lengths = [len(segment.qpoints) for segment in self.segments]
        np.savez(
            path,
            qpoints=np.concatenate([s.qpoints for s in self.segments]),
            distance_per_A=np.concatenate([s.distance_per_A for s in self.segments]),
            frequencies_THz=np.concatenate([s.frequencies_THz for s in self.segments]),
            segment_lengths=np.array(lengths),
            segment_labels=np.array([s.labels for s in self.segments]),
            dos_frequencies_THz=self.density_of_states.frequencies_THz,
            dos_states_per_THz=self.density_of_states.states_per_THz,
            temperature_K=self.thermal.temperature_K,
            free_energy_kJ_per_mol=self.thermal.free_energy_kJ_per_mol,
            entropy_J_per_K_mol=self.thermal.entropy_J_per_K_mol,
            heat_capacity_J_per_K_mol=self.thermal.heat_capacity_J_per_K_mol,
        )

    def save_bands_figure(self, path: Path) -> None:
        """Draw the band structure beside the density of states, in THz and 1/cm."""
        from matplotlib.figure import Figure

        figure = Figure(figsize=(7.2, 4.2), layout="constrained")
        bands, dos = figure.subplots(1, 2, sharey=True, width_ratios=(4, 1))
        for segment in self.segments:
            bands.plot(segment.distance_per_A, segment.frequencies_THz, color="C0", linewidth=1.0)
        ticks: dict[float, list[str]] = {}
        for segment in self.segments:
            for where, name in zip(segment.distance_per_A[[0, -1]], segment.labels, strict=True):
                names = ticks.setdefault(round(float(where), 9), [])
                if _symbol(name) not in names:
                    names.append(_symbol(name))
        bands.set_xticks(list(ticks), ["|".join(names) for names in ticks.values()])
        for where in ticks:
            bands.axvline(where, color="0.8", linewidth=0.6, zorder=0)
        bands.set_xlim(min(ticks), max(ticks))
        bands.axhline(0.0, color="0.4", linewidth=0.6, zorder=0)
        margin = 0.03 * self.highest_THz
        bands.set_ylim(min(self.lowest[0], 0.0) - margin, self.highest_THz + margin)
        bands.set_ylabel("frequency / THz (imaginary: negative)")
        dos.plot(
            self.density_of_states.states_per_THz,
            self.density_of_states.frequencies_THz,
            color="C0",
            linewidth=1.0,
        )
        dos.set_xlim(left=0.0)
        dos.set_xlabel("states / THz⁻¹")
        second = dos.secondary_yaxis(
            "right", functions=(lambda f: f * PER_CM_PER_THZ, lambda w: w / PER_CM_PER_THZ)
        )
        second.set_ylabel("wave number / cm⁻¹")
        figure.savefig(path, dpi=150)

    def save_thermal_figure(self, path: Path) -> None:
        """Draw free energy, entropy and heat capacity against temperature."""
        thermal = self.thermal
        figures.save_figure(
            path,
            thermal.temperature_K,
            "temperature / K",
            [
                figures.Panel(
                    "free energy / (kJ/mol)", {"free energy": thermal.free_energy_kJ_per_mol}
                ),
                figures.Panel(
                    "J/(K mol)",
                    {
                        "entropy": thermal.entropy_J_per_K_mol,
                        "heat capacity": thermal.heat_capacity_J_per_K_mol,
                    },
                ),
            ],
        )


def _direction(vector: tuple[float, float, float]) -> str:
    return " ".join(f"{component:.3g}" for component in vector)


def _tenths(value: float) -> str:
    # Without the sign of a negative zero.
    return f"{round(value, 1) + 0.0:.1f}"


def _symbol(name: str) -> str:
    return "Γ" if name == "GAMMA" else name.replace("_0", "₀").replace("SIGMA", "Σ")

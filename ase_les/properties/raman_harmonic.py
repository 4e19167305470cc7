r"""Harmonic Raman spectra of molecules, crystals and selected atoms.

.. math::
    \frac{\partial \alpha}{\partial Q_\nu}
        = \sum_{i\delta} \frac{\partial\alpha}{\partial r_{i\delta}}
          \frac{e_{i\delta,\nu}}{\sqrt{m_i}}

with the eigenvectors :math:`e_\nu` of the mass-weighted Hessian, from central differences of
forces. Intensities are in `ase_les.properties.raman_intensity`. For a molecule translations and
rotations are projected out, for a crystal translations: its modes are those at Γ, polar ones
transverse, because the macroscopic field is zero. The polarizability of a crystal is that of the
cell, :math:`V(\epsilon_\infty - 1)/4\pi`.

References
----------
.. [1] D. Porezag, M. R. Pederson, Phys. Rev. B 54, 7830 (1996).
.. [2] S. A. Prosandeev, U. Waghmare, I. Levin, J. Maslar, Phys. Rev. B 71, 214307 (2005).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.constraints import FixAtoms, FixCartesian

from ase_les.model_limits import check_limits
from ase_les.properties.moment_sources import step_name
from ase_les.properties.normal_modes import (
    METHODS,
    ModeSettings,
    check_calculator_and_method,
    evaluate_displacements,
    hessian_of_forces,
    lorentzian_lines,
    normal_modes,
    notes_on_minimum,
    spectrum_grid,
)
from ase_les.properties.raman_intensity import Invariants, cross_section_factor
from ase_les.properties.vibrating_atoms import vibrating_atoms
from ase_les.runs.lock import lock_output
from ase_les.runs.output import RunOptions
from ase_les.runs.processes import SERIAL, Jobs
from ase_les.runs.progress import NO_PROGRESS, Progress
from ase_les.runs.provenance import describe_calculator, describe_structure
from ase_les.runs.record import Results


@dataclass(frozen=True)
class RamanSettings(ModeSettings):
    """Settings of harmonic Raman spectra.

    Parameters
    ----------
    laser_nm : float
        Wave length of the light.
    temperature_K : float
        Temperature of the vibrations; 0 for the ground state.
    """

    laser_nm: float = 532.0
    temperature_K: float = 298.15

    def __post_init__(self) -> None:
        super().__post_init__()
        cross_section_factor(np.zeros(1), self.laser_nm, self.temperature_K)


@dataclass(frozen=True)
class HarmonicRaman:
    """Normal modes with their Raman activities.

    Parameters
    ----------
    wavenumbers_per_cm : array, shape (n_modes,)
        Ascending; imaginary ones are negative.
    tensors : array, shape (n_modes, 3, 3)
        Derivatives of the polarizability in Å²/√amu.
    modes : array, shape (n_modes, N, 3)
        Cartesian displacements in 1/√amu, with length 1 if mass-weighted.
    residual_force_eV_per_A : float
        Largest force on a vibrating atom.
    method : str
        "analytic" (derivatives of the polarizability) or "displacement" (differences).
    displacement_A, width_per_cm, laser_nm, temperature_K : float
        See `RamanSettings`.
    atoms : tuple of int
        Vibrating atoms.
    structure, calculator : dict
        Provenance.
    notes : tuple of str
        Remarks on the results.
    """

    wavenumbers_per_cm: np.ndarray
    tensors: np.ndarray
    modes: np.ndarray
    residual_force_eV_per_A: float
    method: str
    displacement_A: float
    width_per_cm: float
    laser_nm: float
    temperature_K: float
    atoms: tuple[int, ...]
    structure: dict[str, object]
    calculator: dict[str, object]
    notes: tuple[str, ...] = ()

    @property
    def invariants(self) -> Invariants:
        """Squared invariants (n_modes,) in Å⁴/amu, with activities and depolarization ratios."""
        return Invariants.of(self.tensors)

    @property
    def activities_A4_per_amu(self) -> np.ndarray:
        """Raman activities (n_modes,)."""
        return self.invariants.activity

    @property
    def depolarization_ratios(self) -> np.ndarray:
        """Depolarization ratios (n_modes,) of polarized light."""
        return self.invariants.depolarization

    @property
    def cross_sections(self) -> np.ndarray:
        """Differential cross sections (n_modes,) in 1e-36 m²/sr; 0 for imaginary modes."""
        return self._factor(self.wavenumbers_per_cm) * self.activities_A4_per_amu

    @property
    def grid_per_cm(self) -> np.ndarray:
        """Raman shifts of the stored spectrum."""
        return spectrum_grid(self.wavenumbers_per_cm)

    def spectra(
        self, wavenumbers_per_cm: np.ndarray, width_per_cm: float | None = None
    ) -> dict[str, np.ndarray]:
        """Return spectra of Lorentzian lines in 1e-36 m²/sr per 1/cm: both polarizations, VV, VH.

        Parameters
        ----------
        wavenumbers_per_cm : array
        width_per_cm : float or None
            Full width at half maximum; None for that of the result. The area of each line is its
            cross section.
        """
        width = self.width_per_cm if width_per_cm is None else width_per_cm
        lines = lorentzian_lines(wavenumbers_per_cm, self.wavenumbers_per_cm, width)
        lines = lines * self._factor(self.wavenumbers_per_cm)
        found = self.invariants
        parts = {"total": found.activity, "VV": found.polarized, "VH": found.depolarized}
        return {name: lines @ strength for name, strength in parts.items()}

    def _factor(self, wavenumbers_per_cm: np.ndarray) -> np.ndarray:
        return cross_section_factor(wavenumbers_per_cm, self.laser_nm, self.temperature_K)

    def arrays(self) -> dict[str, np.ndarray]:
        """Return modes and spectra by name."""
        spectra = self.spectra(self.grid_per_cm)
        return {
            "wavenumbers_per_cm": self.wavenumbers_per_cm,
            "raman_tensors_A2_per_sqrt_amu": self.tensors,
            "activities_A4_per_amu": self.activities_A4_per_amu,
            "depolarization_ratios": self.depolarization_ratios,
            "cross_sections_1e-36_m2_per_sr": self.cross_sections,
            "modes_per_sqrt_amu": self.modes,
            "atoms": np.array(self.atoms),
            "spectrum_wavenumbers_per_cm": self.grid_per_cm,
            **{f"spectrum_{name}": values for name, values in spectra.items()},
        }

    def summary(self) -> dict[str, object]:
        """Return the result as plain containers for YAML and JSON."""
        ratios = [None if np.isnan(each) else float(each) for each in self.depolarization_ratios]
        return {
            "structure": self.structure,
            "calculator": self.calculator,
            "method": self.method,
            "displacement_A": self.displacement_A,
            "laser_nm": self.laser_nm,
            "temperature_K": self.temperature_K,
            "vibrating_atoms": list(self.atoms),
            "residual_force_eV_per_A": self.residual_force_eV_per_A,
            "notes": list(self.notes),
            "wavenumbers_per_cm": self.wavenumbers_per_cm.tolist(),
            "activities_A4_per_amu": self.activities_A4_per_amu.tolist(),
            "depolarization_ratios": ratios,
            "cross_sections_1e-36_m2_per_sr": self.cross_sections.tolist(),
        }


@lock_output
def harmonic_raman(
    atoms: Atoms,
    method: str | None = None,
    *,
    output: str | Path | None = None,
    resume: bool = False,
    overwrite: bool = False,
    jobs: Jobs = SERIAL,
    progress: Progress = NO_PROGRESS,
    **settings: Any,
) -> HarmonicRaman:
    """Compute normal modes and Raman activities.

    Parameters
    ----------
    atoms : ase.Atoms
        Relaxed structure with a calculator that gives forces and ``get_polarizability(atoms)`` in
        Å³; not modified. Atoms fixed by `FixAtoms` do not vibrate.
    method : str or None
        "analytic": ``get_polarizability_derivatives(atoms)`` of the calculator. "displacement":
        differences of its polarizability. By default the first that the calculator supports.
    output : str, Path or None
        Stem of ``-summary.yml``, ``-raman.npz`` and the record ``-displacements.jsonl``.
    resume, overwrite : bool
        Continue from the recorded displacements, or replace an earlier calculation.
    jobs : Jobs
        Worker processes for the displacements.
    **settings
        See `RamanSettings`; by default all atoms of a crystal vibrate.

    Raises
    ------
    ValueError
        If the structure is a single free atom, the calculator gives no polarizability, or a setting
        is invalid.
    FileExistsError
        If an earlier calculation would be lost.
    """
    run = RunOptions.from_keywords(
        output, resume=resume, overwrite=overwrite, jobs=jobs, progress=progress
    )
    method = _checked_method(atoms, method)
    chosen = RamanSettings(**settings)
    step = chosen.displacement_A
    limits = check_limits(atoms.calc, atoms, beyond_limits=chosen.beyond_limits)
    selection = vibrating_atoms(atoms, _all_of_a_crystal(atoms, chosen.chosen))
    active = selection.indices
    run.prepare("-summary.yml")
    residual = np.asarray(atoms.calc.get_property("forces", atoms))[active]
    properties = ["forces"] if method == "analytic" else ["forces", "polarizability"]
    results = evaluate_displacements(
        atoms, active, step, properties, {"properties": properties}, run
    )
    slopes = _slopes(atoms, active, results, step, method)
    hessian = hessian_of_forces(active, results, step)
    wavenumbers, modes = normal_modes(atoms, active, hessian, free=len(active) == len(atoms))
    result = HarmonicRaman(
        wavenumbers_per_cm=wavenumbers,
        tensors=np.einsum("idab,nid->nab", slopes, modes),
        modes=modes,
        residual_force_eV_per_A=float(np.linalg.norm(residual, axis=1).max()),
        method=method,
        displacement_A=step,
        width_per_cm=chosen.width_per_cm,
        laser_nm=chosen.laser_nm,
        temperature_K=chosen.temperature_K,
        atoms=tuple(active),
        structure=describe_structure(atoms),
        calculator=describe_calculator(atoms.calc),
    )
    notes = notes_on_minimum(wavenumbers, result.residual_force_eV_per_A, "the spectrum")
    result = replace(result, notes=(*selection.notes, *notes, *limits))
    run.write("-raman.npz", result)
    return result


def _checked_method(atoms: Atoms, method: str | None) -> str:
    """Return the method, by default the first that the calculator supports."""
    check_calculator_and_method(atoms, method)
    needed = {"analytic": "get_polarizability_derivatives", "displacement": "get_polarizability"}
    offered = [name for name in METHODS if hasattr(atoms.calc, needed[name])]
    if method is None and offered:
        method = offered[0]
    if method not in offered:
        raise ValueError(
            f"{type(atoms.calc).__name__} has no method {needed[method or 'displacement']}(atoms), "
            "needed for Raman intensities"
        )
    # Fails now for models without polarizability, and not after all displacements.
    atoms.calc.get_polarizability(atoms)
    return method


def _all_of_a_crystal(
    atoms: Atoms, chosen: str | Sequence[int] | None
) -> str | Sequence[int] | None:
    """Return all atoms of a structure with periodic directions if none are chosen or fixed."""
    fixes = any(isinstance(each, FixAtoms | FixCartesian) for each in atoms.constraints)
    if chosen is None and atoms.pbc.any() and not fixes:
        return range(len(atoms))
    return chosen


def _slopes(
    atoms: Atoms,
    active: Sequence[int],
    results: Mapping[str, Results],
    displacement_A: float,
    method: str,
) -> np.ndarray:
    """Return derivatives (N, 3, 3, 3) of the polarizability in Å²; zero for fixed atoms."""
    slopes = np.zeros((len(atoms), 3, 3, 3))
    if method == "analytic":
        found = atoms.calc.get_polarizability_derivatives(atoms)
        slopes[list(active)] = found[list(active)]
        return slopes
    for index in active:
        for axis in range(3):
            plus, minus = (
                results[step_name(index, axis, sign)]["polarizability"] for sign in (1, -1)
            )
            slopes[index, axis] = (plus - minus) / (2 * displacement_A)
    return slopes

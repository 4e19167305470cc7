r"""Harmonic vibrations and infrared intensities of molecules, adsorbates and selected atoms.

.. math::
    A_\nu = \frac{N_A}{12\, \varepsilon_0 c^2}
        \left| \frac{\partial \boldsymbol{\mu}}{\partial Q_\nu} \right|^2, \qquad
    \frac{\partial \mu_\alpha}{\partial Q_\nu}
        = \sum_{i\beta} Z^*_{i,\alpha\beta} \frac{e_{i\beta,\nu}}{\sqrt{m_i}}

==================  ==========================================================
Symbol              Meaning
==================  ==========================================================
:math:`A_\nu`       integrated absorption coefficient in km/mol
:math:`Z^*`         Born effective charges, or differences of the dipole
:math:`e_\nu`       eigenvector of the mass-weighted Hessian
==================  ==========================================================

The Hessian is computed from central differences of forces. For a free molecule, translations and
rotations are projected out; the other modes are vibrations, and for a charged molecule the
intensities do not depend on the origin of the dipole.

If atoms are fixed (`ase.constraints.FixAtoms`) or only some atoms are chosen, the partial Hessian
of the others is used, with three modes per vibrating atom and no projection. This also applies to
adsorbates, slabs and crystals; vibrations of complete crystals are phonons. For a slab whose
calculator gives only the dipole along the normal, intensities contain only this component, as for
a metal surface, which screens the others.

References
----------
.. [1] E. B. Wilson, J. C. Decius, P. C. Cross, Molecular Vibrations, McGraw-Hill (1955).
.. [2] D. Porezag, M. R. Pederson, Phys. Rev. B 54, 7830 (1996).
.. [3] J. D. Head, Int. J. Quantum Chem. 65, 827 (1997) [partial Hessian].
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms, units
from ase.calculators.calculator import PropertyNotImplementedError

from ase_les.model_limits import check_limits
from ase_les.properties.born_charges import calculated_charges
from ase_les.properties.born_differences import about_fixed_origin
from ase_les.properties.moment_sources import MomentSource
from ase_les.properties.moments import Moments, choose_moments
from ase_les.properties.normal_modes import (
    ModeSettings,
    check_calculator_and_method,
    evaluate_displacements,
    hessian_of_forces,
    lorentzian_lines,
    normal_modes,
    notes_on_minimum,
    spectrum_grid,
)
from ase_les.properties.vibrating_atoms import vibrating_atoms
from ase_les.runs.evaluations import property_of
from ase_les.runs.lock import lock_output
from ase_les.runs.output import RunOptions
from ase_les.runs.processes import SERIAL, Jobs
from ase_les.runs.progress import NO_PROGRESS, Progress
from ase_les.runs.provenance import describe_calculator, describe_structure
from ase_les.runs.record import Results

# N_A / (12 ε0 c²) e²/amu in km/mol.
KM_PER_MOL = units._Nav / (12 * units._eps0 * units._c**2) * units._e**2 / units._amu * 1e-3
"""Intensity in km/mol of a mode whose dipole derivative is 1 e/√amu: 974.88."""


@dataclass(frozen=True)
class HarmonicInfrared:
    """Normal modes with their infrared intensities.

    Parameters
    ----------
    wavenumbers_per_cm : array, shape (n_modes,)
        Ascending; imaginary ones are negative. 3 N - 6 for a free molecule (3 N - 5 if linear),
        3 N' for N' vibrating atoms of a partial Hessian.
    intensities_km_per_mol : array, shape (n_modes,)
    dipole_derivatives : array, shape (n_modes, 3)
        In e/√amu.
    modes : array, shape (n_modes, N, 3)
        Cartesian displacements in 1/√amu, with length 1 if mass-weighted. Zero for fixed atoms.
    zero_point_energy_eV : float
        Zero-point energy of the real modes.
    residual_force_eV_per_A : float
        Largest force on a vibrating atom.
    method : str
        "analytic" (Born charges) or "displacement" (differences of the dipole).
    components : str
        "all", or "normal" if only the dipole along the normal of a slab is known.
    width_per_cm : float
        Full width at half maximum of the lines of the stored spectrum.
    atoms : tuple of int
        Vibrating atoms.
    structure, calculator : dict
        Provenance.
    notes : tuple of str
        Remarks on the results.
    """

    wavenumbers_per_cm: np.ndarray
    intensities_km_per_mol: np.ndarray
    dipole_derivatives: np.ndarray
    modes: np.ndarray
    zero_point_energy_eV: float
    residual_force_eV_per_A: float
    method: str
    components: str
    displacement_A: float
    width_per_cm: float
    atoms: tuple[int, ...]
    structure: dict[str, object]
    calculator: dict[str, object]
    notes: tuple[str, ...] = ()

    @property
    def imaginary(self) -> np.ndarray:
        """Mask (n_modes,) of the imaginary modes."""
        return self.wavenumbers_per_cm < 0

    @property
    def grid_per_cm(self) -> np.ndarray:
        """Wave numbers of the stored spectrum."""
        return spectrum_grid(self.wavenumbers_per_cm)

    def spectrum(self, wavenumbers_per_cm: np.ndarray, width_per_cm: float = 10.0) -> np.ndarray:
        r"""Return the spectrum of Lorentzian lines in (km/mol) per 1/cm, without imaginary modes.

        Parameters
        ----------
        wavenumbers_per_cm : array
        width_per_cm : float
            Full width at half maximum. The area of each line is its intensity.
        """
        real = ~self.imaginary
        lines = lorentzian_lines(wavenumbers_per_cm, self.wavenumbers_per_cm[real], width_per_cm)
        return lines @ self.intensities_km_per_mol[real]

    def arrays(self) -> dict[str, np.ndarray]:
        """Return modes and spectrum by name."""
        return {
            "wavenumbers_per_cm": self.wavenumbers_per_cm,
            "intensities_km_per_mol": self.intensities_km_per_mol,
            "dipole_derivatives_e_per_sqrt_amu": self.dipole_derivatives,
            "modes_per_sqrt_amu": self.modes,
            "atoms": np.array(self.atoms),
            "spectrum_wavenumbers_per_cm": self.grid_per_cm,
            "spectrum_km_per_mol_cm": self.spectrum(self.grid_per_cm, self.width_per_cm),
        }

    def summary(self) -> dict[str, object]:
        """Return the result as plain containers for YAML and JSON."""
        return {
            "structure": self.structure,
            "calculator": self.calculator,
            "method": self.method,
            "components": self.components,
            "displacement_A": self.displacement_A,
            "vibrating_atoms": list(self.atoms),
            "residual_force_eV_per_A": self.residual_force_eV_per_A,
            "zero_point_energy_eV": self.zero_point_energy_eV,
            "imaginary_modes": int(self.imaginary.sum()),
            "notes": list(self.notes),
            "wavenumbers_per_cm": self.wavenumbers_per_cm.tolist(),
            "intensities_km_per_mol": self.intensities_km_per_mol.tolist(),
        }


@lock_output
def harmonic_infrared(
    atoms: Atoms,
    method: str | None = None,
    *,
    output: str | Path | None = None,
    resume: bool = False,
    overwrite: bool = False,
    jobs: Jobs = SERIAL,
    progress: Progress = NO_PROGRESS,
    **settings: Any,
) -> HarmonicInfrared:
    """Compute normal modes and infrared intensities.

    Parameters
    ----------
    atoms : ase.Atoms
        Relaxed structure with a calculator that gives forces, and Born charges or a moment; not
        modified. Atoms fixed by `FixAtoms` do not vibrate; other constraints are ignored, with a
        note. With periodic directions, some atoms must be fixed or `chosen`.
    method : str or None
        "analytic": Born charges of the calculator. "displacement": differences of its dipole or
        polarization, at no extra cost. By default the first that the calculator supports.
    output : str, Path or None
        Stem of ``-summary.yml``, ``-infrared.npz`` and the record of finished displacements
        ``-displacements.jsonl``.
    resume, overwrite : bool
        Continue from the recorded displacements, or replace an earlier calculation.
    jobs : Jobs
        Worker processes for the displacements.
    **settings
        See `ase_les.properties.normal_modes.ModeSettings`.

    Raises
    ------
    ValueError
        If the structure is a single free atom, or periodic without fixed or chosen atoms, the
        calculator is missing or gives neither Born charges nor a moment, or a setting is invalid.
    FileExistsError
        If an earlier calculation would be lost.
    """
    run = RunOptions.from_keywords(
        output, resume=resume, overwrite=overwrite, jobs=jobs, progress=progress
    )
    check_calculator_and_method(atoms, method)
    chosen = ModeSettings(**settings)
    step = chosen.displacement_A
    limits = check_limits(atoms.calc, atoms, beyond_limits=chosen.beyond_limits)
    selection = vibrating_atoms(atoms, chosen.chosen)
    active = selection.indices
    charges, moments = _source_of_intensities(atoms, method)
    run.prepare("-summary.yml")
    residual = np.asarray(atoms.calc.get_property("forces", atoms))[active]
    requested = [] if moments is None else moments.wanted
    used_method = "analytic" if moments is None else "displacement"
    recorded = {"method": used_method, "moments": requested}
    results = evaluate_displacements(atoms, active, step, ["forces", *requested], recorded, run)
    if moments is not None:
        charges = _charges(atoms, active, results, step, moments)
    normal_only = moments is not None and moments.elsewhere is None
    hessian = hessian_of_forces(active, results, step)
    wavenumbers, modes = normal_modes(atoms, active, hessian, free=selection.free_molecule)
    derivatives = np.einsum("iab,nib->na", charges[active], modes[:, active])
    result = HarmonicInfrared(
        wavenumbers_per_cm=wavenumbers,
        intensities_km_per_mol=KM_PER_MOL * (derivatives**2).sum(axis=1),
        dipole_derivatives=derivatives,
        modes=modes,
        zero_point_energy_eV=float(0.5 * units.invcm * wavenumbers[wavenumbers > 0].sum()),
        residual_force_eV_per_A=float(np.linalg.norm(residual, axis=1).max()),
        method=used_method,
        components="normal" if normal_only else "all",
        displacement_A=step,
        width_per_cm=chosen.width_per_cm,
        atoms=tuple(active),
        structure=describe_structure(atoms),
        calculator=describe_calculator(atoms.calc),
    )
    result = replace(result, notes=(*selection.notes, *_notes(result), *limits))
    run.write("-infrared.npz", result)
    return result


def _source_of_intensities(atoms: Atoms, method: str | None) -> tuple[np.ndarray, Moments | None]:
    """Return analytic Born charges and None, or zeros and the moments to differentiate."""
    name = type(atoms.calc).__name__
    reasons = []
    if method != "displacement":
        if "born_effective_charges" in atoms.calc.implemented_properties:
            try:
                return calculated_charges(atoms), None
            except PropertyNotImplementedError as error:
                reasons.append(str(error))
        else:
            reasons.append("no born_effective_charges")
    if method != "analytic":
        # The dipole of a slab has only a normal component, unless the calculator provides more.
        for components in ("all", "normal") if atoms.pbc.sum() == 2 else ("all",):
            try:
                moments = choose_moments(atoms, components=components)
            except ValueError as error:
                reasons.append(str(error))
                continue
            missing = _missing(atoms, moments)
            if missing is None:
                return np.zeros((len(atoms), 3, 3)), moments
            reasons.append(missing)
    needed = {"analytic": "born_effective_charges", "displacement": "dipole or polarization"}
    requested = "born_effective_charges or dipole" if method is None else needed[method]
    raise ValueError(
        f"{name} gives no {requested}, needed for intensities, for pbc {atoms.pbc.tolist()}: "
        f"{'; '.join(dict.fromkeys(reasons))}"
    )


def _missing(atoms: Atoms, moments: Moments) -> str | None:
    """Return why moments cannot be differentiated together with forces; None if they can.

    Calculators may list properties that they do not give for all boundary conditions.
    """
    if not all(isinstance(source, MomentSource) for source, _ in moments.projected):
        return "no dipole or polarization"
    try:
        for what in moments.wanted:
            property_of(atoms, what, atoms.calc)
    except PropertyNotImplementedError as error:
        return str(error)
    return None


def _charges(
    atoms: Atoms,
    active: Sequence[int],
    results: Mapping[str, Results],
    displacement_A: float,
    moments: Moments,
) -> np.ndarray:
    """Return Born charges (N, 3, 3) in e from differences; zero for atoms that do not vibrate."""
    slopes = {index: np.zeros((3, 3)) for index in active}
    for source, projector in moments.projected:
        for index in active:
            slopes[index] += projector @ source.slope(atoms, index, results, displacement_A)
    if not atoms.pbc.any() and moments.wanted == ["dipole"]:
        slopes = about_fixed_origin(atoms, slopes)
    charges = np.zeros((len(atoms), 3, 3))
    for index, slope in slopes.items():
        charges[index] = slope
    return charges


def _notes(result: HarmonicInfrared) -> tuple[str, ...]:
    notes = []
    if result.components == "normal":
        notes.append(
            "intensities contain only the dipole along the surface normal, the component that the "
            "calculator defines for a slab"
        )
    notes += notes_on_minimum(
        result.wavenumbers_per_cm,
        result.residual_force_eV_per_A,
        "spectrum and zero-point energy",
    )
    return tuple(notes)

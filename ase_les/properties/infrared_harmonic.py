r"""Harmonic infrared spectrum of a molecule: normal modes and their absolute intensities.

.. math::
    A_\nu = \frac{N_A}{12\, \varepsilon_0 c^2}
        \left| \frac{\partial \boldsymbol{\mu}}{\partial Q_\nu} \right|^2, \qquad
    \frac{\partial \mu_\alpha}{\partial Q_\nu}
        = \sum_{i\beta} Z^*_{i,\alpha\beta} \frac{e_{i\beta,\nu}}{\sqrt{m_i}}

==================  ==========================================================
Symbol              Meaning
==================  ==========================================================
:math:`A_\nu`       integrated absorption in km/mol
:math:`Z^*`         Born charges, or differences of the dipole
:math:`e_\nu`       eigenvector of the mass-weighted Hessian
==================  ==========================================================

The Hessian is made of differences of forces. Translations and rotations are projected out of it,
so that all modes left are vibrations (for a charged molecule this also frees the result from the
origin of the dipole).

References
----------
.. [1] E. B. Wilson, J. C. Decius, P. C. Cross, Molecular Vibrations, McGraw-Hill (1955).
.. [2] D. Porezag, M. R. Pederson, Phys. Rev. B 54, 7830 (1996).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase import Atoms, units
from rich.table import Table

from ase_les.properties.born_differences import displaced, moment_slope, step_name
from ase_les.reading.born_charges import born_tensors
from ase_les.reports import figures, terminal
from ase_les.reports.terminal import TerminalProgress
from ase_les.runs.evaluations import evaluate_structures
from ase_les.runs.output import write_summary
from ase_les.runs.processes import SERIAL, Jobs
from ase_les.runs.provenance import describe_calculator, describe_structure, fingerprint
from ase_les.runs.record import Record

METHODS = ("analytic", "displacement")

# 1 km/mol in (e²/amu) is the inverse of this: N_A / (12 ε0 c²) e²/amu in km/mol.
KM_PER_MOL = units._Nav / (12 * units._eps0 * units._c**2) * units._e**2 / units._amu * 1e-3
"""Intensity in km/mol of a mode whose dipole derivative is 1 e/√amu: 974.88."""

# Wave number in 1/cm of a mode whose mass-weighted force constant is 1 eV/(Å² amu).
_PER_CM = np.sqrt(units._e / units._amu) * 1e10 / (2 * np.pi * units._c * 100)

# Larger forces than this, in eV/Å, make it worth relaxing first.
_RESIDUAL_FORCE = 0.01
# Relative radius of gyration about the axis below which a molecule counts as linear.
_LINEAR = 0.02


@dataclass(frozen=True)
class HarmonicInfrared:
    """Vibrations of a molecule and what they absorb.

    Parameters
    ----------
    wavenumbers_per_cm : array, shape (n_modes,)
        Ascending; imaginary ones are negative. 3 N - 6, or 3 N - 5 for a linear molecule.
    intensities_km_per_mol : array, shape (n_modes,)
    dipole_derivatives : array, shape (n_modes, 3)
        In e/√amu.
    modes : array, shape (n_modes, N, 3)
        Cartesian displacements of a mode in Å/(Å √amu), that is 1/√amu: mass-weighted they have
        length 1.
    zero_point_energy_eV : float
        Of the real modes.
    residual_force_eV_per_A : float
        Largest force of the structure as it was given.
    method : str
        "analytic" Born charges, or "displacement": differences of the dipole.
    displacement_A : float
    structure, calculator : dict
    """

    wavenumbers_per_cm: np.ndarray
    intensities_km_per_mol: np.ndarray
    dipole_derivatives: np.ndarray
    modes: np.ndarray
    zero_point_energy_eV: float
    residual_force_eV_per_A: float
    method: str
    displacement_A: float
    structure: dict[str, object]
    calculator: dict[str, object]

    @property
    def imaginary(self) -> np.ndarray:
        """Which modes lead downhill."""
        return self.wavenumbers_per_cm < 0

    def spectrum(self, wavenumbers_per_cm: np.ndarray, width_per_cm: float = 10.0) -> np.ndarray:
        r"""Lines broadened to Lorentzians, in (km/mol) per 1/cm; imaginary modes have none.

        Parameters
        ----------
        wavenumbers_per_cm : array
            Where to know it.
        width_per_cm : float
            Full width at half maximum. The area of every line stays its intensity.
        """
        if not width_per_cm > 0:
            raise ValueError(f"`width_per_cm` must be positive, got {width_per_cm}")
        real = ~self.imaginary
        apart = np.asarray(wavenumbers_per_cm)[:, None] - self.wavenumbers_per_cm[real]
        half = 0.5 * width_per_cm
        lines = half / np.pi / (apart**2 + half**2)
        return lines @ self.intensities_km_per_mol[real]

    def summary(self) -> dict[str, object]:
        """Plain containers for YAML and JSON."""
        return {
            "structure": self.structure,
            "calculator": self.calculator,
            "method": self.method,
            "displacement_A": self.displacement_A,
            "residual_force_eV_per_A": self.residual_force_eV_per_A,
            "zero_point_energy_eV": self.zero_point_energy_eV,
            "imaginary_modes": int(self.imaginary.sum()),
            "wavenumbers_per_cm": self.wavenumbers_per_cm.tolist(),
            "intensities_km_per_mol": self.intensities_km_per_mol.tolist(),
        }

    def table(self) -> Table:
        """A row for every mode."""
        table = Table(
            *("mode", "wave number / cm⁻¹", "intensity / (km/mol)"),
            title=f"Vibrations of {self.structure['formula']}",
            title_justify="left",
        )
        for number, (wave, strength) in enumerate(
            zip(self.wavenumbers_per_cm, self.intensities_km_per_mol, strict=True), start=1
        ):
            shown = f"{abs(wave):.1f}" + ("i" if wave < 0 else "")
            table.add_row(str(number), shown, f"{strength:.2f}")
        table.caption = f"zero-point energy {self.zero_point_energy_eV:.4f} eV"
        return table


def harmonic_infrared(
    atoms: Atoms,
    method: str | None = None,
    *,
    displacement_A: float = 0.005,
    width_per_cm: float = 10.0,
    output: str | Path | None = None,
    resume: bool = False,
    overwrite: bool = False,
    jobs: Jobs = SERIAL,
    quiet: bool = False,
) -> HarmonicInfrared:
    """Normal modes and infrared intensities of a molecule.

    Parameters
    ----------
    atoms : ase.Atoms
        A relaxed molecule without periodic directions, with a calculator that gives forces, and
        Born charges or a dipole; left as it is.
    method : str or None
        "analytic": Born charges of the calculator. "displacement": differences of its dipole, at
        no extra cost. None takes the first that the calculator offers.
    displacement_A : float
        Of an atom, in Å; 6 N structures are calculated.
    width_per_cm : float
        Full width at half maximum of the lines in the figure.
    output : str, Path or None
        Stem of ``-summary.yml``, ``-infrared.npz``, ``-infrared.png`` and of
        ``-displacements.jsonl``, which grows with every displacement. None writes nothing.
    resume, overwrite : bool
        Go on from the displacements that are there, or replace an earlier run of that name.
    jobs : Jobs
        Processes that share the displacements.
    quiet : bool
        No progress, no table.

    Raises
    ------
    ValueError
        If the structure is periodic or a single atom, the calculator is missing or gives neither
        Born charges nor dipoles, or a setting is impossible.
    FileExistsError
        If an earlier run would be lost.
    """
    method = _check(atoms, method, displacement_A, width_per_cm)
    stem = None if output is None else Path(output)
    if stem is not None and _named(stem, "-summary.yml").exists() and not (overwrite or resume):
        raise FileExistsError(
            f"'{_named(stem, '-summary.yml')}' exists; overwrite=True (--overwrite) replaces that "
            "run"
        )
    residual = np.asarray(atoms.calc.get_property("forces", atoms))
    everyone = range(len(atoms))
    structures = displaced(atoms, everyone, displacement_A)
    belongs_to = {
        "fingerprint of the structure": fingerprint(atoms),
        "displacement_A": displacement_A,
        "method": method,
        **describe_calculator(atoms.calc),
    }
    path = None if stem is None else _named(stem, "-displacements.jsonl")
    record = Record.open(path, belongs_to, resume=resume, overwrite=overwrite)
    properties = ["forces"] if method == "analytic" else ["forces", "dipole"]
    results = evaluate_structures(
        structures, properties, atoms.calc, record, jobs=jobs, progress=TerminalProgress(quiet)
    )
    if method == "analytic":
        given = atoms.calc.get_property("born_effective_charges", atoms)
        charges = born_tensors(given, len(atoms), type(atoms.calc).__name__)
    else:
        charges = np.array([moment_slope(atoms, i, results, displacement_A) for i in everyone])
    hessian = _hessian(len(atoms), results, displacement_A)
    eigenvalues, modes = _vibrations(atoms, hessian)
    wavenumbers = _PER_CM * np.sign(eigenvalues) * np.sqrt(np.abs(eigenvalues))
    derivatives = np.einsum("iab,nib->na", charges, modes)
    result = HarmonicInfrared(
        wavenumbers_per_cm=wavenumbers,
        intensities_km_per_mol=KM_PER_MOL * (derivatives**2).sum(axis=1),
        dipole_derivatives=derivatives,
        modes=modes,
        zero_point_energy_eV=float(0.5 * units.invcm * wavenumbers[wavenumbers > 0].sum()),
        residual_force_eV_per_A=float(np.linalg.norm(residual, axis=1).max()),
        method=method,
        displacement_A=displacement_A,
        structure=describe_structure(atoms),
        calculator=describe_calculator(atoms.calc),
    )
    _tell(result, quiet)
    if stem is not None:
        _write(stem, result, width_per_cm)
    return result


def _check(atoms: Atoms, method: str | None, displacement_A: float, width_per_cm: float) -> str:
    if atoms.calc is None:
        raise ValueError("the structure has no calculator; set atoms.calc")
    if len(atoms) < 2:
        raise ValueError(f"a molecule needs two atoms to vibrate, got {len(atoms)}")
    if atoms.pbc.any():
        raise ValueError(
            f"a molecule without periodic directions is needed, pbc is {atoms.pbc.tolist()}; for "
            "crystals use `phonons`, for liquids the spectrum of a trajectory"
        )
    for name, value in (("displacement_A", displacement_A), ("width_per_cm", width_per_cm)):
        if not value > 0:
            raise ValueError(f"`{name}` must be positive, got {value}")
    if method is not None and method not in METHODS:
        raise ValueError(f"`method` must be one of {', '.join(METHODS)}, got {method!r}")
    needed = {"analytic": "born_effective_charges", "displacement": "dipole"}
    offered = [name for name in METHODS if needed[name] in atoms.calc.implemented_properties]
    if method not in (None, *offered) or not offered:
        wanted = " or ".join(needed.values()) if method is None else needed[method]
        raise ValueError(
            f"{type(atoms.calc).__name__} gives no {wanted}, which intensities are made of"
        )
    return method or offered[0]


def _hessian(n_atoms: int, results: dict, displacement_A: float) -> np.ndarray:
    """Second derivatives (3 N, 3 N) of the energy in eV/Å²."""
    rows = [
        results[step_name(i, axis, -1)]["forces"] - results[step_name(i, axis, 1)]["forces"]
        for i in range(n_atoms)
        for axis in range(3)
    ]
    hessian = np.array(rows).reshape(3 * n_atoms, 3 * n_atoms) / (2 * displacement_A)
    return 0.5 * (hessian + hessian.T)


def _vibrations(atoms: Atoms, hessian: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues in eV/(Å² amu) and modes (n, N, 3) in 1/√amu of all that is no rigid motion."""
    root_mass = np.repeat(np.sqrt(atoms.get_masses()), 3)
    internal = _internal_motions(atoms)
    weighted = hessian / np.outer(root_mass, root_mass)
    eigenvalues, vectors = np.linalg.eigh(internal.T @ weighted @ internal)
    modes = (internal @ vectors).T / root_mass
    return eigenvalues, modes.reshape(len(eigenvalues), len(atoms), 3)


def _internal_motions(atoms: Atoms) -> np.ndarray:
    """Orthonormal columns of mass-weighted motions without translation and rotation."""
    root_mass = np.sqrt(atoms.get_masses())[:, None]
    arms = atoms.positions - atoms.get_center_of_mass()
    rigid = [root_mass * axis for axis in np.eye(3)]
    rigid += [root_mass * np.cross(axis, arms) for axis in np.eye(3)]
    # To the scale of translations, all alike: the turn of a nearly linear molecule about its own
    # axis stays short, and with it what is really a bend of the molecule.
    lengths = [float(np.linalg.norm(motion)) for motion in rigid]
    scales = [*lengths[:3], *3 * [max(lengths[3:])]]
    columns = [motion.ravel() / scale for motion, scale in zip(rigid, scales, strict=True)]
    directions, weights, _ = np.linalg.svd(np.array(columns).T)
    n_rigid = int((weights > _LINEAR * weights[0]).sum())
    return directions[:, n_rigid:]


def _tell(result: HarmonicInfrared, quiet: bool) -> None:
    console = terminal.console(quiet)
    console.print(result.table())
    if result.imaginary.any():
        worst = result.wavenumbers_per_cm.min()
        console.print(
            f"Imaginary modes: {int(result.imaginary.sum())}, up to {abs(worst):.1f}i cm⁻¹. The "
            "structure is no minimum; they are left out of spectrum and zero-point energy.",
            style="yellow",
            markup=False,
        )
    if result.residual_force_eV_per_A > _RESIDUAL_FORCE:
        console.print(
            f"The structure is not relaxed: forces up to {result.residual_force_eV_per_A:.3g} "
            "eV/Å. Relax first for vibrations of the minimum.",
            style="yellow",
            markup=False,
        )


def _named(stem: Path, ending: str) -> Path:
    return stem.with_name(stem.name + ending)


def _write(stem: Path, result: HarmonicInfrared, width_per_cm: float) -> None:
    highest = max(result.wavenumbers_per_cm.max(), 100.0)
    grid = np.linspace(0.0, 1.1 * highest, 4000)
    spectrum = result.spectrum(grid, width_per_cm)
    np.savez(
        _named(stem, "-infrared.npz"),
        wavenumbers_per_cm=result.wavenumbers_per_cm,
        intensities_km_per_mol=result.intensities_km_per_mol,
        dipole_derivatives_e_per_sqrt_amu=result.dipole_derivatives,
        modes_per_sqrt_amu=result.modes,
        spectrum_wavenumbers_per_cm=grid,
        spectrum_km_per_mol_cm=spectrum,
    )
    figures.save_figure(
        _named(stem, "-infrared.png"),
        grid,
        "wave number / cm⁻¹",
        [
            figures.Panel("absorption / (km mol⁻¹ cm)", {f"width {width_per_cm:g}": spectrum}),
        ],
    )
    # Last: its presence says that all is there.
    write_summary(_named(stem, "-summary.yml"), result.summary())

"""Normal modes from forces of displaced structures, and spectra of their lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from ase import Atoms, units
from ase.vibrations import VibrationsData

from ase_les.arguments import require_one_of, require_positive
from ase_les.properties.moment_sources import displaced, step_name
from ase_les.runs.evaluations import displacement_record, evaluate_structures
from ase_les.runs.output import RunOptions
from ase_les.runs.record import Results

# Residual force in eV/Å above which the structure is reported as not relaxed.
_RESIDUAL_FORCE = 0.01
_GRID_POINTS = 4000

# Relative radius of gyration about the axis below which a molecule is considered linear.
_LINEAR = 0.02

METHODS = ("analytic", "displacement")


@dataclass(frozen=True)
class ModeSettings:
    """Settings of harmonic spectra.

    Parameters
    ----------
    chosen : str, sequence of int, or None
        Vibrating atoms by index or by a selection of `ase_les.properties.atom_selection`, such as
        ``"tag:0"`` for adsorbates added by ASE. By default all that are not fixed.
    displacement_A : float
        Displacement of an atom in Å; six structures per vibrating atom are calculated.
    width_per_cm : float
        Full width at half maximum of the lines of the stored spectrum.
    beyond_limits : bool
        Allow calculations beyond the limits of the model, see `ase_les.model_limits`.
    """

    chosen: str | Sequence[int] | None = None
    displacement_A: float = 0.005
    width_per_cm: float = 10.0
    beyond_limits: bool = False

    def __post_init__(self) -> None:
        for name in ("displacement_A", "width_per_cm"):
            require_positive(name, getattr(self, name))


def check_calculator_and_method(atoms: Atoms, method: str | None) -> None:
    """Raise ValueError if the structure has no calculator, or for an unknown method."""
    if atoms.calc is None:
        raise ValueError("the structure has no calculator; set atoms.calc")
    if method is not None:
        require_one_of("method", method, METHODS)


def evaluate_displacements(
    atoms: Atoms,
    active: Sequence[int],
    displacement_A: float,
    properties: Sequence[str],
    settings: Mapping[str, object],
    run: RunOptions,
) -> dict[str, Results]:
    """Return properties of the displaced structures, recorded in ``-displacements.jsonl``.

    Parameters
    ----------
    active : sequence of int
        Displaced atoms.
    settings : mapping
        Settings that recorded displacements must share, beside structure and calculator.
    """
    record = displacement_record(run, atoms, {"displacement_A": displacement_A, **settings})
    structures = displaced(atoms, active, displacement_A)
    return evaluate_structures(
        structures, properties, atoms.calc, record, jobs=run.jobs, progress=run.progress
    )


def spectrum_grid(wavenumbers_per_cm: np.ndarray) -> np.ndarray:
    """Return the wave numbers of a stored spectrum, from 0 to beyond the highest mode."""
    return np.linspace(0.0, 1.1 * wavenumbers_per_cm.max(initial=100.0), _GRID_POINTS)


def lorentzian_lines(
    x_per_cm: np.ndarray, centers_per_cm: np.ndarray, width_per_cm: float
) -> np.ndarray:
    """Return lines (n_x, n_lines) of area 1 with a full width at half maximum.

    Raises
    ------
    ValueError
        If the width is not positive.
    """
    require_positive("width_per_cm", width_per_cm)
    half = 0.5 * width_per_cm
    distance = np.asarray(x_per_cm)[:, None] - centers_per_cm
    return half / np.pi / (distance**2 + half**2)


def notes_on_minimum(
    wavenumbers_per_cm: np.ndarray, residual_force_eV_per_A: float, excluded_from: str
) -> list[str]:
    """Return notes on imaginary modes and on forces of a structure that is not relaxed."""
    notes = []
    imaginary = int((wavenumbers_per_cm < 0).sum())
    if imaginary:
        notes.append(
            f"{imaginary} imaginary modes, down to {abs(wavenumbers_per_cm.min()):.1f}i 1/cm: the "
            f"structure is not a minimum. They are excluded from {excluded_from}"
        )
    if residual_force_eV_per_A > _RESIDUAL_FORCE:
        notes.append(
            f"the structure is not relaxed: forces up to {residual_force_eV_per_A:.3g} eV/Å. "
            "Relax it first for vibrations of the minimum"
        )
    return notes


def hessian_of_forces(
    active: Sequence[int], results: Mapping[str, Results], displacement_A: float
) -> np.ndarray:
    """Return the second derivatives (3 N', 3 N') of the energy in eV/Å².

    Parameters
    ----------
    active : sequence of int
        Displaced atoms.
    results : mapping of str to mapping of str to array
        Forces of the structures of `ase_les.properties.moment_sources.displaced`.
    """
    rows = [
        (results[step_name(i, axis, -1)]["forces"] - results[step_name(i, axis, 1)]["forces"])[
            list(active)
        ]
        for i in active
        for axis in range(3)
    ]
    hessian = np.array(rows).reshape(len(rows), len(rows)) / (2 * displacement_A)
    return 0.5 * (hessian + hessian.T)


def normal_modes(
    atoms: Atoms, active: Sequence[int], hessian: np.ndarray, free: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Return wave numbers (n,) in 1/cm and modes (n, N, 3) in 1/√amu, ascending.

    Rigid motions are shifted far above the vibrations and removed: translations and rotations of
    a molecule, translations of a structure with periodic directions.

    Parameters
    ----------
    active : sequence of int
        Vibrating atoms.
    hessian : array, shape (3 N', 3 N')
        In eV/Å².
    free : bool
        Whether rigid motions are removed.
    """
    rigid = _rigid_motions(atoms) if free else np.zeros((len(hessian), 0))
    if rigid.size:
        root_mass = np.repeat(np.sqrt(atoms.get_masses()), 3)
        weighted = hessian / np.outer(root_mass, root_mass)
        rigid_projector = rigid @ rigid.T
        internal = np.eye(len(hessian)) - rigid_projector
        far = 10.0 * np.abs(np.linalg.eigvalsh(weighted)).max() + 1.0
        weighted = internal @ weighted @ internal + far * rigid_projector
        hessian = weighted * np.outer(root_mass, root_mass)
    data = VibrationsData.from_2d(atoms, hessian, indices=active)
    energies, modes = data.get_energies_and_modes(all_atoms=True)
    # Imaginary energies are negative wave numbers.
    wavenumbers = (energies.real - energies.imag) / units.invcm
    n_vibrations = len(hessian) - rigid.shape[1]
    return wavenumbers[:n_vibrations], modes[:n_vibrations]


def _rigid_motions(atoms: Atoms) -> np.ndarray:
    """Return orthonormal columns of mass-weighted rigid motions."""
    root_mass = np.sqrt(atoms.get_masses())[:, None]
    relative = atoms.positions - atoms.get_center_of_mass()
    rigid = [root_mass * axis for axis in np.eye(3)]
    if not atoms.pbc.any():
        rigid += [root_mass * np.cross(axis, relative) for axis in np.eye(3)]
    # Relative to translations, the rotation of an almost linear molecule about its axis is small;
    # it is not projected out, since this motion is a bend.
    lengths = [float(np.linalg.norm(motion)) for motion in rigid]
    scales = lengths[:3] + len(lengths[3:]) * [max(lengths[3:], default=1.0)]
    columns = [motion.ravel() / scale for motion, scale in zip(rigid, scales, strict=True)]
    directions, weights, _ = np.linalg.svd(np.array(columns).T, full_matrices=False)
    return directions[:, weights > _LINEAR * weights[0]]

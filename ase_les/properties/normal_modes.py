"""Normal modes from forces of displaced structures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from ase import Atoms, units
from ase.vibrations import VibrationsData

from ase_les.properties.moment_sources import step_name
from ase_les.runs.record import Results

# Relative radius of gyration about the axis below which a molecule is considered linear.
_LINEAR = 0.02


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
    displacement_A : float
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
    atoms : ase.Atoms
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

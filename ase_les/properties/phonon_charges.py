"""Non-analytic term of phonons: charges, dielectric tensor and consistency with the forces."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from ase import Atoms, units
from ase.calculators.calculator import PropertyNotImplementedError
from ase.geometry import get_distances

from ase_les.properties.born_charges import acoustic_sum_rule, born_charges, dielectric_tensor
from ase_les.properties.phonon_results import NonAnalytic
from ase_les.reading.born_charges import born_tensors

if TYPE_CHECKING:
    from phonopy import Phonopy

# Force constants of atoms closer than this, in Å, are not only dipole–dipole interactions.
_FAR_A = 5.0


def bulk_charges(
    atoms: Atoms,
    wanted: bool | None,
    given: np.ndarray | None,
    dielectric: np.ndarray | float | None,
    tolerance_A: float,
    notes: list[str],
) -> tuple[np.ndarray, np.ndarray, float] | None:
    """Return Born charges, dielectric tensor and violation of the sum rule; None without charges.

    Parameters
    ----------
    wanted : bool or None
        See `PhononSettings`; with None, the reason for missing charges is appended to `notes`.
    given : array or None
        Born charges of `atoms`.
    tolerance_A : float
        Symmetry tolerance.
    """
    if wanted is False:
        return None
    if given is None:
        given = _calculated_charges(atoms, wanted, tolerance_A, notes)
        if given is None:
            return None
    tensors = born_tensors(given, len(atoms), "`born_effective_charges`")
    violation = float(np.abs(tensors.sum(axis=0)).max())
    return acoustic_sum_rule(tensors), dielectric_tensor(atoms, dielectric), violation


def _calculated_charges(
    atoms: Atoms, wanted: bool | None, tolerance_A: float, notes: list[str]
) -> np.ndarray | None:
    offered = atoms.calc.implemented_properties
    method = "analytic" if "born_effective_charges" in offered else "displacement"
    reason = f"{type(atoms.calc).__name__} gives neither"
    if method == "analytic" or "polarization" in offered:
        try:
            # `phonons` has already checked the limits of the model.
            return born_charges(
                atoms, method, symmetry_tolerance_A=tolerance_A, beyond_limits=True
            ).tensors
        except PropertyNotImplementedError as error:
            # For example for atoms that share electrons, where Born charges are not defined.
            reason = str(error)
        except ValueError as error:
            raise ValueError(
                f"Born charges for the non-analytic term could not be computed: {error}. Give "
                "`born_effective_charges`, or use non_analytic=False (--no-nac)"
            ) from error
    if wanted:
        raise ValueError(
            "the non-analytic term needs Born charges or a polarization of the calculator "
            f"({reason}); give `born_effective_charges`, or use non_analytic=False (--no-nac)"
        )
    notes.append(f"no non-analytic term, since there are no Born charges: {reason}")
    return None


def set_non_analytic_term(
    crystal: Phonopy, tensors: np.ndarray, dielectric: np.ndarray, violation: float
) -> NonAnalytic:
    """Set the symmetrized charges in phonopy and return them with their consistency check."""
    from phonopy.structure.symmetry import symmetrize_borns_and_epsilon

    primitive_charges, dielectric = symmetrize_borns_and_epsilon(
        tensors,
        dielectric,
        crystal.unitcell,
        primitive=crystal.primitive,
        supercell_matrix=crystal.supercell_matrix,
        symprec=crystal.symmetry.tolerance,
    )
    crystal.nac_params = {
        "born": primitive_charges,
        "dielectric": dielectric,
        "factor": units.Hartree * units.Bohr,
        "method": "gonze",
    }
    return NonAnalytic(
        born_charges_e=primitive_charges,
        dielectric=dielectric,
        sum_over_atoms_e=violation,
        far_force_constants_eV_per_A2=_far_force_constants(crystal),
    )


def _far_force_constants(crystal: Phonopy) -> tuple[float, float]:
    """Return rms force constants of distant atoms, with and without the dipole interaction."""
    from phonopy.harmonic.dynamical_matrix import DynamicalMatrixGL

    matrix = crystal.dynamical_matrix
    assert isinstance(matrix, DynamicalMatrixGL)
    if matrix.short_range_force_constants is None:
        matrix.make_Gonze_nac_dataset()
    supercell = crystal.supercell
    chosen = crystal.primitive.p2s_map
    positions = supercell.positions
    _, distance = get_distances(positions[chosen], positions, cell=supercell.cell, pbc=True)
    far = distance > max(0.5 * distance.max(), _FAR_A)
    if not far.any():
        return math.nan, math.nan
    with_dipoles, without = (
        float(np.sqrt(np.mean(np.asarray(constants)[far] ** 2)))
        for constants in (crystal.force_constants, matrix.short_range_force_constants)
    )
    return with_dipoles, without

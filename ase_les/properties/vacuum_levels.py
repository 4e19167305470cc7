"""Levels of a slab relative to vacuum, as far as a calibration determines them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ase import Atoms

from ase_les.properties.absolute_potential import (
    LABEL,
    AbsolutePotential,
    PotentialCalibration,
    absolute_potential,
    calibrate_potential,
    calibrate_work_function,
    check_model,
    work_functions,
)
from ase_les.properties.slab_electrostatics import potential_step_V


@dataclass(frozen=True)
class VacuumLevels:
    """Levels of a slab relative to vacuum.

    Attributes
    ----------
    formula : str
    levels_eV : mapping of str to pair of floats
        Relative to the vacuum below and above: ``work function`` (positive), ``band edge``.
    step_V : float
        Vacuum above minus vacuum below.
    potential : AbsolutePotential or None
        None without a calibration by a reference potential.
    """

    formula: str
    levels_eV: Mapping[str, tuple[float, float]]
    step_V: float
    potential: AbsolutePotential | None

    def summary(self) -> dict[str, object]:
        """Return plain containers."""
        found: dict[str, object] = {
            "formula": self.formula,
            "vacuum_above_minus_below_V": self.step_V,
            "levels_below_and_above_eV": {
                name: list(pair) for name, pair in self.levels_eV.items()
            },
        }
        if self.potential is not None:
            found["potential_inside_V"] = self.potential.inside_V
            found["calibration_rms_V"] = self.potential.residual_V
        return found


def calibrated(
    references: Sequence[Atoms],
    *,
    stored: PotentialCalibration | None = None,
    window_A: float | None = None,
    work_function_eV: float | None = None,
    smearing_A: float = 0.0,
) -> PotentialCalibration:
    """Return a stored calibration, extended by reference structures with calculators.

    Parameters
    ----------
    references : sequence of Atoms
        Slabs with ``REF_potential``, or the clean slab of `work_function_eV`.
    window_A, work_function_eV, smearing_A
        See `calibrate_potential` and `calibrate_work_function`.

    Raises
    ------
    ValueError
        If nothing is calibrated: then only changes of the potential are meaningful. If the stored
        calibration is of another model, or its `window_A` or `smearing_A` are given again.
    """
    if stored is not None:
        for atoms in references:
            check_model(atoms, stored)
    if work_function_eV is not None:
        if len(references) != 1:
            raise ValueError(
                "`work_function` belongs to one structure, the clean slab (--reference), got "
                f"{len(references)}"
            )
        found = calibrate_work_function(references[0], work_function_eV)
        return found if stored is None else replace(stored, metal_V=found.metal_V)
    if references:
        if window_A is None:
            raise ValueError(
                "a reference potential needs `window`, the period of the layers in Å: the "
                "distance of equal planes along the normal"
            )
        found = calibrate_potential(references, window_A, smearing_A)
        return found if stored is None else replace(found, metal_V=stored.metal_V)
    if stored is None:
        raise ValueError(
            "charges on atoms give changes of the potential only. For values relative to vacuum "
            "give a calibration: --reference with slabs that have the planar potential of a DFT "
            f"calculation ({LABEL}), or --reference with a clean metal slab and --work-function, "
            "or --calibration of an earlier call"
        )
    if smearing_A or window_A is not None:
        raise ValueError(
            "`window` and `smearing` are those of the stored calibration: omit them, or calibrate "
            "again with references"
        )
    return stored


def vacuum_levels(
    atoms: Atoms,
    calibration: PotentialCalibration,
    *,
    edge_eV: float | None = None,
) -> VacuumLevels:
    """Return all levels of a slab that a calibration determines.

    Parameters
    ----------
    atoms : Atoms
        Slab with a calculator.
    edge_eV : float or None
        Band edge in the bulk, see `AbsolutePotential.band_edge_eV`.

    Raises
    ------
    ValueError
        See `absolute_potential` and `work_functions`.
    """
    levels: dict[str, tuple[float, float]] = {}
    if not math.isnan(calibration.metal_V):
        levels["work function"] = work_functions(atoms, calibration)
    potential = None
    # A metal under adsorbates has a work function, whatever the adsorbates are.
    if edge_eV is not None or not levels:
        potential = absolute_potential(atoms, calibration)
        if edge_eV is not None:
            levels["band edge"] = potential.band_edge_eV(edge_eV)
    return VacuumLevels(atoms.get_chemical_formula(), levels, potential_step_V(atoms), potential)

"""Compute diffusion coefficients and the ionic conductivity from the files of a run.

The equations are in `ase_les.properties.diffusion` and `ase_les.properties.conductivity`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from ase_les.properties.conductivity import (
    conductivity_einstein_helfand,
    conductivity_green_kubo,
    conductivity_nernst_einstein,
)
from ase_les.properties.diffusion import Diffusion, diffusion_of_elements
from ase_les.properties.green_kubo import GreenKubo
from ase_les.properties.ions import monatomic_ions
from ase_les.properties.recorded_run import (
    FinishedTrajectory,
    RecordedRun,
    joined_legs_notes,
    limits_of_run,
    logged_temperature,
    read_frames,
    read_recorded_run,
    series_path,
    trajectory_path,
)
from ase_les.runs.output import prepared_output, write_result
from ase_les.statistics import Estimate


@dataclass(frozen=True)
class TransportResult:
    """Transport coefficients of a run.

    Attributes
    ----------
    stem : Path
        Stem of the run.
    temperature_K : float
        nan if unknown.
    volume_A3 : float or None
        Mean volume; None unless periodic in three directions.
    diffusion : tuple of Diffusion
        One per element; empty without a trajectory.
    green_kubo, einstein_helfand, nernst_einstein
        Conductivities in S/m; None if the required data were not recorded.
    charge_numbers : mapping
        Charges in e of the ions in the Nernst–Einstein conductivity.
    viscosity_mPa_s : float or None
        Viscosity of the finite-size correction.
    runs : tuple of RecordedRun
    notes : tuple of str
        Limitations of these numbers.
    """

    stem: Path
    temperature_K: float
    volume_A3: float | None
    diffusion: tuple[Diffusion, ...]
    charge_numbers: Mapping[str, float]
    viscosity_mPa_s: float | None
    runs: tuple[RecordedRun, ...]
    notes: tuple[str, ...]
    green_kubo: GreenKubo | None = None
    einstein_helfand: Estimate | None = None
    nernst_einstein: Estimate | None = None

    def summary(self) -> dict[str, object]:
        """Return the result as plain containers for YAML and JSON."""
        conductivity: dict[str, object] = {}
        if self.green_kubo is not None:
            conductivity["green_kubo_S_per_m"] = self.green_kubo.value
            conductivity["plateau_ps"] = self.green_kubo.plateau_ps
            conductivity["drift_over_plateau_S_per_m"] = self.green_kubo.drift
            conductivity["blocks"] = self.green_kubo.n_blocks
        if self.einstein_helfand is not None:
            conductivity["einstein_helfand_S_per_m"] = self.einstein_helfand
        if self.nernst_einstein is not None:
            conductivity["nernst_einstein_S_per_m"] = self.nernst_einstein
            conductivity["charge_numbers"] = self.charge_numbers
        return {
            "task": "transport coefficients",
            "input": {
                "run": str(self.stem),
                "temperature_K": self.temperature_K,
                "volume_A3": self.volume_A3,
                "viscosity_mPa_s": self.viscosity_mPa_s,
                "recorded": [run.summary() for run in self.runs],
            },
            "diffusion": {
                each.species: {
                    "particles": each.particles,
                    "diffusion_cm2_per_s": each.diffusion_cm2_per_s,
                    "infinite_cell_cm2_per_s": each.infinite_cm2_per_s,
                    "fit_ps": each.fit_ps,
                    "exponent": each.exponent,
                    "blocks": each.n_blocks,
                    "doubts": list(each.doubts),
                }
                for each in self.diffusion
            },
            "conductivity": conductivity,
            "notes": list(self.notes),
        }

    def arrays(self) -> dict[str, np.ndarray]:
        """Return displacements and running integral with their standard errors by name."""
        arrays = {}
        if self.diffusion:
            arrays["msd_lag_ps"] = self.diffusion[0].lag_ps
        for each in self.diffusion:
            arrays[f"msd_{each.species}_A2"] = each.msd_A2
            arrays[f"msd_{each.species}_error_A2"] = each.msd_error_A2
        if self.green_kubo is not None:
            arrays["conductivity_lag_ps"] = self.green_kubo.lag_ps
            arrays["conductivity_running_S_per_m"] = self.green_kubo.running
            arrays["conductivity_running_error_S_per_m"] = self.green_kubo.running_error
        return arrays


def transport_from_run(
    stem: str | Path | FinishedTrajectory,
    *,
    charge_numbers: Mapping[str, float] | None = None,
    epsilon_infinity: float | None = None,
    recorded: str | None = None,
    viscosity_mPa_s: float | None = None,
    skip_ps: float = 0.0,
    temperature_K: float | None = None,
    fit_ps: tuple[float, float] | None = None,
    plateau_ps: tuple[float, float] | None = None,
    blocks: int = 5,
    output: str | Path | None = None,
    overwrite: bool = False,
) -> TransportResult:
    """Compute the diffusion of each element and the conductivity by all possible methods.

    Parameters
    ----------
    stem : str, Path or FinishedTrajectory
        Stem of the run, or a trajectory of any program. ``<stem>.traj`` (diffusion,
        Nernst–Einstein), ``<stem>-current.npz`` (Green–Kubo) and ``<stem>-dipole.npz``
        (Einstein–Helfand) are read if they exist.
    charge_numbers : mapping, optional
        Charges in e of the elements that are ions; by default from `monatomic_ions`.
    epsilon_infinity, recorded
        See `ElectronicScreening`; by default from the calculator of the run. Not used for
        Nernst–Einstein.
    viscosity_mPa_s : float, optional
        Viscosity for the finite-size correction of diffusion coefficients.
    skip_ps, temperature_K, output, overwrite
        See `infrared_from_run`; ``<output>.npz`` and ``<output>-summary.yml`` are written.
    fit_ps : (float, float), optional
        Range of lags in which displacements are fitted; see `diffusion`.
    plateau_ps : (float, float), optional
        Plateau of the running integral; see `conductivity_green_kubo`.
    blocks : int
        Maximum number of blocks for standard errors.

    Raises
    ------
    FileNotFoundError
        If none of these files exists.
    """
    files = prepared_output(output, overwrite)
    finished = stem if isinstance(stem, FinishedTrajectory) else None
    path = finished.path if finished else Path(str(stem))
    scaling: dict[str, Any] = {"epsilon_infinity": epsilon_infinity, "recorded": recorded}
    runs = {
        kind: read_recorded_run(path, kind, skip_ps=skip_ps, temperature_K=temperature_K, **scaling)
        for kind in ("current", "dipole")
        if finished is None and series_path(path, kind).exists()
    }
    has_frames = finished is not None or trajectory_path(path).exists()
    if not runs and not has_frames:
        raise FileNotFoundError(
            f"no run '{path}': none of {trajectory_path(path)}, {series_path(path, 'current')} and "
            f"{series_path(path, 'dipole')} exists"
        )
    temperature = temperature_K or (math.nan if finished else logged_temperature(path, skip_ps))
    volume = None
    for run in runs.values():
        temperature, volume = run.temperature_K, run.volume_A3
    notes = [
        f"no {method} conductivity: the run did not record its {kind}; record it with "
        f"`ase-les md ... --observe {kind}`"
        for kind, method in (("current", "Green–Kubo"), ("dipole", "Einstein–Helfand"))
        if kind not in runs
    ]
    moving: tuple[Diffusion, ...] = ()
    charges: dict[str, float] = {}
    if has_frames:
        frames, spacing_fs = read_frames(stem, skip_ps)
        charges = _charge_numbers(frames[0], charge_numbers)
        if volume is None and frames[0].pbc.all():
            volume = float(np.mean([atoms.cell.volume for atoms in frames]))
        moving = diffusion_of_elements(
            frames,
            spacing_fs,
            fit_ps=fit_ps,
            blocks=blocks,
            temperature_K=temperature if temperature > 0 else None,
            viscosity_mPa_s=viscosity_mPa_s,
        )
        notes += joined_legs_notes(frames) + _doubts(moving)
    else:
        notes.append(f"{trajectory_path(path)} does not exist: no diffusion, no Nernst–Einstein")
    ions = [each for each in moving if each.species in charges]
    conductivities: dict[str, Any] = {}
    if volume is not None:
        conductivities, more = _conductivities(
            runs, volume, temperature, plateau_ps=plateau_ps, fit_ps=fit_ps, blocks=blocks
        )
        notes += more
        if ions and temperature > 0:
            conductivities["nernst_einstein"] = conductivity_nernst_einstein(
                ions, charges, volume, temperature
            )
        elif ions:
            notes.append("no Nernst–Einstein conductivity: the temperature is unknown, set it")
    elif runs:
        notes.append("no conductivity: it is defined for a bulk with three periodic directions")
    result = TransportResult(
        stem=path,
        temperature_K=temperature,
        volume_A3=volume,
        diffusion=moving,
        **conductivities,
        charge_numbers={ion.species: charges[ion.species] for ion in ions},
        viscosity_mPa_s=viscosity_mPa_s,
        runs=tuple(runs.values()),
        notes=(*notes, *limits_of_run(path)),
    )
    if files is not None:
        write_result(files, result)
    return result


def _doubts(moving: Sequence[Diffusion]) -> list[str]:
    return [
        f"D of {each.species} is not a diffusion coefficient yet: {'; '.join(each.doubts)}"
        for each in moving
        if each.doubts
    ]


def _conductivities(
    runs: Mapping[str, RecordedRun],
    volume_A3: float,
    temperature_K: float,
    *,
    plateau_ps: tuple[float, float] | None,
    fit_ps: tuple[float, float] | None,
    blocks: int,
) -> tuple[dict[str, Any], list[str]]:
    """Return the conductivities of recorded series by field of the result, and notes."""
    found: dict[str, Any] = {}
    notes: list[str] = []
    if current := runs.get("current"):
        found["green_kubo"] = conductivity_green_kubo(
            current.moments,
            current.timestep_fs,
            volume_A3,
            current.temperature_K,
            plateau_ps=plateau_ps,
            blocks=blocks,
        )
        notes += _plateau_notes(found["green_kubo"])
    if dipole := runs.get("dipole"):
        found["einstein_helfand"] = conductivity_einstein_helfand(
            dipole.moments,
            dipole.timestep_fs,
            volume_A3,
            temperature_K,
            fit_ps=fit_ps,
            blocks=blocks,
        )
    return found, notes


def _plateau_notes(found: GreenKubo) -> list[str]:
    if found.has_plateau:
        return []
    return [
        f"the running integral drifts by {found.drift:.2g} S/m over the plateau: choose "
        "another plateau from the figure, or run longer"
    ]


def _charge_numbers(atoms: Atoms, given: Mapping[str, float] | None) -> dict[str, float]:
    """Return the given charges after a check, or those of known monatomic ions."""
    symbols = set(atoms.symbols)
    if given is not None:
        absent = sorted(set(given) - symbols)
        if absent:
            raise ValueError(
                f"charge numbers are given for {', '.join(absent)}, but the structure contains "
                f"{', '.join(sorted(symbols))}"
            )
        return dict(given)
    return {symbol: float(charge) for symbol, charge in monatomic_ions(atoms).items()}

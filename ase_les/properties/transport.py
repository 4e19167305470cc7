"""Diffusion and ionic conductivity of a run, side by side: what ``ase-les transport`` tells.

The parts are in `ase_les.properties.diffusion` and `ase_les.properties.conductivity`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

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
    RecordedRun,
    logged_temperature,
    read_frames,
    read_recorded_run,
    series_path,
    trajectory_path,
)
from ase_les.reports import terminal
from ase_les.reports.figures import Panel
from ase_les.runs.output import OutputFiles, prepared_output, write_arrays, write_summary
from ase_les.statistics import Estimate


@dataclass(frozen=True)
class TransportResult:
    """What one run tells of transport; None where it did not record what is needed.

    Attributes
    ----------
    diffusion : tuple of Diffusion
    green_kubo, einstein_helfand, nernst_einstein : conductivities in S/m
    charge_numbers : mapping
        Of the ions in Nernst–Einstein.
    """

    stem: Path
    temperature_K: float
    volume_A3: float | None
    diffusion: tuple[Diffusion, ...]
    green_kubo: GreenKubo | None
    einstein_helfand: Estimate | None
    nernst_einstein: Estimate | None
    charge_numbers: Mapping[str, float]
    viscosity_mPa_s: float | None
    runs: tuple[RecordedRun, ...]
    notes: tuple[str, ...]

    def summary(self) -> dict[str, object]:
        """Plain containers for YAML and JSON."""
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
                    "diffusion_A2_per_ps": each.diffusion_A2_per_ps,
                    "infinite_cell_A2_per_ps": each.infinite_A2_per_ps,
                    "fit_ps": each.fit_ps,
                    "exponent": each.exponent,
                    "blocks": each.n_blocks,
                }
                for each in self.diffusion
            },
            "conductivity": conductivity,
            "notes": list(self.notes),
        }


def transport_from_run(
    stem: str | Path,
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
    quiet: bool = False,
) -> TransportResult:
    """Diffusion of every element, and the conductivity in all ways the run's records allow.

    Parameters
    ----------
    stem : str or Path
        Of the run: ``<stem>.traj`` (diffusion, Nernst–Einstein), ``<stem>-current.npz``
        (Green–Kubo) and ``<stem>-dipole.npz`` (Einstein–Helfand) are read, those that are there.
    charge_numbers : mapping, optional
        Of the elements that are ions, in e; by default those of `monatomic_ions`.
    epsilon_infinity, recorded
        See `ElectronicScreening`; None is what the calculator of the run had. Nernst–Einstein takes
        neither.
    viscosity_mPa_s : float, optional
        For the correction of the diffusion for the size of the cell.
    skip_ps, temperature_K, output, overwrite, quiet
        See `infrared_from_run`.
    fit_ps : (float, float), optional
        Lags for the slope of displacements; see `diffusion`.
    plateau_ps : (float, float), optional
        Of the running integral; see the module.
    blocks : int
        For the errors.

    Raises
    ------
    FileNotFoundError
        If there is no such run.
    """
    files = prepared_output(output, overwrite)
    runs = {
        kind: read_recorded_run(
            stem,
            kind,
            skip_ps=skip_ps,
            temperature_K=temperature_K,
            epsilon_infinity=epsilon_infinity,
            recorded=recorded,
        )
        for kind in ("current", "dipole")
        if series_path(stem, kind).exists()
    }
    if not runs and not trajectory_path(stem).exists():
        raise FileNotFoundError(
            f"no run '{stem}': neither {trajectory_path(stem)}, {series_path(stem, 'current')} nor "
            f"{series_path(stem, 'dipole')} is there"
        )
    temperature = temperature_K or logged_temperature(stem, skip_ps)
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
    if trajectory_path(stem).exists():
        frames, spacing_fs = read_frames(stem, skip_ps)
        charge_numbers = _charge_numbers(frames[0], charge_numbers)
        if volume is None and frames[0].pbc.all():
            volume = float(np.mean([atoms.cell.volume for atoms in frames]))
        moving = diffusion_of_elements(
            frames,
            spacing_fs,
            fit_ps=fit_ps,
            blocks=blocks,
            temperature_K=temperature,
            viscosity_mPa_s=viscosity_mPa_s,
        )
        notes += [
            f"{each.species}: displacements grow like t^{each.exponent:.2f}, which is not diffusive"
            for each in moving
            if not 0.8 < each.exponent < 1.2
        ]
    else:
        notes.append(f"no {trajectory_path(stem)}: no diffusion, no Nernst–Einstein")
    if runs and volume is None:
        notes.append("no conductivity: it is one of a bulk, which repeats in three directions")
    ions = [each for each in moving if each.species in (charge_numbers or {})]
    green_kubo = helfand = nernst = None
    if "current" in runs and volume is not None:
        green_kubo = conductivity_green_kubo(
            runs["current"].moments,
            runs["current"].timestep_fs,
            volume,
            temperature,
            plateau_ps=plateau_ps,
            blocks=blocks,
        )
        if not abs(green_kubo.drift) <= 2 * green_kubo.value.standard_error:
            notes.append(
                f"the running integral drifts by {green_kubo.drift:.2g} S/m over the plateau: "
                "choose another one from the figure, or run longer"
            )
    if "dipole" in runs and volume is not None:
        helfand = conductivity_einstein_helfand(
            runs["dipole"].moments,
            runs["dipole"].timestep_fs,
            volume,
            temperature,
            fit_ps=fit_ps,
            blocks=blocks,
        )
    if ions and volume is not None:
        nernst = conductivity_nernst_einstein(ions, charge_numbers, volume, temperature)
    result = TransportResult(
        stem=Path(stem),
        temperature_K=temperature,
        volume_A3=volume,
        diffusion=moving,
        green_kubo=green_kubo,
        einstein_helfand=helfand,
        nernst_einstein=nernst,
        charge_numbers={ion.species: charge_numbers[ion.species] for ion in ions},
        viscosity_mPa_s=viscosity_mPa_s,
        runs=tuple(runs.values()),
        notes=tuple(notes),
    )
    if files is not None:
        _write(files, result)
    _tell(result, quiet)
    return result


def _charge_numbers(atoms: Atoms, given: Mapping[str, float] | None) -> dict[str, float]:
    """Those given, checked against the structure; or those of lone atoms that are known ions."""
    symbols = set(atoms.symbols)
    if given is not None:
        absent = sorted(set(given) - symbols)
        if absent:
            raise ValueError(
                f"charge numbers are given for {', '.join(absent)}, and the structure has "
                f"{', '.join(sorted(symbols))}"
            )
        return dict(given)
    return monatomic_ions(atoms)


def _write(files: OutputFiles, result: TransportResult) -> None:
    arrays, drawings = {}, []
    if result.diffusion:
        lag_ps = result.diffusion[0].lag_ps
        arrays["msd_lag_ps"] = lag_ps
        for each in result.diffusion:
            arrays[f"msd_{each.species}_A2"] = each.msd_A2
            arrays[f"msd_{each.species}_error_A2"] = each.msd_error_A2
        panel = Panel(
            "mean squared\ndisplacement (Å²)",
            {each.species: each.msd_A2 for each in result.diffusion},
            bands={each.species: each.msd_error_A2 for each in result.diffusion},
        )
        drawings.append((lag_ps, panel))
    if result.green_kubo is not None:
        found = result.green_kubo
        arrays["conductivity_lag_ps"] = found.lag_ps
        arrays["conductivity_running_S_per_m"] = found.running
        arrays["conductivity_running_error_S_per_m"] = found.running_error
        name = "Green–Kubo"
        lines = {name: found.running}
        others = {"Einstein–Helfand": result.einstein_helfand}
        others["Nernst–Einstein"] = result.nernst_einstein
        for other, value in others.items():
            if value is not None:
                lines[other] = np.full(len(found.lag_ps), value.mean)
        panel = Panel("conductivity (S/m)", lines, bands={name: found.running_error})
        drawings.append((found.lag_ps, panel))
    write_arrays(files.arrays, arrays)
    _draw(files.figure, drawings)
    write_summary(files.summary, result.summary())


def _draw(path: Path, drawings: Sequence[tuple[np.ndarray, Panel]]) -> None:
    """Panels above each other, each with an axis of lags of its own."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 0.6 + 2.6 * max(len(drawings), 1)), layout="constrained")
    axes = figure.subplots(max(len(drawings), 1), 1, squeeze=False)[:, 0]
    for axis, (lag_ps, panel) in zip(axes, drawings, strict=False):
        for name, values in panel.curves.items():
            (line,) = axis.plot(lag_ps, values, label=name, linewidth=1.0)
            if name in panel.bands:
                low, high = values - panel.bands[name], values + panel.bands[name]
                axis.fill_between(lag_ps, low, high, color=line.get_color(), alpha=0.3, linewidth=0)
        axis.set_xlabel("time (ps)")
        axis.set_ylabel(panel.label)
        axis.legend(frameon=False)
    figure.savefig(path, dpi=150)


def _tell(result: TransportResult, quiet: bool) -> None:
    console = terminal.console(quiet)
    rows: dict[str, object] = {"temperature (K)": result.temperature_K}
    for each in result.diffusion:
        rows[f"D of {each.species} (Å²/ps = 1e-8 m²/s)"] = each.diffusion_A2_per_ps
        if each.infinite_A2_per_ps is not None:
            rows[f"D of {each.species}, infinite cell (Å²/ps)"] = each.infinite_A2_per_ps
    if result.green_kubo is not None:
        rows["conductivity, Green–Kubo (S/m)"] = result.green_kubo.value
    if result.einstein_helfand is not None:
        rows["conductivity, Einstein–Helfand (S/m)"] = result.einstein_helfand
    if result.nernst_einstein is not None:
        rows["conductivity, Nernst–Einstein (S/m)"] = result.nernst_einstein
    console.print(terminal.results_table(str(result.stem), rows))
    for note in result.notes:
        console.print(f"Note: {note}", markup=False, highlight=False, soft_wrap=True)

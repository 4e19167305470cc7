"""Sum-frequency generation and infrared spectra by layer of a film of water in vacuum.

    python workflows/19_sum_frequency_of_water.py                  20 ps after 1.4 ps
    python workflows/19_sum_frequency_of_water.py --quick          a minute; a demonstration
    python workflows/19_sum_frequency_of_water.py --model water-rpbe-d3-accurate

Molecular dynamics of 64 molecules between vacuum; a run that was stopped continues where it was.
Positions and velocities are stored every 2 fs. From these,

- Im χ(2) with ssp polarization from the velocities of the O–H bonds (Ohto et al. 2015), of the
  whole surface and of layers below the instantaneous interface (Willard and Chandler 2010), beside
  the bands of experiment,
- infrared absorption of the same layers from the currents of the model every 4 fs.

The models are trained on the bulk at one density. Nuclei are classical, which leaves the stretch
some 100–200 1/cm higher than quantum nuclei would; the shift by the time step is corrected in
the tables. Writes ``<output>/film.*`` (the run), ``chi.*``, ``chi-frequency.*``, ``layers.*`` and
``study-summary.yml``.
"""

import argparse
from dataclasses import asdict
from pathlib import Path

import torch
from ase.io import read
from rich.console import Console

from ase_les import LESCalculator
from ase_les.properties.infrared_layers import infrared_of_layers, record_layers
from ase_les.properties.molecules import whole_molecules
from ase_les.properties.profiles import profiles
from ase_les.properties.recorded_run import read_frames
from ase_les.properties.spectral_peaks import Band, without_verlet_shift
from ase_les.properties.sum_frequency import sum_frequency, sum_frequency_of_trajectory
from ase_les.reports import dynamics
from ase_les.reports import infrared_layers as layer_report
from ase_les.reports import sum_frequency as report
from ase_les.reports.terminal import TerminalProgress, results_table
from ase_les.runs.output import write_arrays, write_summary
from ase_les.simulation import resume_dynamics, run_dynamics
from ase_les.simulation.accumulators import SumFrequency
from ase_les.simulation.surface_layers import SurfaceLayers

FRAMES_FS = 2.0
# Free O–H: beyond all but a few percent of the hydrogen-bonded ones.
FREE = Band("free O–H", 3650.0, 3850.0)
STRETCH = Band("O–H stretch", 2900.0, 3900.0)


def run(arguments: argparse.Namespace, calculator: LESCalculator, stem: Path):
    """Return the result of the run, started or continued."""
    if stem.with_name("film.checkpoint").exists():
        return resume_dynamics(stem, calculator, steps=arguments.steps, progress=TerminalProgress())
    liquid = read(Path(__file__).with_name("water64.extxyz"))
    film = whole_molecules(liquid, tolerance=1.3)
    film.pbc = (True, True, False)
    film.center(vacuum=12.0, axis=2)
    film.calc = calculator
    return run_dynamics(
        film,
        ensemble="nvt-bussi",
        temperature_K=arguments.temperature,
        timestep_fs=arguments.timestep,
        steps=arguments.steps,
        seed=1,
        thermostat_time_fs=100.0,
        beyond_limits=True,
        trajectory_stride=max(round(FRAMES_FS / arguments.timestep), 1),
        trajectory_properties=[],
        output=stem,
        progress=TerminalProgress(),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="water-rpbe-d3")
    parser.add_argument("--steps", type=int, default=42_800)
    parser.add_argument("--timestep", type=float, default=0.5, help="in fs")
    parser.add_argument("--skip", type=float, default=1.4, help="in ps, to equilibrate")
    parser.add_argument("--temperature", type=float, default=300.0, help="in K")
    parser.add_argument("--surface", default="instantaneous", help="or planes")
    parser.add_argument(
        "--edges", default="3,5", help="between layers in Å: depths, or distances from the middle"
    )
    parser.add_argument("--max-lag", type=float, default=500.0, help="in fs")
    parser.add_argument("--output", type=Path, default=Path("sum_frequency_of_water"))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="0.16 ps")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    if arguments.quick:
        arguments.steps, arguments.timestep = 160, 1.0
        arguments.skip, arguments.max_lag = 0.02, 100.0
    calculator = LESCalculator(arguments.model)
    result = run(arguments, calculator, arguments.output / "film")
    dynamics.write(result)
    dynamics.show(result)
    if result.stopped is not None:
        raise SystemExit(f"{result.stopped}; start again to continue")

    # A continued run has the settings of its start.
    frames, interval_fs = read_frames(arguments.output / "film", arguments.skip)
    layers = SurfaceLayers(
        tuple(float(edge) for edge in arguments.edges.split(",")), arguments.surface
    )
    accumulator = SumFrequency(interval_fs, arguments.max_lag, layers)
    correlation = sum_frequency_of_trajectory(frames, accumulator, TerminalProgress())
    write_arrays(arguments.output / "film-sfg.npz", correlation.arrays())
    spectra = {}
    for moments, name in (("constant", "chi"), ("frequency", "chi-frequency")):
        output = arguments.output / name
        spectra[moments] = sum_frequency(
            correlation, transition_moments=moments, output=output, overwrite=True
        )
        report.write(spectra[moments], output)
        report.show(spectra[moments], md_timestep_fs=result.settings.timestep_fs)

    output = arguments.output / "layers"
    series = record_layers(frames[::2], calculator, layers, 2 * interval_fs, TerminalProgress())
    series.save(output.with_name("layers-layers.npz"))
    infrared = infrared_of_layers(
        output,
        layers=layers,
        bands=(STRETCH, FREE),
        resolution_per_cm=400.0 if arguments.quick else 60.0,
        window="hann",
        upto_per_cm=4500.0,
        output=output,
        overwrite=True,
    )
    layer_report.write(infrared, output)
    layer_report.show(infrared)
    summarize(arguments, calculator, result, spectra, infrared, frames)


def in_order(arguments, spectra) -> dict:
    """Return the spectra of the layers by name, the outermost first."""
    named = {name: spectra.spectrum(index) for index, name in enumerate(spectra.layers)}
    return named if arguments.surface == "instantaneous" else dict(reversed(named.items()))


def summarize(arguments, calculator, result, spectra, infrared, frames) -> None:
    """Write and print what the study asks: where free O–H is, and signs and order of the bands."""
    bonded, free = spectra["constant"].water_bands
    timestep_fs = result.settings.timestep_fs
    shares = {}
    for name, one in in_order(arguments, infrared.spectra).items():
        parts = [
            one.integrated_intensity_km_per_mol(band.low_per_cm, band.high_per_cm).mean
            for band in (FREE, STRETCH)
        ]
        shares[name] = parts[0] / parts[1]
    density = profiles(frames[::20], center_on="film", bin_A=0.5)
    rows = {
        "temperature / K": result.temperature_K,
        "positive band of Im χ / (1/cm)": free.center_per_cm,
        "time step corrected": without_verlet_shift(free.center_per_cm.mean, timestep_fs),
        "its height / (1e-22 m²/V)": free.height,
        "negative band of Im χ / (1/cm)": bonded.center_per_cm,
        "negative band, time step corrected": without_verlet_shift(
            bonded.center_per_cm.mean, timestep_fs
        ),
        "depth of the negative band": bonded.height,
        **{
            f"share of O–H stretch above {FREE.low_per_cm:g} 1/cm, {name}": share
            for name, share in shares.items()
        },
    }
    if density.faces is not None:
        rows["density in the middle / (g/cm³)"] = density.faces.density_g_per_cm3
        rows["thickness / Å"] = density.faces.thickness_A
    Console(stderr=True).print(results_table(f"film of water, {arguments.model}", rows))
    if arguments.quick:
        print("quick mode: 0.16 ps, far too short for a result")
    write_summary(
        arguments.output / "study-summary.yml",
        {
            "model": arguments.model,
            "model_hash": calculator.model_hash,
            "quick": arguments.quick,
            "time_ps": result.time_ps,
            "results": rows,
            "bands": [asdict(bonded), asdict(free)],
        },
    )


if __name__ == "__main__":
    main()

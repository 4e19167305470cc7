"""Infrared absorption by layer of anatase (101) and salt water, from currents observed in a run.

    python workflows/18_infrared_by_layer.py                   20 ps of 44 atoms
    python workflows/18_infrared_by_layer.py --quick           under a minute; a demonstration
    python workflows/18_infrared_by_layer.py --structure large.xyz --model my.safetensors

The current of each layer is recorded during the dynamics: no trajectory of velocities is stored.
Layers are planes around the middle of the titanium: oxide, water and ions at its faces, and the
rest of the solution. Each is correlated with the current of everything, so that the layers add up
to the total spectrum. Charges are latent: relative heights and positions of bands have a meaning,
absolute ones would need the dielectric constant of the electrons, which differs between oxide and
water.

The shipped model knows interfaces of 44 atoms with PBE; models/README says how well. Writes
``<output>/interface.*`` (the run), ``layers.*`` and ``study-summary.yml``. A run that was stopped
continues where it was.
"""

import argparse
from pathlib import Path

import torch
from ase.io import read
from rich.console import Console

from ase_les import LESCalculator
from ase_les.properties.infrared_layers import infrared_of_layers
from ase_les.properties.spectral_peaks import Band
from ase_les.reports import dynamics
from ase_les.reports import infrared_layers as report
from ase_les.reports.terminal import TerminalProgress, results_table
from ase_les.runs.output import write_summary
from ase_les.simulation import resume_dynamics, run_dynamics
from ase_les.simulation.surface_layers import SurfaceLayers

STRUCTURE = Path(__file__).parents[1] / "models" / "tio2-nacl-aq" / "start.extxyz"
BANDS = (Band("lattice", 300, 1000), Band("bend", 1400, 1850), Band("O–H stretch", 2400, 3900))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="tio2-nacl-aq")
    parser.add_argument("--structure", type=Path, default=STRUCTURE)
    parser.add_argument("--center", default="Ti", help="elements of the solid")
    parser.add_argument("--edges", default="3.5,5.7", help="distances from its middle in Å")
    parser.add_argument("--steps", type=int, default=40_000, help="of 0.5 fs")
    parser.add_argument("--skip", type=float, default=2.0, help="in ps, to equilibrate")
    parser.add_argument("--temperature", type=float, default=300.0, help="in K")
    parser.add_argument("--resolution", type=float, default=30.0, help="in 1/cm")
    parser.add_argument("--output", type=Path, default=Path("infrared_by_layer"))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="0.15 ps")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    if arguments.quick:
        arguments.steps, arguments.skip, arguments.resolution = 300, 0.01, 300.0
    edges = tuple(float(edge) for edge in arguments.edges.split(","))
    layers = SurfaceLayers(edges, center_on=arguments.center, axis="c")
    calculator = LESCalculator(arguments.model)
    stem = arguments.output / "interface"
    if stem.with_name("interface.checkpoint").exists():
        run = resume_dynamics(stem, calculator, steps=arguments.steps, progress=TerminalProgress())
    else:
        atoms = read(arguments.structure, 0)
        atoms.calc = calculator
        options = {"edges_A": list(edges), "center_on": arguments.center, "axis": "c"}
        run = run_dynamics(
            atoms,
            ensemble="nvt-bussi",
            temperature_K=arguments.temperature,
            timestep_fs=0.5,
            steps=arguments.steps,
            seed=1,
            # The structure of the data set is not quite relaxed and heats up.
            thermostat_time_fs=50.0,
            beyond_limits=True,
            trajectory_stride=200,
            observe={"layers": options},
            output=stem,
            progress=TerminalProgress(),
        )
    dynamics.write(run)
    dynamics.show(run)
    if run.stopped is not None:
        raise SystemExit(f"{run.stopped}; start again to continue")
    output = arguments.output / "layers"
    result = infrared_of_layers(
        stem,
        layers=layers,
        skip_ps=arguments.skip,
        bands=BANDS,
        resolution_per_cm=arguments.resolution,
        window="hann",
        upto_per_cm=4500.0,
        output=output,
        overwrite=True,
    )
    report.write(result, output)
    report.show(result)
    rows: dict[str, object] = {
        "temperature / K": run.temperature_K,
        "time / ps": run.time_ps,
    }
    for name in result.spectra.layers:
        for peak in result.peaks[name]:
            rows[f"{name}: {peak.band.name} / (1/cm)"] = peak.center_per_cm
    title = f"{run.atoms.get_chemical_formula()}, {arguments.model}"
    Console(stderr=True).print(results_table(title, rows))
    if arguments.quick:
        print("quick mode: 0.15 ps, far too short for a result")
    write_summary(
        arguments.output / "study-summary.yml",
        {
            "model": arguments.model,
            "model_hash": calculator.model_hash,
            "quick": arguments.quick,
            "results": rows,
        },
    )


if __name__ == "__main__":
    main()

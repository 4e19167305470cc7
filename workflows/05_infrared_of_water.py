"""Infrared spectrum of liquid water with the shipped model, beside experiment.

    python workflows/05_infrared_of_water.py                     2 ps to equilibrate, 20 ps of data
    python workflows/05_infrared_of_water.py --reference measured.txt
    python workflows/05_infrared_of_water.py --smoke             under a minute; a demonstration

Molecular dynamics with the current J = ΣZ*v every 2 fs, then α(ω)n(ω) in absolute units. A run
that was stopped goes on where it was; one that is complete is only analyzed again. Writes
``<output>/water.*`` (the run) and ``<output>/water-infrared-summary.yml``, ``.npz``, ``.png``.

Latent charges are screened: the current is multiplied by √ε∞, and absorption by ε∞. Nuclei are
classical, which leaves the O–H stretch some 100–200 1/cm higher than quantum nuclei would have it.
"""

import argparse
from pathlib import Path

import torch
from ase.io import read
from rich.console import Console

from ase_les import LESCalculator
from ase_les.properties.infrared_dynamics import infrared_from_run, read_reference_spectrum
from ase_les.properties.spectral_peaks import Band
from ase_les.reports import dynamics
from ase_les.reports import infrared_dynamics as report
from ase_les.reports.terminal import TerminalProgress
from ase_les.simulation import Stage, resume_dynamics, run_dynamics

EPSILON_INFINITY = 1.78
BANDS = (
    Band("H-bond stretch", 100, 300),
    Band("libration", 400, 1000),
    Band("bend", 1500, 1850),
    Band("O-H stretch", 2800, 4000),
)
# Experiment at room temperature. RPBE-D3 spectra are published as figures (P. Schienbein, J. Chem.
# Theory Comput. 19, 705 (2023); K. Joll et al., Nat. Commun. 15, 8192 (2024)) without a table of
# positions: give one of them, digitized, as --reference; it gets a column and is drawn beside.
EXPERIMENT = {
    "H-bond stretch": "180–200",
    "libration": "600–700",
    "bend": "1645",
    "O-H stretch": "3400",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="water-rpbe-d3")
    parser.add_argument("--steps", type=int, default=40_000, help="that are recorded")
    parser.add_argument("--equilibration", type=int, default=4_000, help="steps before these")
    parser.add_argument("--timestep", type=float, default=0.5, help="in fs")
    parser.add_argument("--temperature", type=float, default=300.0, help="in K")
    parser.add_argument("--resolution", type=float, default=20.0, help="in 1/cm")
    parser.add_argument("--reference", type=Path, help="text: 1/cm and intensity")
    parser.add_argument("--output", type=Path, default=Path("infrared_of_water"))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--smoke", action="store_true", help="0.2 ps of data, 200 1/cm")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    if arguments.smoke:
        arguments.equilibration, arguments.steps, arguments.resolution = 100, 400, 200.0

    stem = arguments.output / "water"
    calculator = LESCalculator(arguments.model)
    if stem.with_name("water.checkpoint").exists():
        steps = arguments.equilibration + arguments.steps
        run = resume_dynamics(stem, calculator, steps=steps, progress=TerminalProgress())
    else:
        atoms = read(Path(__file__).with_name("water64.extxyz"))
        atoms.calc = calculator
        run = run_dynamics(
            atoms,
            ensemble="nvt-bussi",
            temperature_K=arguments.temperature,
            timestep_fs=arguments.timestep,
            stages=[
                Stage("equilibrate", arguments.equilibration),
                # A thermostat this weak leaves the motion, and with it the spectrum, alone.
                Stage(
                    "record",
                    arguments.steps,
                    thermostat_time_fs=1000.0,
                    observe=["current", "dipole:10"],
                ),
            ],
            seed=1,
            output=stem,
            progress=TerminalProgress(),
        )
    dynamics.write(run)
    dynamics.show(run)
    if run.stopped is not None:
        raise SystemExit(f"{run.stopped}; start again to continue")
    output = arguments.output / "water-infrared"
    result = infrared_from_run(
        stem,
        epsilon_infinity=EPSILON_INFINITY,
        molecules=64,
        resolution_per_cm=arguments.resolution,
        # The Hann window needs the shorter run.
        window="hann" if arguments.smoke else "gaussian",
        bands=BANDS,
        reference=arguments.reference,
        upto_per_cm=4500.0,
        output=output,
        overwrite=True,
    )
    report.write(result, output)
    report.show(result)
    references = {"experiment": EXPERIMENT}
    if arguments.reference is not None:
        references[arguments.reference.stem] = tops(arguments.reference)
    table = report.comparison_table(
        "Bands of liquid water", result.peaks, arguments.timestep, references
    )
    Console().print(table)


def tops(reference: Path) -> dict[str, str]:
    """Return the wave number of the maximum of a reference spectrum in each band."""
    wavenumber, height = read_reference_spectrum(reference).T
    found = {}
    for band in BANDS:
        inside = (wavenumber > band.low_per_cm) & (wavenumber < band.high_per_cm)
        if inside.any():
            found[band.name] = f"{wavenumber[inside][height[inside].argmax()]:.0f}"
    return found


if __name__ == "__main__":
    main()

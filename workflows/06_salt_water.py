"""NaCl solution: who stands around the ions, how fast they walk, how well they conduct.

    python workflows/06_salt_water.py                            the shipped model, nacl-aq
    python workflows/06_salt_water.py --model checkpoint.pth     another that covers H, O, Na, Cl
    python workflows/06_salt_water.py --smoke                    under a minute; a demonstration

Ion pairs take the place of water molecules in a cell of 64 of them, as far from each other as they
can, unless a ``--structure`` is given. Molecular dynamics records the current J = ΣZ*v at every
step; then radial distribution functions, diffusion and the conductivity by Green–Kubo beside
Nernst–Einstein. A stopped run is continued.

Writes ``<output>/salt-water.*`` (the run), ``-rdf.yml``, and ``-transport-summary.yml``, ``.npz``,
``.png``. A nanosecond is what a conductivity takes; the default of 20 ps shows its order of
magnitude and its error.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from ase import Atoms
from ase.io import read
from rich.console import Console

from ase_les import LESCalculator
from ase_les.properties.molecules import molecules
from ase_les.properties.recorded_run import read_frames
from ase_les.properties.transport import transport_from_run
from ase_les.reports import averages, dynamics, transport
from ase_les.reports.terminal import TerminalProgress, columns_table
from ase_les.runs.output import write_summary
from ase_les.simulation import Stage, relax, resume_dynamics, run_dynamics
from ase_les.simulation.accumulators import RadialDistribution

EPSILON_INFINITY = 1.78
# mPa s at 300 K: L. Korson, W. Drost-Hansen, F. J. Millero, J. Phys. Chem. 73, 34 (1969).
VISCOSITY_OF_WATER = 0.85


def salt_water(pairs: int) -> Atoms:
    """64 water molecules, two of them replaced by ions for every pair."""
    atoms = read(Path(__file__).with_name("water64.extxyz"))
    groups = molecules(atoms)
    oxygen = np.array([next(i for i in group if atoms.numbers[i] == 8) for group in groups])
    distances = atoms.get_all_distances(mic=True)[np.ix_(oxygen, oxygen)]
    chosen: list[int] = []
    while len(chosen) < 2 * pairs:
        nearest = distances[chosen].min(axis=0, initial=np.inf)
        chosen.append(int(nearest.argmax()))
    for number, molecule in enumerate(chosen):
        atoms.symbols[oxygen[molecule]] = ("Na", "Cl")[number % 2]
    del atoms[[i for molecule in chosen for i in groups[molecule] if atoms.numbers[i] == 1]]
    # What was recorded with the structure is of the water that it was.
    return Atoms(atoms.symbols, atoms.positions, cell=atoms.cell, pbc=True)


def distributions(stem: Path, skip_ps: float) -> dict[str, dict]:
    """First maximum and coordination of every pair of elements that is there."""
    frames, _ = read_frames(stem, skip_ps)
    elements = set(frames[0].symbols)
    found = {}
    for pair in (("Na", "O"), ("Cl", "O"), ("Cl", "H"), ("Na", "Cl"), ("O", "O"), ("O", "H")):
        if not elements.issuperset(pair):
            continue
        radial = RadialDistribution(pair)
        for atoms in frames:
            radial.add(atoms)
        result = radial.result()
        averages.write(result, stem.with_name(f"{stem.name}-rdf-{'-'.join(pair)}"))
        found["-".join(pair)] = result.summary()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="nacl-aq", help="that covers H, O, Na, Cl")
    parser.add_argument("--structure", type=Path, help="instead of the one that is built")
    parser.add_argument("--pairs", type=int, default=2, help="NaCl among 64 molecules; 1.8 mol/l")
    parser.add_argument("--steps", type=int, default=40_000, help="that are recorded")
    parser.add_argument("--equilibration", type=int, default=4_000, help="steps before these")
    parser.add_argument("--timestep", type=float, default=0.5, help="in fs")
    parser.add_argument("--temperature", type=float, default=300.0, help="in K")
    parser.add_argument("--output", type=Path, default=Path("salt_water"))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--smoke", action="store_true", help="0.15 ps")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    if arguments.smoke:
        arguments.equilibration, arguments.steps = 100, 300
    skip_ps = arguments.equilibration * arguments.timestep * 1e-3
    console = Console(stderr=True)

    arguments.output.mkdir(parents=True, exist_ok=True)
    stem = arguments.output / "salt-water"
    calculator = LESCalculator(arguments.model)
    if stem.with_name("salt-water.checkpoint").exists():
        steps = arguments.equilibration + arguments.steps
        run = resume_dynamics(stem, calculator, steps=steps, progress=TerminalProgress())
    else:
        built = arguments.structure is None
        atoms = salt_water(arguments.pairs) if built else read(arguments.structure)
        atoms.calc = calculator
        # Ions are larger or smaller than the molecules they replace.
        relaxed = relax(
            atoms,
            fmax=0.5,
            steps=20 if arguments.smoke else 100,
            output=arguments.output / "relaxed",
            overwrite=True,
        ).atoms
        relaxed.calc = calculator
        run = run_dynamics(
            relaxed,
            ensemble="nvt-bussi",
            temperature_K=arguments.temperature,
            timestep_fs=arguments.timestep,
            stages=[
                Stage("equilibrate", arguments.equilibration),
                # A thermostat this weak leaves the motion alone.
                Stage("record", arguments.steps, thermostat_time_fs=1000.0, observe=["current"]),
            ],
            seed=1,
            output=stem,
            progress=TerminalProgress(),
        )
    dynamics.write(run)
    dynamics.show(run)
    if run.stopped is not None:
        raise SystemExit(f"{run.stopped}; start again to continue")
    found = distributions(stem, skip_ps)
    write_summary(stem.with_name("salt-water-rdf.yml"), {"model": arguments.model, "rdf": found})
    rows = [
        (
            name,
            *(
                f"{each['distance_A']:.2f}" if each else "none"
                for each in (radial["first_peak"], radial["first_minimum"])
            ),
            f"{radial['coordination_number_at_first_minimum'] or float('nan'):.2f}",
        )
        for name, radial in found.items()
    ]
    heads = ("pair", "first maximum / Å", "first minimum / Å", "neighbors")
    console.print(columns_table("Structure", heads, rows))
    output = arguments.output / "salt-water-transport"
    result = transport_from_run(
        stem,
        epsilon_infinity=EPSILON_INFINITY,
        viscosity_mPa_s=VISCOSITY_OF_WATER,
        skip_ps=skip_ps,
        output=output,
        overwrite=True,
    )
    transport.write(result, output)
    transport.show(result)


if __name__ == "__main__":
    main()

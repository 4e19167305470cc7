"""Pairs of molecules: learn them at 4 to 12 Å, ask for them at 13 to 15 Å.

    python workflows/12_charged_dimers.py --data charged-dimers    a folder, see below; an hour
    python workflows/12_charged_dimers.py --smoke                  under a minute

Ten structures of a rigid pair are little to learn from, and a short-range model cannot tell 13 Å
from infinity: beyond its cutoff all it knows is a constant. Charges learned from energies and
forces carry Coulomb's law further. For every class of pairs (charged, polar, apolar) a model
with charges and the same model without are trained and compared at distances never trained on.
Start it again to continue after an interruption.

The folder holds ``<class>-train.extxyz`` and ``<class>-test.extxyz`` of the BioFragment dimers
(Huguenin-Dumittan et al. 2023): ten distances of one pair, and three beyond. Where there is no
test file those three are in ``charged_dimers_far.extxyz``, which ``charged_dimers_far.py`` made.
``--smoke`` trains for a few epochs on an excerpt in this folder (12 of 130 frames of charged pairs,
from the atomistic cookbook, BSD-3) and shows nothing but that it runs.

Writes ``<output>/<class>-*`` (models, learning curves), ``<class>.png`` (energy against distance)
and ``dimers-summary.yml``.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from ase import Atoms
from ase.io import read, write
from rich.console import Console
from rich.table import Table

from ase_les import LESCalculator
from ase_les.charges import ChargesConfig
from ase_les.cli.model_recipe import short_range_twin
from ase_les.electrostatics.energy import ElectrostaticsConfig
from ase_les.model import LongRangeConfig
from ase_les.model_config import ArchitectureConfig
from ase_les.reports import training as report
from ase_les.reports.figures import Panel, save_figure
from ase_les.reports.terminal import TerminalProgress
from ase_les.representation import CaceConfig
from ase_les.runs.output import write_summary
from ase_les.training import (
    DataConfig,
    FitSettings,
    GaugeSettings,
    LabelNames,
    LossWeights,
    TrainingConfig,
    TrainingResult,
    train,
)

CLASSES = {
    "CC": "charged, charged",
    "CP": "charged, polar",
    "CA": "charged, apolar",
    "PP": "polar, polar",
    "PA": "polar, apolar",
    "AA": "apolar, apolar",
}
PUBLISHED_FORCES_meV_per_A = {
    "CC": 5.9,
    "CP": 8.6,
    "CA": 1.29,
    "PP": 3.0,
    "PA": 1.23,
    "AA": 0.94,
}
"""LES as published: B. Cheng, npj Comput. Mater. 11, 80 (2025)."""

REPRESENTATION = CaceConfig(cutoff=5.0, n_radial=6, n_mixed=6, n_embedding=3, l_max=2, nu_max=2)
# Charges reach across the gap between the molecules: only a rule that knows the whole structure
# can give each its own. In a cell that never changes 4/Å sums all but 3e-4 of the waves.
LONG_RANGE = LongRangeConfig(
    charges=ChargesConfig(neutrality="mean"),
    electrostatics=ElectrostaticsConfig(smearing=1.0, k_cutoff=4.0, remove_self_energy=True),
)
# Ten structures want many steps: after 300 epochs not even their own forces are learned.
FIT = FitSettings(
    epochs=2000,
    average_decay=0.99,
    loss=LossWeights(energy=1.0, forces=1.0),
    final_loss=LossWeights(energy=100.0, forces=1.0),
    # Charged, polar pairs learn their own forces to 8 meV/Å without, to 2 with it.
    bond_polarity=0.8,
    # Each molecule lies within the cutoff: its Born charges are not determined.
    gauge=GaugeSettings(0.0, 0.0),
    seed=1,
)


def split(kind: str, data: Path) -> tuple[list[Atoms], list[Atoms]]:
    """Structures to train on, and those farther apart."""
    near, far = read(data / f"{kind}-train.extxyz", ":"), data / f"{kind}-test.extxyz"
    if far.exists():
        return near, read(far, ":")
    beyond = read(Path(__file__).with_name("charged_dimers_far.extxyz"), ":")
    return near, [atoms for atoms in beyond if atoms.info["label"] == kind]


def trained(config: TrainingConfig, stem: Path, overwrite: bool) -> TrainingResult:
    """Train on the near structures and test on the far ones; continues an interrupted training."""
    result = train(
        replace(config, output=str(stem)),
        resume=not overwrite and stem.with_suffix(".checkpoint").exists(),
        overwrite=overwrite,
        progress=TerminalProgress(),
    )
    report.write(result, stem)
    report.show(result)
    return result


def compared(
    near: list[Atoms], far: list[Atoms], stem: Path, fit: FitSettings, overwrite: bool
) -> dict[str, dict]:
    """Errors of both models beyond the distances of training, and a figure of their energies."""
    files = {}
    for name, frames in (("near", near), ("far", far)):
        files[name] = str(stem.with_name(f"{stem.name}-{name}.extxyz").resolve())
        write(files[name], frames)
    frames = sorted(near + far, key=lambda atoms: atoms.info["distance"])
    energies = {"reference": np.array([atoms.info["REF_energy"] for atoms in frames])}
    config = TrainingConfig(
        data=DataConfig(files["near"], 0.0, files["far"], LabelNames(stress="none")),
        model=ArchitectureConfig(representation=REPRESENTATION, long_range=LONG_RANGE),
        fit=fit,
    )
    found = {}
    for name, each in (("short range", short_range_twin(config)), ("with charges", config)):
        output = stem.with_name(f"{stem.name}-{name.split()[0]}")
        result = trained(each, output, overwrite)
        calculator = LESCalculator(result.model)
        energies[name] = np.array([calculator.get_potential_energy(atoms) for atoms in frames])
        error = result.errors["test"]
        found[name] = {
            "energy_rmse_meV": error.energy_rmse_meV_per_atom * len(far[0]),
            "forces_rmse_meV_per_A": error.forces_rmse_meV_per_A,
            "seconds": round(result.fit.seconds),
        }
    zero = energies["reference"][-1]
    save_figure(
        stem.with_suffix(".png"),
        np.array([atoms.info["distance"] for atoms in frames]),
        f"distance / Å  (training ends at {near[-1].info['distance']:.1f} Å)",
        [Panel("energy / eV", {name: values - zero for name, values in energies.items()})],
    )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder of the dimers")
    parser.add_argument("--classes", nargs="+", choices=list(CLASSES), default=list(CLASSES))
    parser.add_argument("--smoke", action="store_true", help="a few epochs on the excerpt")
    parser.add_argument("--output", type=Path, default=Path("dimers"))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--overwrite", action="store_true", help="start again from the beginning")
    arguments = parser.parse_args()
    if arguments.data is None and not arguments.smoke:
        parser.error("--data is needed, or --smoke")
    torch.set_num_threads(arguments.threads)
    arguments.output.mkdir(parents=True, exist_ok=True)
    fit = replace(FIT, epochs=4) if arguments.smoke else FIT
    console = Console(stderr=True)

    table = Table(title="forces beyond the distances of training / (meV/Å)", title_justify="left")
    for column in ("pair", "distance / Å", "short range", "with charges", "published LES"):
        table.add_column(column, justify="left" if column == "pair" else "right")
    summary, distances = {}, {}
    for kind in ["CC"] if arguments.smoke else arguments.classes:
        if arguments.smoke:
            frames = read(Path(__file__).with_name("charged_dimers.extxyz"), ":")
            near, far = frames[:-2], frames[-2:]
        else:
            near, far = split(kind, arguments.data)
        console.print(f"{CLASSES[kind]}: {len(near)} structures", highlight=False)
        overwrite = arguments.overwrite or arguments.smoke
        found = compared(near, far, arguments.output / kind, fit, overwrite)
        summary[kind] = found
        distances[kind] = [float(atoms.info["distance"]) for atoms in far]
        table.add_row(
            CLASSES[kind],
            f"{min(distances[kind]):.1f}–{max(distances[kind]):.1f}",
            *(f"{found[name]['forces_rmse_meV_per_A']:.2f}" for name in found),
            f"{PUBLISHED_FORCES_meV_per_A[kind]:.2f}",
        )
    console.print(table)
    if arguments.smoke:
        print("smoke mode: a few epochs on an excerpt; the numbers mean nothing.")
    write_summary(
        arguments.output / "dimers-summary.yml",
        {
            "errors_beyond_training": summary,
            "distances_A": distances,
            "published_forces_rmse_meV_per_A": PUBLISHED_FORCES_meV_per_A,
            "smoke": arguments.smoke,
        },
    )


if __name__ == "__main__":
    main()

"""What aluminum 10 Å below Au2 does to it, and what a short-range model makes of it.

    python workflows/13_gold_out_of_reach.py
    python workflows/13_gold_out_of_reach.py --short-range work/short-range.safetensors

Au2 stands upright on MgO(001) or lies flat on it, with and without an aluminum ion in the lowest
of five layers: the slabs of ``models/au2-mgo``, smaller than those of study 02, with labels of
their own. No atom has both gold and aluminum within the cutoff, so all that a short-range model
can do with aluminum, on a substrate that stays as it is, is add a constant. The model and its
short-range twin (the same architecture without charges, trained as long on the same structures) are
compared with the labels,

- pair by pair: held-back structures with the substrate as it is that differ in the one ion of
  aluminum and in nothing else. How E(doped) − E(undoped) depends on where gold is, is what charge
  does across the slab;
- relaxed: E(wetting) − E(non-wetting), flat Au2 against upright, gold relaxed and substrate kept.

The labels of relaxed structures are those of the minima of an earlier version of the shipped model,
within 0.012 Å of its own (``relaxed.extxyz`` in the output). Without ``--short-range`` the twin is
trained first, which takes some minutes; ``--smoke`` gives it two epochs: poor, and just as blind.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from ase import Atoms
from ase.constraints import FixAtoms
from ase.io import read, write
from rich.console import Console
from rich.table import Table

from ase_les import LESCalculator
from ase_les.cli.model_recipe import short_range_twin
from ase_les.reports import relaxation as report
from ase_les.reports.figures import save_bars
from ase_les.runs.output import write_summary
from ase_les.simulation import relax
from ase_les.training import read_training_config, train

FOLDER = Path(__file__).parents[1] / "models" / "au2-mgo"
SUBSTRATES = ("doped", "undoped")
WETTING, NON_WETTING = "flat", "upright"


def trained_twin(folder: Path, output: Path, smoke: bool) -> Path:
    """The model without charges, as ``teachers/first.yml`` says."""
    config, folder = read_training_config(folder / "teachers" / "first.yml")
    twin = replace(short_range_twin(config), output=str(output.resolve()))
    if smoke:
        twin = replace(twin, fit=replace(twin.fit, epochs=2))
    return train(twin, folder=folder, overwrite=True).files.model


def seen_by_one_atom(atoms: Atoms) -> float:
    """The shortest cutoff in Å within which some atom has both gold and aluminum."""
    distances = atoms.get_all_distances(mic=True)
    to_gold, to_aluminum = (
        distances[atoms.symbols == symbol].min(axis=0) for symbol in ("Au", "Al")
    )
    return float(np.maximum(to_gold, to_aluminum).min())


def pairs(frames: list[Atoms]) -> list[tuple[Atoms, Atoms]]:
    """Structures, doped and undoped, that are otherwise the same."""
    doped = [atoms for atoms in frames if "Al" in atoms.symbols]
    undoped = [atoms for atoms in frames if "Al" not in atoms.symbols]
    return [
        (one, other)
        for one in doped
        for other in undoped
        if np.allclose(one.positions, other.positions, atol=1e-6)
    ]


def relaxed(calculator: LESCalculator, start: Atoms, stem: Path, fmax: float) -> Atoms:
    """Gold in a minimum on the substrate as it is."""
    atoms = start.copy()
    atoms.calc = calculator
    atoms.set_constraint(FixAtoms(mask=~(atoms.symbols == "Au")))
    found = relax(atoms, optimizer="bfgs", fmax=fmax, output=stem, overwrite=True)
    report.write(found)
    return found.atoms


def charge_without_gold(calculator: LESCalculator, atoms: Atoms) -> float:
    """Charge in e of everything else."""
    return float(calculator.get_charges(atoms)[~(atoms.symbols == "Au")].sum())


def wetting_meV(energies: dict[tuple[str, str], float]) -> dict[str, float]:
    """E(wetting) − E(non-wetting) by substrate."""
    return {
        each: 1000 * (energies[each, WETTING] - energies[each, NON_WETTING]) for each in SUBSTRATES
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="au2-mgo")
    parser.add_argument("--short-range", type=Path, help="its twin, as recipe.py leaves it")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="of the model's data")
    parser.add_argument("--smoke", action="store_true", help="two epochs for the twin")
    parser.add_argument("--output", type=Path, default=Path("gold_out_of_reach"))
    parser.add_argument("--fmax", type=float, default=0.005, help="in eV/Å")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    output, folder = arguments.output, arguments.folder
    output.mkdir(parents=True, exist_ok=True)
    twin = arguments.short_range or trained_twin(folder, output / "short-range", arguments.smoke)
    models = {
        "LES": LESCalculator(arguments.model, dtype="float64"),
        "short range": LESCalculator(twin, dtype="float64"),
    }
    starts = {
        (substrate, atoms.info["geometry"]): atoms
        for substrate in SUBSTRATES
        for atoms in read(folder / f"{substrate}.extxyz", ":")
    }
    test = read(folder / "test.extxyz", ":")

    # Pair by pair
    held_back = pairs([atoms for atoms in test if atoms.info["set"] in SUBSTRATES])
    effect = {
        "PBE": [one.info["REF_energy"] - two.info["REF_energy"] for one, two in held_back],
        **{
            name: [
                calculator.get_potential_energy(one) - calculator.get_potential_energy(two)
                for one, two in held_back
            ]
            for name, calculator in models.items()
        },
    }
    added = [
        charge_without_gold(models["LES"], one) - charge_without_gold(models["LES"], two)
        for one, two in held_back
    ]
    # What aluminum costs anywhere is of no interest: only how much more here than there.
    effect = {name: 1000 * (np.array(e) - np.mean(e)) for name, e in effect.items()}

    # Relaxed
    labels = {
        (atoms.info["substrate"], atoms.info["geometry"]): atoms.info["REF_energy"]
        for atoms in test
        if atoms.info["set"] == "relaxed"
    }
    energies = {"PBE": labels} if labels else {}
    minima, charge = [], {}
    for name, calculator in models.items():
        energies[name] = {}
        for place, start in starts.items():
            stem = output / "-".join((name.replace(" ", "-"), *place))
            found = relaxed(calculator, start, stem, arguments.fmax)
            energies[name][place] = calculator.get_potential_energy(found)
            if name == "LES":
                gold = calculator.get_charges(found)[found.symbols == "Au"]
                charge["-".join(place)] = float(gold.sum())
                state = {"substrate": place[0], "geometry": place[1]}
                minima.append(Atoms(found.symbols, found.positions, cell=found.cell, pbc=True))
                minima[-1].info = state
    write(output / "relaxed.extxyz", minima)
    wetting = {name: wetting_meV(each) for name, each in energies.items()}

    console = Console()
    reach = min(seen_by_one_atom(atoms) for (kind, _), atoms in starts.items() if kind == "doped")
    cutoff = models["LES"].model.config.representation.cutoff
    console.print(
        f"An atom has both gold and aluminum within {reach:.2f} Å; the models see {cutoff:.2f} Å.",
        highlight=False,
    )
    table = Table(
        title=f"E(doped) − E(undoped) of {len(held_back)} held-back pairs, mean taken off / meV",
        title_justify="left",
    )
    for column in ("", "root mean square", "error"):
        table.add_column(column, justify="left" if not column else "right")
    rms = {name: float(np.sqrt(np.mean(values**2))) for name, values in effect.items()}
    error = {
        name: float(np.sqrt(np.mean((values - effect["PBE"]) ** 2)))
        for name, values in effect.items()
        if name != "PBE"
    }
    for name in effect:
        table.add_row(name, f"{rms[name]:.1f}", f"{error[name]:.1f}" if name in error else "")
    console.print(table)
    table = Table(title="E(wetting) − E(non-wetting) of Au2 / meV", title_justify="left")
    for column in ("", *SUBSTRATES, "effect of aluminum"):
        table.add_column(column, justify="left" if not column else "right")
    for name, by_substrate in wetting.items():
        change = by_substrate["doped"] - by_substrate["undoped"]
        table.add_row(name, *(f"{by_substrate[s]:+.1f}" for s in SUBSTRATES), f"{change:+.1f}")
    console.print(table)
    write_summary(
        output / "wetting-summary.yml",
        {
            "model": arguments.model,
            "short_range": str(twin),
            "cutoff_A": cutoff,
            "one_atom_sees_gold_and_aluminium_within_A": reach,
            "pairs": {
                "number": len(held_back),
                "effect_of_aluminium_meV": {n: e.tolist() for n, e in effect.items()},
                "rms_meV": rms,
                "error_meV": error,
                "charge_added_by_aluminium_e": added,
            },
            "wetting_minus_nonwetting_meV": wetting,
            "charge_of_Au2_e": charge,
            "smoke": arguments.smoke,
        },
    )
    save_bars(
        output / "wetting.png",
        list(SUBSTRATES),
        {name: list(each.values()) for name, each in wetting.items()},
        "E(wetting) − E(non-wetting) / meV",
    )


if __name__ == "__main__":
    main()

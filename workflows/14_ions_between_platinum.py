"""Ions between faces of platinum, and what the metal does about them.

    python workflows/14_ions_between_platinum.py
    python workflows/14_ions_between_platinum.py --compare work/short-range.safetensors

A metal levels its potential. K and F on opposite sides of a gap between two platinum faces make a
dipole; the faces, one conductor, take up charges that undo its field. No atom near a face can know
of that, so local charges cannot: atoms of platinum share electrons in the model of
``models/pt-kf-aq`` (``long_range: equilibration``). This study looks at

- the potential along the normal in the structure whose ions are farthest apart, averaged over
  planes: of local charges alone it goes on through the metal, of all it is nearly level there;
- errors in energy of held-back structures by how far apart the ions are, those of other models
  beside them (``--compare``: the twin without charges, for one);
- what the flow of electrons does to their energy, local charges being as they are.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import read
from rich.console import Console
from rich.table import Table

from ase_les import LESCalculator, LESModel, load_model
from ase_les.properties.planar_potential import PlanarPotential
from ase_les.reports.figures import Panel, save_figure
from ase_les.runs.output import write_summary

FOLDER = Path(__file__).parents[1] / "models" / "pt-kf-aq"
APART_A = 5.0
OWN = "with flow"


def with_local_charges(model: LESModel) -> LESModel:
    """The same weights; no electrons flow."""
    local = replace(model.config.long_range, equilibration=None)
    copy = LESModel(replace(model.config, long_range=local), seed=0).to(model.precision)
    weights = model.state_dict()
    copy.load_state_dict({name: weights[name] for name in copy.state_dict()})
    return copy


def gap_first(atoms: Atoms, metal: str) -> Atoms:
    """All of the solution above all of the metal, as one piece along the normal."""
    atoms, height = atoms.copy(), atoms.cell[2, 2]
    solid = atoms.symbols == metal
    top = atoms.positions[solid, 2].max()
    # An atom may be a little below the uppermost of a layer that is not flat.
    times = np.floor((atoms.positions[~solid, 2] - top + 1.0) / height)
    atoms.positions[~solid] -= times[:, None] * atoms.cell.array[2]
    return atoms


def ions_apart_A(atoms: Atoms) -> float:
    """How far K and F are apart along the normal, the way through the solution."""
    z = gap_first(atoms, "Pt").positions[:, 2]
    return float(abs(z[atoms.symbols == "K"][0] - z[atoms.symbols == "F"][0]))


def potential_V(
    atoms: Atoms, charges: np.ndarray, smearing_A: float
) -> tuple[np.ndarray, np.ndarray]:
    """Positions in Å along the normal, and the potential there averaged over planes."""
    shown = atoms.copy()
    shown.calc = SinglePointCalculator(shown, charges=charges)
    along = PlanarPotential(axis=2, smearing_A=smearing_A)
    along.add(shown)
    result = along.result()
    return result.position_A, result.curves["potential_V"]


def drop_V(position: np.ndarray, potential: np.ndarray, layers: np.ndarray) -> float:
    """From the lowest to the uppermost layer of the metal."""
    return float(np.interp(layers.max(), position, potential) - potential[0])


def rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(values))))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="pt-kf-aq")
    parser.add_argument("--compare", type=Path, nargs="*", default=[], help="other models")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="of the model's data")
    parser.add_argument("--output", type=Path, default=Path("ions_between_platinum"))
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    output = arguments.output
    output.mkdir(parents=True, exist_ok=True)
    model = load_model(arguments.model)
    if model.config.long_range.equilibration is None:
        parser.error(f"in {arguments.model} no atoms share electrons: nothing to look at")
    if len({path.stem for path in arguments.compare}) < len(arguments.compare):
        parser.error("models to compare are told apart by the names of their files")
    shared = LESCalculator(model)
    local = LESCalculator(with_local_charges(model))
    others = {path.stem: LESCalculator(path) for path in arguments.compare}
    frames = read(arguments.folder / "test.extxyz", ":")

    # By structure
    apart = np.array([ions_apart_A(atoms) for atoms in frames])
    of_flow = np.array(
        [shared.get_potential_energy(a) - local.get_potential_energy(a) for a in frames]
    )
    label = np.array([atoms.info["REF_energy"] for atoms in frames])
    size = np.array([len(atoms) for atoms in frames])
    errors = {
        name: 1000 * (np.array([c.get_potential_energy(a) for a in frames]) - label) / size
        for name, c in {OWN: shared, **others}.items()
    }

    # Along the normal
    atoms = gap_first(frames[int(apart.argmax())], "Pt")
    metal = atoms.symbols == "Pt"
    atoms.positions[:, 2] -= atoms.positions[metal, 2].min()
    smearing = model.config.long_range.electrostatics.smearing
    both = {"all": shared, "local": local}
    charges = {name: each.get_latent_charges(atoms) for name, each in both.items()}
    curves = {}
    for name, each in charges.items():
        position, curves[name] = potential_V(atoms, each, smearing)
    layers = atoms.positions[metal, 2]
    drop = {name: drop_V(position, curve, layers) for name, curve in curves.items()}

    console = Console()
    table = Table(
        title="Held-back structures: energy of flow / meV, errors in energy / (meV/atom)",
        title_justify="left",
    )
    table.add_column("K and F apart")
    for column in ("structures", "flow", *errors):
        table.add_column(column, justify="right")
    groups = {f"{APART_A:g} Å and more": apart >= APART_A, "less": apart < APART_A}
    by_group = {
        name: {
            "structures": int(chosen.sum()),
            "energy_of_flow_meV": float(1000 * of_flow[chosen].mean()),
            "energy_rmse_meV_per_atom": {n: rms(e[chosen]) for n, e in errors.items()},
        }
        for name, chosen in groups.items()
        if chosen.any()
    }
    for name, said in by_group.items():
        of_models = [f"{e:.2f}" for e in said["energy_rmse_meV_per_atom"].values()]
        table.add_row(
            name, str(said["structures"]), f"{said['energy_of_flow_meV']:+.0f}", *of_models
        )
    console.print(table)
    console.print(
        f"Ions {apart.max():.1f} Å apart: the potential changes through the metal by "
        f"{drop['local']:+.2f} V from local charges alone, by {drop['all']:+.2f} V from all.",
        highlight=False,
    )
    write_summary(
        output / "ions-summary.yml",
        {
            "model": arguments.model,
            "ions_apart_A": apart.tolist(),
            "energy_of_flow_eV": of_flow.tolist(),
            "energy_errors_meV_per_atom": {name: e.tolist() for name, e in errors.items()},
            "groups": by_group,
            "potential_through_the_metal_V": drop,
            "latent_charges_e": {name: each.tolist() for name, each in charges.items()},
        },
    )
    names = {"all": "all charges", "local": "local charges alone"}
    save_figure(
        output / "potential.png",
        position,
        "along the normal from the lowest platinum / Å",
        [Panel("potential / V", {names[key]: curve for key, curve in curves.items()})],
    )


if __name__ == "__main__":
    main()

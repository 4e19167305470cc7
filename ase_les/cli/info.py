"""``ase-les info``: what a model is, and what it says about a structure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ase_les.cli._options import DIELECTRIC, Charge, Device, DType, Json, Structure, Threads

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import Calculator

    from ase_les import LESModel
    from ase_les.properties.charges_by_element import ChargesByElement


def info(
    model: Annotated[
        str, typer.Argument(help="Shipped model by name, a model file or a published checkpoint.")
    ],
    structure: Structure = None,
    charge: Charge = None,
    device: Device = None,
    dtype: DType = None,
    dielectric: Annotated[
        float | None,
        typer.Option(
            *DIELECTRIC,
            help="ε∞ of the bulk, which scales charges by its root.",
            show_default="what the model's card says, or 1",
        ),
    ] = None,
    threads: Threads = 1,
    json: Json = False,
) -> None:
    """Show config, card and hash of a model; with a structure, its energy, forces and charges.

    Charges are shown by element beside those that move with the atoms (GAPT charges, the isotropic
    Born charges), and with them whether their sign is that of chemistry.
    """
    import warnings

    from ase_les import load_model
    from ase_les.charges.sign import sign_is_free
    from ase_les.cli._calculator import make_calculator, read_structure, set_threads
    from ase_les.cli._reading import check_periodic
    from ase_les.properties.charges_by_element import charges_by_element
    from ase_les.runs.output import summary_as_json

    set_threads(threads)
    loaded = load_model(model)
    facts = {"model": model, **_facts(loaded)}
    charges = None
    if structure is not None:
        atoms = read_structure(structure, charge)
        check_periodic(atoms, loaded.card, structure)
        # A trajectory brings recorded results along: the model is to say its own.
        atoms.calc = make_calculator(loaded, device or "cpu", dtype, dielectric=dielectric)
        with warnings.catch_warnings():
            # The table says so itself.
            warnings.filterwarnings("ignore", message="the charges of this model have the sign")
            facts["structure"] = {"file": str(structure), **_predictions(atoms)}
            if "charges" in atoms.calc.implemented_properties:
                charges = charges_by_element(atoms)
                facts["structure"] |= charges.summary()
        if atoms.pbc.any() and _is_truncated(loaded):
            converged = make_calculator(loaded.with_converged_ewald(), device or "cpu", dtype)
            facts["structure"] |= _effect_of_convergence(atoms, converged)
    if json:
        print(summary_as_json(facts))
    else:
        _show(
            facts, charges, can_flip=loaded.long_range is not None and sign_is_free(loaded.config)
        )


def _facts(model: LESModel) -> dict[str, object]:
    from ase_les import model_hash

    config = model.config
    facts: dict[str, object] = {
        "hash": model_hash(model),
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "precision": str(model.precision).removeprefix("torch."),
        "elements": list(config.atomic_energies),
        "atomic_energies_eV": dict(config.atomic_energies),
        "cutoff_A": config.cutoff,
        "electrostatics": None,
    }
    if config.long_range:
        shared = config.long_range.equilibration
        electrostatics = config.long_range.electrostatics
        kernel = electrostatics.kernel()
        facts["electrostatics"] = {
            "charges_per_atom": config.long_range.charges.n_channels,
            "neutrality": config.long_range.charges.neutrality,
            "smearing_A": kernel.smearing,
            "k_cutoff_per_A": kernel.k_cutoff,
            "remove_self_energy": electrostatics.remove_self_energy,
            "background": electrostatics.background,
            "elements_that_share_electrons": list(shared.elements) if shared else [],
        }
    return {**facts, "card": model.card, "config": config.to_dict()}


def _predictions(atoms: Atoms) -> dict[str, object]:
    import numpy as np

    from ase_les.runs.provenance import describe_structure

    forces = atoms.get_forces()
    return {
        **describe_structure(atoms),
        "energy_eV_per_atom": atoms.get_potential_energy() / len(atoms),
        "max_force_eV_per_A": float(np.linalg.norm(forces, axis=1).max()),
    }


def _is_truncated(model: LESModel) -> bool:
    long_range = model.config.long_range
    return long_range is not None and long_range.electrostatics.k_cutoff is not None


def _effect_of_convergence(atoms: Atoms, converged: Calculator) -> dict[str, object]:
    """What the model's own k-cutoff leaves out of the Ewald sum of this structure."""
    import numpy as np

    change = converged.get_forces(atoms) - atoms.get_forces()
    energy = converged.get_potential_energy(atoms) - atoms.get_potential_energy()
    return {
        "converged_ewald_changes": {
            "energy_eV": energy,
            "largest_force_change_eV_per_A": float(np.linalg.norm(change, axis=1).max()),
        }
    }


def _show(facts: Mapping[str, Any], charges: ChargesByElement | None, can_flip: bool) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(markup=False)
    if limits := facts["card"].get("limits"):
        console.print(f"Limits of {facts['model']}: {limits}", style="bold yellow", highlight=False)
    table = Table(title=str(facts["model"]), title_justify="left")
    table.add_column("quantity", overflow="fold")
    table.add_column("value", overflow="fold")
    for name, value in _flat({key: value for key, value in facts.items() if key != "model"}):
        # Charges have a table of their own.
        if not name.startswith("structure.charges_"):
            table.add_row(name, _text(value))
    console.print(table)
    if charges is None:
        return
    console.print(charges.table())
    remedy = ""
    if charges.sign == "opposes" and can_flip:
        remedy = (
            "; energies and forces are the same for both. Flip it: ase-les convert "
            f"{facts['model']} --output model.safetensors --sign auto "
            f"--structure {facts['structure']['file']}"
        )
    console.print(f"Note: {charges.verdict}{remedy}", highlight=False, soft_wrap=True)


def _text(value: object) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(_text, value))
    return f"{value:.8g}" if isinstance(value, float) else str(value)


def _flat(facts: Mapping[str, object], above: str = "") -> list[tuple[str, object]]:
    """Nested entries as rows with dotted names."""
    rows: list[tuple[str, object]] = []
    for name, value in facts.items():
        if isinstance(value, Mapping) and value:
            rows += _flat(value, f"{above}{name}.")
        elif value not in (None, {}, ()):
            rows.append((f"{above}{name}", value))
    return rows

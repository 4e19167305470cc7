"""``ase-les info``: properties of a model, and its predictions for a structure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ase_les.cli._options import Charge, Device, DielectricConstant, DType, Json, Structure, Threads
from ase_les.messages import printable

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
    dielectric: DielectricConstant = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Show the full configuration and card.")
    ] = False,
    threads: Threads = 1,
    json: Json = False,
) -> None:
    """Show configuration, card and hash of a model, and its predictions for a structure.

    For a structure, charges and GAPT charges (isotropic Born charges) are shown by element, and
    whether their sign agrees with electronegativity.
    """
    import warnings

    from ase_les import Committee, LESModel, load_model
    from ase_les.charges.sign import sign_is_free
    from ase_les.cli._calculator import make_calculator, read_structure, set_threads
    from ase_les.cli._reading import check_periodic
    from ase_les.committee import committee_hash
    from ase_les.properties.charges_by_element import charges_by_element
    from ase_les.runs.output import summary_as_json

    set_threads(threads)
    loaded = load_model(model)
    # Members of a committee have the same elements and the same kind of charges.
    first = loaded if isinstance(loaded, LESModel) else loaded.members[0]
    facts: dict[str, Any] = {"model": model, **_facts(first)}
    if isinstance(loaded, Committee):
        facts |= {"hash": committee_hash(loaded), "members": len(loaded), "card": loaded.card}
    charges = None
    if structure is not None:
        atoms = read_structure(structure, charge)
        check_periodic(atoms, loaded.card, structure)
        # Replaces results recorded in a trajectory.
        atoms.calc = make_calculator(loaded, device or "cpu", dtype, dielectric=dielectric)
        with warnings.catch_warnings():
            # The table contains this statement.
            warnings.filterwarnings("ignore", message="the charges of this model have the sign")
            facts["structure"] = {"file": str(structure), **_predictions(atoms)}
            if "charges" in atoms.calc.implemented_properties:
                charges = charges_by_element(atoms)
                facts["structure"] |= charges.summary()
        if loaded is first and atoms.pbc.any() and _is_truncated(first):
            converged = make_calculator(first.with_converged_ewald(), device or "cpu", dtype)
            facts["structure"] |= _effect_of_convergence(atoms, converged)
    if json:
        print(summary_as_json(facts))
    else:
        can_flip = first.long_range is not None and sign_is_free(first.config)
        _show(facts if everything else _short(facts), charges, can_flip)
        if not everything:
            typer.echo("Full configuration and card: --all or --json", err=True)


#: Entries shown without ``--all``.
_MAIN = ("model", "hash", "parameters", "precision", "elements", "cutoff_A", "structure")
_MAIN_OF_CARD = (
    *("summary", "limits", "named_limits", "structures", "periodic_directions", "total_charges_e"),
    *("dielectric", "test_errors", "test_response", "citation", "license"),
)


def _short(facts: Mapping[str, Any]) -> dict[str, Any]:
    card = facts["card"]
    kept = {name: facts[name] for name in _MAIN if name in facts}
    errors = {name: card[name] for name in _MAIN_OF_CARD if name in card}
    if isinstance(errors.get("test_errors"), Mapping):
        errors["test_errors"] = {
            name: value for name, value in errors["test_errors"].items() if "rmse_m" in name
        }
    return {**kept, "card": errors}


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
    """Return the effect of the k-space cutoff of the model on energy and forces."""
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

    from ase_les.reports.charges import table as charges_table

    console = Console(markup=False)
    if limits := facts["card"].get("limits"):
        text = printable(f"Limits of {facts['model']}: {limits}")
        console.print(text, style="bold yellow", highlight=False)
    table = Table(title=printable(str(facts["model"])), title_justify="left")
    table.add_column("quantity", overflow="fold")
    table.add_column("value", overflow="fold")
    for name, value in _flat({key: value for key, value in facts.items() if key != "model"}):
        # Charges have a separate table.
        if not name.startswith("structure.charges_"):
            table.add_row(name, _text(value))
    console.print(table)
    if charges is None:
        return
    console.print(charges_table(charges))
    remedy = ""
    if charges.sign == "opposes" and can_flip:
        remedy = (
            "; energies and forces are the same for both signs. Change it with: ase-les convert "
            f"{facts['model']} --output model.safetensors --sign auto "
            f"--structure {facts['structure']['file']}"
        )
    console.print(f"Note: {charges.verdict}{remedy}", highlight=False, soft_wrap=True)


def _text(value: object) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(_text, value))
    return f"{value:.8g}" if isinstance(value, float) else printable(str(value))


def _flat(facts: Mapping[str, object], above: str = "") -> list[tuple[str, object]]:
    """Return nested entries as rows with dotted names."""
    rows: list[tuple[str, object]] = []
    for name, value in facts.items():
        if isinstance(value, Mapping) and value:
            rows += _flat(value, f"{above}{name}.")
        elif value not in (None, {}, ()):
            rows.append((f"{above}{name}", value))
    return rows

"""``ase-les convert``: convert a published checkpoint to a model file, or flip charges."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ase_les.cli._options import Json, Quiet, Threads
from ase_les.cli._values import by_element

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ase_les import LESModel
    from ase_les.properties.charges_by_element import ChargesByElement

SIGNS = ("keep", "flip", "auto")


def convert(
    checkpoint: Annotated[
        Path,
        typer.Argument(
            help="Published network, .pth (CACE) or .model (MACE), read without executing code; "
            "or a model file, .safetensors."
        ),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Model file, .safetensors.")],
    atomic_energies: Annotated[
        str | None, typer.Option(help="Atomic energies in eV, such as H=-5.85,O=-2.93.")
    ] = None,
    fit_atomic_energies: Annotated[
        Path | None,
        typer.Option(help="Labeled structures to which atomic energies are fitted."),
    ] = None,
    energy_label: Annotated[str, typer.Option(help="Name of the energies.")] = "REF_energy",
    converged_ewald: Annotated[
        bool,
        typer.Option(
            "--converged-ewald", help="Converge the reciprocal sum beyond the authors' cutoff."
        ),
    ] = False,
    head: Annotated[
        str | None, typer.Option(help="Name of the head, for MACE models with several heads.")
    ] = None,
    sign: Annotated[
        str,
        typer.Option(
            help="Sign of the charges: keep, flip, or auto, which makes electronegative elements "
            "of --structure negative. Energies and forces do not change."
        ),
    ] = "keep",
    structure: Annotated[
        Path | None, typer.Option(help="Structure to determine the sign; its last frame.")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", "--overwrite", help="Replace an existing file.")
    ] = False,
    threads: Threads = 1,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Convert a published LES checkpoint to a model file that does not need its program."""
    from ase_les import save_model
    from ase_les.cli._calculator import set_threads
    from ase_les.reports.terminal import console
    from ase_les.runs.output import summary_as_json

    if output.exists() and not force:
        raise ValueError(f"'{output}' exists; give another --output, or --force to replace it")
    if atomic_energies and fit_atomic_energies:
        raise ValueError("--atomic-energies and --fit-atomic-energies exclude each other")
    if sign not in SIGNS:
        raise ValueError(f"--sign must be one of {', '.join(SIGNS)}, got {sign!r}")
    if sign == "auto" and structure is None:
        raise ValueError("--sign auto determines the sign for a structure: give --structure FILE")
    set_threads(threads)
    energies = None
    if atomic_energies:
        energies = by_element("--atomic-energies", atomic_energies, "H=-5.85,O=-2.93")
    model = _read(checkpoint, energies, converged_ewald, head)
    if fit_atomic_energies:
        energies = _fitted(model, fit_atomic_energies, energy_label)
        model = _read(checkpoint, energies, converged_ewald, head)
        model.card["atomic_energies"] = f"fitted to {energy_label} of {fit_atomic_energies.name}"
    about_charges = _with_sign(model, sign, structure)
    save_model(output, model)
    given = model.card.get("atomic_energies")
    energies_from = f"; atomic energies: {given}" if given else ""
    console(quiet).print(f"wrote {output}{energies_from}")
    if about_charges:
        console(quiet).print(
            f"Note: {about_charges}", markup=False, highlight=False, soft_wrap=True
        )
    if json:
        facts = {"output": str(output), "atomic_energies_eV": dict(model.config.atomic_energies)}
        print(summary_as_json({**facts, "card": model.card}))


def _read(
    path: Path, energies: Mapping[str, float] | None, converged_ewald: bool, head: str | None
) -> LESModel:
    from ase_les.interop import read_checkpoint
    from ase_les.model_io import read_model

    if path.suffix != ".safetensors":
        return read_checkpoint(path, energies, converged_ewald=converged_ewald, head=head)
    if head is not None:
        raise ValueError(f"'{path}' is a model file, which has no heads; omit --head")
    if energies:
        raise ValueError(
            f"'{path}' is a model file, which contains atomic energies; --atomic-energies and "
            "--fit-atomic-energies are for published checkpoints"
        )
    model = read_model(path)
    return model.with_converged_ewald() if converged_ewald else model


def _with_sign(model: LESModel, sign: str, structure: Path | None) -> str:
    """Apply the requested sign of charges; return a description and record it in the card."""
    from ase_les import model_hash
    from ase_les.charges.sign import OPPOSES, means_as_text, sign_is_free

    of_one_channel = model.has_charges
    if not (of_one_channel and sign_is_free(model.config)):
        if sign != "keep":
            raise ValueError(
                f"--sign {sign}: "
                + (
                    "formal or total charges, or shared electrons, fix the sign of this model's "
                    "charges"
                    if of_one_channel
                    else "the model does not have one charge per atom, but "
                    + (
                        f"{model.long_range.charges.config.n_channels}"
                        if model.long_range
                        else "none"
                    )
                )
                + ". Omit the option"
            )
        return ""
    judged = None if structure is None else _judged(model, structure)
    flip = sign == "flip" or (sign == "auto" and judged is not None and judged.sign == OPPOSES)
    if judged is not None and structure is not None:
        found = f"in {structure.name} {judged.verdict}: {means_as_text(judged.judged)} e"
    elif flip:
        found = "not judged by a structure"
    else:
        return (
            "charges have the sign of the file, which energies and forces do not determine; "
            "--structure FILE checks it against electronegativity"
        )
    done = "flipped" if flip else "as in the file"
    charges = dict(model.card.get("charges", {}))
    if flip:
        model.latent_electrostatics.charges.flip_sign()
        # Means by element, present in cards of this package.
        for name, value in charges.items():
            if name.startswith("mean_") and isinstance(value, dict):
                charges[name] = {element: -mean for element, mean in value.items()}
        if "hash" in model.card:
            model.card["hash"] = model_hash(model)
    model.card["charges"] = {**charges, "sign": f"{done}; before, {found}" if flip else found}
    if sign == "keep" and judged is not None and judged.sign == OPPOSES:
        return f"{found}. --sign auto flips it"
    return f"{found}; {done}"


def _judged(model: LESModel, structure: Path) -> ChargesByElement:
    import warnings

    from ase_les import LESCalculator
    from ase_les.charges.sign import sign_is_free
    from ase_les.cli._calculator import read_structure
    from ase_les.properties.charges_by_element import charges_by_element

    atoms = read_structure(structure)
    charge = atoms.info.get("charge", 0)
    if not sign_is_free(model.config, is_charged=charge != 0):
        raise ValueError(
            f"'{structure}' has a total charge of {charge:+g} e, which fixes the sign of charges; "
            "use a neutral structure"
        )
    atoms.calc = LESCalculator(model, dtype="float64")
    with warnings.catch_warnings():
        # The command itself reports the sign.
        warnings.filterwarnings("ignore", message="the charges of this model have the sign")
        return charges_by_element(atoms)


def _fitted(model: LESModel, data: Path, energy_label: str) -> dict[str, float]:
    """Return labels minus model energies, fitted as energies of the elements."""
    import torch

    from ase_les.cli._reading import read
    from ase_les.training.learning.atomic_energies import fit_atomic_energies
    from ase_les.training.learning.dataset import LabelNames, labeled

    frames = read(data, silent=True).frames
    samples = labeled(frames, model.config.cutoff, LabelNames(energy=energy_label))
    if not any(sample.energy.isfinite().all() for sample in samples):
        raise ValueError(f"'{data}' has no energies '{energy_label}' for the fit")
    residuals = []
    with torch.no_grad():
        for sample in samples:
            model.check_coverage(sample.graph.numbers.tolist())
            residuals.append(sample._replace(energy=sample.energy - model(sample.graph).energy))
    return fit_atomic_energies(residuals)

"""``ase-les convert``: a published checkpoint as a model file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ase_les.cli._options import Json, Quiet, Threads

if TYPE_CHECKING:
    from ase_les import LESModel


def convert(
    checkpoint: Annotated[
        Path, typer.Argument(help="Published network, .pth; nothing of it runs.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Model file, .safetensors.")],
    atomic_energies: Annotated[
        str | None, typer.Option(help="Energies of the elements in eV, as H=-5.85,O=-2.93.")
    ] = None,
    fit_atomic_energies: Annotated[
        Path | None,
        typer.Option(help="Labelled structures that the energies of the elements are fitted to."),
    ] = None,
    energy_label: Annotated[str, typer.Option(help="Name of the energies.")] = "REF_energy",
    converged_ewald: Annotated[
        bool,
        typer.Option(
            "--converged-ewald", help="Converge the reciprocal sum beyond the authors' cutoff."
        ),
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", "--overwrite", help="Replace an existing file.")
    ] = False,
    threads: Threads = 1,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Turn a published LES checkpoint into a model file that needs none of its programs."""
    from ase_les import save_model
    from ase_les.cli._calculator import set_threads
    from ase_les.interop import read_checkpoint
    from ase_les.reporting import console, summary_as_json

    if output.exists() and not force:
        raise ValueError(f"'{output}' exists; give another --output, or --force to replace it")
    if atomic_energies and fit_atomic_energies:
        raise ValueError("--atomic-energies and --fit-atomic-energies exclude each other")
    set_threads(threads)
    energies = _parsed(atomic_energies) if atomic_energies else None
    model = read_checkpoint(checkpoint, energies, converged_ewald=converged_ewald)
    if fit_atomic_energies:
        energies = _fitted(model, fit_atomic_energies, energy_label)
        model = read_checkpoint(checkpoint, energies, converged_ewald=converged_ewald)
        model.card["atomic_energies"] = f"fitted to {energy_label} of {fit_atomic_energies.name}"
    save_model(output, model)
    console(quiet).print(f"wrote {output}; atomic energies: {model.card['atomic_energies']}")
    if json:
        facts = {"output": str(output), "atomic_energies_eV": dict(model.config.atomic_energies)}
        print(summary_as_json({**facts, "card": model.card}))


def _parsed(text: str) -> dict[str, float]:
    pairs = [entry.partition("=") for entry in text.split(",")]
    try:
        return {symbol.strip(): float(value) for symbol, _, value in pairs}
    except ValueError:
        raise ValueError(
            f"--atomic-energies needs energies in eV as H=-5.85,O=-2.93, got {text!r}"
        ) from None


def _fitted(model: LESModel, data: Path, energy_label: str) -> dict[str, float]:
    """What the model lacks of the labels, as energies of the elements."""
    import torch

    from ase_les.training.atomic_energies import fit_atomic_energies
    from ase_les.training.dataset import LabelNames, labelled, read_frames

    samples = labelled(read_frames(data), model.config.cutoff, LabelNames(energy=energy_label))
    if not any(sample.energy.isfinite().all() for sample in samples):
        raise ValueError(f"'{data}' has no energies '{energy_label}' to fit to")
    residuals = []
    with torch.no_grad():
        for sample in samples:
            model.check_coverage(sample.graph.numbers.tolist())
            residuals.append(sample._replace(energy=sample.energy - model(sample.graph).energy))
    return fit_atomic_energies(residuals)

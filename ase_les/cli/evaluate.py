"""``ase-les evaluate``: errors of a model against labels."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ase_les.cli._options import Json, Model, Quiet, Threads


def evaluate(
    data: Annotated[Path, typer.Argument(help="Labelled structures, extended XYZ.")],
    model: Model = None,
    output: Annotated[
        str, typer.Option("--output", "-o", help="Stem of the files.")
    ] = "evaluation",
    dtype: Annotated[str, typer.Option(help="float32 or float64.")] = "float32",
    energy_label: Annotated[str, typer.Option(help="Name of the energies.")] = "REF_energy",
    forces_label: Annotated[str, typer.Option(help="Name of the forces.")] = "REF_forces",
    stress_label: Annotated[str, typer.Option(help="Name of the stresses.")] = "REF_stress",
    threads: Threads = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Compare a model with labels: errors as a table and YAML, parity plot."""
    from ase_les import load_model
    from ase_les.cli._calculator import set_threads
    from ase_les.reporting import console, save_parity_figure, summary_as_json, write_summary
    from ase_les.training.dataset import LabelNames, labelled, read_frames
    from ase_les.training.evaluation import compare, errors
    from ase_les.training.train import errors_table, parity

    if model is None:
        raise ValueError("no model given: use --model with a shipped model's name or a model file")
    set_threads(threads)
    judged = load_model(model)
    names = LabelNames(energy_label, forces_label, stress_label)
    samples = labelled(read_frames(data), judged.config.cutoff, names)
    for sample in samples:
        judged.check_coverage(sample.graph.numbers.tolist(), float(sample.graph.total_charge[0]))
    comparison = compare(judged.for_inference(dtype=dtype), samples)
    found = errors(comparison, len(samples), sum(s.graph.n_atoms for s in samples))
    summary = {"model": model, "data": str(data), "dtype": dtype, "errors": found.to_dict()}
    write_summary(Path(f"{output}-summary.yml"), summary)
    save_parity_figure(Path(f"{output}-parity.png"), data.name, parity(comparison))
    console(quiet).print(errors_table({data.name: found}))
    if json:
        print(summary_as_json(summary))

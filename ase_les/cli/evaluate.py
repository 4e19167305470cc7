"""``ase-les evaluate``: errors of a model against labels."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ase_les.cli._options import (
    DIELECTRIC,
    Charge,
    Config,
    Device,
    Json,
    Model,
    Overwrite,
    Precision,
    Quiet,
    Threads,
)


def evaluate(
    data: Annotated[
        Path, typer.Argument(help="Labeled structures, extended XYZ; FILE@-10: for the last ten.")
    ],
    model: Model = None,
    charge: Charge = None,
    output: Annotated[
        str, typer.Option("--output", "-o", help="Stem of the files.")
    ] = "evaluation",
    device: Device = None,
    dtype: Precision = "float32",
    energy_label: Annotated[str, typer.Option(help="Name of the energies.")] = "REF_energy",
    forces_label: Annotated[str, typer.Option(help="Name of the forces.")] = "REF_forces",
    stress_label: Annotated[str, typer.Option(help="Name of the stresses.")] = "REF_stress",
    virial_label: Annotated[
        str, typer.Option(help="Name of the virials in eV, used without stresses.")
    ] = "REF_virial",
    stress_unit: Annotated[
        str, typer.Option(help="Unit of the stress labels: eV/A^3, GPa, kbar, bar, Pa, ...")
    ] = "eV/A^3",
    stress_sign: Annotated[
        str, typer.Option(help="Positive stress: tension, or compression as in VASP's output.")
    ] = "tension",
    born_rows: Annotated[
        str, typer.Option(help="Rows of the Born charges: polarization or displacement.")
    ] = "polarization",
    dielectric: Annotated[
        float | None,
        typer.Option(
            *DIELECTRIC,
            help="ε∞ of periodic structures, to scale their Born charges.",
            show_default="from the model card, or 1",
        ),
    ] = None,
    calibrate: Annotated[
        bool,
        typer.Option(
            "--calibrate",
            help="Committee files: scale the spread to the errors on these structures, which must "
            "not be training data, and store the scale in the file.",
        ),
    ] = False,
    threads: Threads = 1,
    overwrite: Overwrite = False,
    config: Config = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Compare a model with labels: errors as a table and YAML, and parity plots.

    Dipoles, quadrupoles and Born charges are compared if the data contain them. For committees the
    spread of the members is compared with the errors of their mean.
    """
    from ase_les import LESModel, load_model
    from ase_les.cli._calculator import set_threads
    from ase_les.cli._committee import check_committee_file, evaluate_committee, store_calibration
    from ase_les.cli._reading import check_periodic, print_lines, read
    from ase_les.configuration import from_mapping
    from ase_les.model_limits import stated_limits
    from ase_les.reading.labels import LabelNames
    from ase_les.reports.figures import save_parity_figure
    from ase_les.reports.terminal import console, print_notes
    from ase_les.reports.training import agreements_table, errors_table, parity, response_parity
    from ase_les.runs.output import summary_as_json, write_summary
    from ase_les.training.learning.evaluation import compare, errors
    from ase_les.training.learning.labeled_files import check_names, labeled_file
    from ase_les.training.learning.response_evaluation import (
        compare_mean_response,
        compare_response,
    )

    if model is None:
        raise ValueError("no model given: use --model with a shipped model's name or a model file")
    set_threads(threads)
    judged = load_model(model)
    if calibrate:
        check_committee_file(model, judged)
    written, drawn, drawn_response, drawn_spread = _files(output, overwrite)
    if dielectric is None:
        dielectric = float(judged.card.get("dielectric", 1.0))
    given = {"energy": energy_label, "forces": forces_label, "stress": stress_label}
    given |= {"virial": virial_label, "stress_unit": stress_unit, "stress_sign": stress_sign}
    names = from_mapping(LabelNames, {**given, "born_rows": born_rows})
    structures = read(data, charge=charge, silent=True)
    for number, atoms in enumerate(structures.frames):
        check_periodic(atoms, judged.card, f"{structures.path}@{number}")
    file = labeled_file(structures, judged.config.cutoff, names, dielectric=dielectric)
    check_names(file)
    print_lines([] if quiet else file.notes)
    print_lines([f"Warning: {warning}" for warning in file.warnings])
    samples = file.samples
    first = judged if isinstance(judged, LESModel) else judged.members[0]
    for sample in samples:
        first.check_coverage(sample.graph.numbers.tolist(), float(sample.graph.total_charge[0]))
    summary: dict[str, object] = {"model": model, "data": str(data)}
    summary |= {"charge": charge, "dtype": dtype, "dielectric": dielectric}
    limits = stated_limits(judged.card)
    summary["limits"] = limits or None
    drawn_spread.unlink(missing_ok=True)
    response = None
    if isinstance(judged, LESModel):
        engine = judged.for_inference(device or "cpu", dtype)
        comparison = compare(engine, samples)
        response = compare_response(engine, samples) if judged.has_charges else None
    else:
        engines = judged.for_inference(device or "cpu", dtype)
        response = compare_mean_response(engines, samples) if judged.has_charges else None
        comparison, calibration = evaluate_committee(
            judged, engines, samples, drawn_spread, data.name, quiet
        )
        summary["spread"] = calibration
        if calibrate:
            store_calibration(model, judged, {**calibration, "data": data.name})
    found = errors(comparison, len(samples), sum(s.graph.n_atoms for s in samples))
    summary["errors"] = found.to_dict()
    save_parity_figure(drawn, data.name, parity(comparison))
    console(quiet).print(errors_table({data.name: found}))
    # Otherwise a figure of an earlier evaluation would remain.
    drawn_response.unlink(missing_ok=True)
    if response and (agreements := response.agreements()):
        summary["response"] = {name: a.to_dict() for name, a in agreements.items()}
        save_parity_figure(drawn_response, data.name, response_parity(response))
        console(quiet).print(agreements_table("responses", agreements))
    print_notes([f"limits of the model: {limits}"] if limits else [], quiet)
    write_summary(written, summary)
    if json:
        print(summary_as_json(summary))


def _files(output: str, overwrite: bool) -> list[Path]:
    """Prepare summary and figure files; earlier ones are removed only if allowed."""
    from ase_les.reports.figures import in_format

    endings = ("-summary.yml", "-parity.png", "-response.png", "-reliability.png")
    files = [in_format(Path(f"{output}{ending}")) for ending in endings]
    old = [path for path in files if path.exists()]
    if old and not overwrite:
        raise FileExistsError(
            f"'{output}' exists ({', '.join(path.name for path in old)}). Choose "
            "another output, or replace it with overwrite (--overwrite)"
        )
    files[0].parent.mkdir(parents=True, exist_ok=True)
    return files

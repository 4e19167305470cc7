"""``ase-les evaluate``: errors of a model against labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ase_les.cli._groups import Common, with_groups
from ase_les.cli._options import DIELECTRIC, Charge, Device, Model, Output, Precision, Threads

if TYPE_CHECKING:
    from ase_les import Committee, LESModel
    from ase_les.reports.model_report import ModelReport
    from ase_les.training.learning.dataset import Sample


@with_groups
def evaluate(
    common: Common,
    data: Annotated[
        Path, typer.Argument(help="Labeled structures, extended XYZ; FILE@-10: for the last ten.")
    ],
    model: Model = None,
    charge: Charge = None,
    output: Output = "evaluation",
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
) -> None:
    """Compare a model with labels: errors as a table and YAML, parity plots and an HTML report.

    Dipoles, quadrupoles and Born charges are compared if the data contain them. For committees the
    spread of the members is compared with the errors of their mean.
    """
    from ase_les import LESModel, load_model
    from ase_les.cli._calculator import set_threads
    from ase_les.cli._committee import check_committee_file, store_calibration
    from ase_les.cli._reading import check_periodic, print_lines, read
    from ase_les.configuration import from_mapping
    from ase_les.model_limits import stated_limits
    from ase_les.reading.labels import LabelNames
    from ase_les.reports import model_report
    from ase_les.reports.terminal import console, print_notes
    from ase_les.reports.training import agreements_table, errors_table
    from ase_les.runs.output import summary_as_json, write_summary
    from ase_les.training.learning.labeled_files import check_names, labeled_file

    if model is None:
        raise ValueError("no model given: use --model with a shipped model's name or a model file")
    set_threads(threads)
    judged = load_model(model)
    if calibrate:
        check_committee_file(model, judged)
    files = _files(output, common.overwrite)
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
    print_lines([] if common.quiet else file.notes)
    print_lines([f"Warning: {warning}" for warning in file.warnings])
    limits = stated_limits(judged.card)
    summary: dict[str, object] = {"model": model, "data": str(data), "charge": charge}
    summary |= {"dtype": dtype, "dielectric": dielectric, "limits": limits or None}
    where = device or "cpu", dtype
    report = _compared(judged, file.samples, model, data, dielectric, where, common.quiet)
    on = console(common.quiet)
    on.print(errors_table(report.errors))
    summary["errors"] = report.errors[data.name].to_dict()
    if report.spread is not None:
        summary["spread"] = report.spread.to_dict()
        if calibrate and not isinstance(judged, LESModel):
            store_calibration(model, judged, {**report.spread.to_dict(), "data": data.name})
    if report.response and (agreements := report.response.agreements()):
        summary["response"] = {name: a.to_dict() for name, a in agreements.items()}
        on.print(agreements_table("responses", agreements))
    _draw(report, files)
    model_report.write(report, files["report"])
    on.print(f"report: {files['report']}", markup=False)
    print_notes([f"limits of the model: {limits}"] if limits else [], common.quiet)
    write_summary(files["summary"], summary)
    if common.json:
        print(summary_as_json(summary))


def _compared(
    judged: LESModel | Committee,
    samples: Sequence[Sample],
    model: str,
    data: Path,
    dielectric: float,
    where: tuple[str, str],
    quiet: bool,
) -> ModelReport:
    """Return the contents of the report; `where` is device and precision."""
    from ase_les import LESModel
    from ase_les.cli._committee import evaluate_committee
    from ase_les.reports.model_report import ModelReport
    from ase_les.training.learning.atomic_charges import atomic_charges
    from ase_les.training.learning.evaluation import compare, errors, worst_structure
    from ase_les.training.learning.response_evaluation import (
        compare_mean_response,
        compare_response,
    )

    first = judged if isinstance(judged, LESModel) else judged.members[0]
    for sample in samples:
        first.check_coverage(sample.graph.numbers.tolist(), float(sample.graph.total_charge[0]))
    facts = {"model": model, "data": str(data), "precision": where[1], "ε∞": dielectric}
    response, charges, spread = None, None, None
    if isinstance(judged, LESModel):
        engine = judged.for_inference(*where)
        comparison = compare(engine, samples)
        if engine.has_response:
            response = compare_response(engine, samples)
        if engine.has_charges:
            charges = atomic_charges(engine, samples, dielectric)
    else:
        facts = {**facts, "members": len(judged.members)}
        engines = judged.for_inference(*where)
        comparison, spread = evaluate_committee(judged, engines, samples, quiet)
        if first.has_response:
            response = compare_mean_response(engines, samples)
    n_atoms = sum(sample.graph.n_atoms for sample in samples)
    return ModelReport(
        title=f"Model {model}",
        facts=facts,
        errors={data.name: errors(comparison, len(samples), n_atoms)},
        part=data.name,
        comparison=comparison,
        card=judged.card,
        response=response,
        charges=charges,
        worst=worst_structure(comparison, samples),
        spread=spread,
    )


def _draw(report: ModelReport, files: Mapping[str, Path]) -> None:
    from ase_les.reports.committee import save_reliability_figure
    from ase_les.reports.comparison import parity, response_parity
    from ase_les.reports.figures import save_parity_figure

    # Otherwise a figure of an earlier evaluation would remain.
    for name in ("response", "reliability"):
        files[name].unlink(missing_ok=True)
    save_parity_figure(files["parity"], report.part, parity(report.comparison))
    if report.response and report.response.agreements():
        save_parity_figure(files["response"], report.part, response_parity(report.response))
    if report.spread is not None:
        save_reliability_figure(files["reliability"], report.part, report.spread)


def _files(output: str, overwrite: bool) -> dict[str, Path]:
    """Prepare the files by name; earlier ones are removed only if allowed."""
    from ase_les.reports.figures import in_format
    from ase_les.runs.output import OutputFiles

    endings = {"summary": "-summary.yml", "report": ".html"}
    endings |= {name: f"-{name}.png" for name in ("parity", "response", "reliability")}
    files = {name: in_format(Path(f"{output}{ending}")) for name, ending in endings.items()}
    OutputFiles(Path(output)).prepare(files.values(), overwrite)
    return files

"""Tables and figures of trainings, evaluations and labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from rich.table import Table

from ase_les.reports import model_report
from ase_les.reports.comparison import learning_curve, parity, response_parity, rmse_and_mae
from ase_les.reports.figures import save_parity_figure
from ase_les.reports.model_report import ModelReport
from ase_les.reports.terminal import console, print_notes, results_table
from ase_les.runs.output import TrainingFiles
from ase_les.training.labeling.reference import LabelResult
from ase_les.training.learning.evaluation import Errors
from ase_les.training.learning.response_evaluation import Agreement
from ase_les.training.learning.train import TrainingResult


def errors_table(found: Mapping[str, Errors]) -> Table:
    """Return root-mean-square and mean absolute errors of several sets of structures."""
    table = Table(title="RMSE (MAE)", title_justify="left")
    for column in ("set", "structures", "energy meV/atom", "forces meV/Å", "stress meV/Å³"):
        table.add_column(column, justify="left" if column == "set" else "right")

    for name, e in found.items():
        table.add_row(
            name,
            str(e.n_structures),
            rmse_and_mae(e.energy_rmse_meV_per_atom, e.energy_mae_meV_per_atom),
            rmse_and_mae(e.forces_rmse_meV_per_A, e.forces_mae_meV_per_A),
            rmse_and_mae(e.stress_rmse_meV_per_A3, e.stress_mae_meV_per_A3),
        )
    return table


def agreements_table(title: str, agreements: Mapping[str, Agreement]) -> Table:
    """Return the agreement of moments, Born charges and polarizabilities with their labels."""
    table = Table("property", "R²", "slope", "RMSE", title=title, title_justify="left")
    for name, a in agreements.items():
        table.add_row(name, f"{a.R2:.4f}", f"{a.slope:.3f}", f"{a.rmse:.3g}")
    return table


def write(result: TrainingResult, output: str | Path) -> None:
    """Write learning curve, parity figures of the held-back structures, and the report."""
    files, part = TrainingFiles(Path(output)), result.part
    learning_curve(result.fit.history, files.learning_curve)
    if result.comparisons[part].forces.size:
        save_parity_figure(files.parity, f"{part} structures", parity(result.comparisons[part]))
    panels = response_parity(result.responses[part]) if part in result.responses else []
    if panels:
        save_parity_figure(files.response, f"{part} structures", panels)
    model_report.write(report(result), files.report)


def report(result: TrainingResult) -> ModelReport:
    """Return the report on a trained model."""
    card, config, done = result.card, result.model.config, result.fit
    long_range = config.long_range
    training = f"{len(done.history)} epochs, best {done.best_epoch}, {round(done.seconds)} s"
    # With added polarizabilities the other entries are those of the initial model.
    added = card.get("polarizability")
    if added is None:
        training += f", {card['training']['threads']} threads, {card['training']['device']}"
    data = (added or card).get("data") or {}
    facts = {
        "model": f"{result.files.model} (hash {card['hash']})",
        "for": card.get("summary") or "–",
        "data": ", ".join(map(str, data.values())) or "–",
        "elements": ", ".join(config.atomic_energies),
        "representation": f"{type(config.representation).__name__.removesuffix('Config')}, cutoff "
        f"{config.cutoff:g} Å, {card['parameters']} parameters",
        "charges": "none" if long_range is None else f"neutrality {long_range.charges.neutrality}",
        "training": training,
        "notes": "; ".join(result.notes) or "–",
    }
    return ModelReport(
        title=f"Model {result.files.stem.name}",
        facts=facts,
        errors=result.errors,
        part=result.part,
        comparison=result.comparisons[result.part],
        card=card,
        response=result.responses.get(result.part),
        charges=result.charges,
        worst=result.worst,
        history=result.fit.history,
    )


def show(result: TrainingResult, quiet: bool = False) -> None:
    """Print errors, agreement with labels of dipoles and Born charges, and notes."""
    on = console(quiet)
    on.print(errors_table(result.errors))
    for name, response in result.responses.items():
        agreements = response.agreements()
        if agreements:
            on.print(agreements_table(f"responses, {name} structures", agreements))
    print_notes(result.notes, quiet)
    on.print(f"model and card: {result.files.model}", markup=False)
    on.print(f"report: {result.files.report}", markup=False)


def show_labels(result: LabelResult, quiet: bool = False) -> None:
    """Print the number of labeled structures and the kinds of failures."""
    kinds = Counter(problem.split(":")[0] for problem in result.failures.values())
    rows: dict[str, object] = {
        "engine": f"{result.reference.name} {result.reference.version or ''}".rstrip(),
        "labeled": f"{result.labeled} of {result.structures}",
        **{f"failed: {kind}": count for kind, count in kinds.items()},
        **({"without stress": result.without_stress} if result.without_stress else {}),
        "wall time (s)": result.wall_time_s,
    }
    on = console(quiet)
    on.print(results_table(str(result.files.frames), rows))
    if result.stopped:
        left = result.structures - len(result.labels)
        on.print(f"Stopped, {left} structures remain; continue with --resume", style="bold red")

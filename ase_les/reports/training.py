"""Tables and figures of trainings, evaluations and labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from rich.table import Table

from ase_les.reports.figures import Panel, Parity, save_figure, save_parity_figure
from ase_les.reports.terminal import console, print_notes, results_table
from ase_les.runs.output import TrainingFiles
from ase_les.training.evaluation import Comparison, Errors
from ase_les.training.fit import EpochRecord
from ase_les.training.reference import LabelResult
from ase_les.training.response_evaluation import Agreement, ResponseComparison
from ase_les.training.train import TrainingResult


def errors_table(found: Mapping[str, Errors]) -> Table:
    """Return root-mean-square and mean absolute errors of several sets of structures."""
    table = Table(title="RMSE (MAE)", title_justify="left")
    for column in ("set", "structures", "energy meV/atom", "forces meV/Å", "stress meV/Å³"):
        table.add_column(column, justify="left" if column == "set" else "right")

    def both(rmse: float | None, mae: float | None) -> str:
        return "–" if rmse is None else f"{rmse:.3g} ({mae:.3g})"

    for name, e in found.items():
        table.add_row(
            name,
            str(e.n_structures),
            both(e.energy_rmse_meV_per_atom, e.energy_mae_meV_per_atom),
            both(e.forces_rmse_meV_per_A, e.forces_mae_meV_per_A),
            both(e.stress_rmse_meV_per_A3, e.stress_mae_meV_per_A3),
        )
    return table


def agreements_table(title: str, agreements: Mapping[str, Agreement]) -> Table:
    """Return the agreement of moments, Born charges and polarizabilities with their labels."""
    table = Table("property", "R²", "slope", "RMSE", title=title, title_justify="left")
    for name, a in agreements.items():
        table.add_row(name, f"{a.R2:.4f}", f"{a.slope:.3f}", f"{a.rmse:.3g}")
    return table


def response_parity(comparison: ResponseComparison) -> list[Parity]:
    """Return the panels of a parity figure of the responses that have labels."""
    panels = [
        Parity("dipole component / (e Å)", *comparison.dipole),
        Parity("quadrupole component / (e Å²)", *comparison.quadrupole),
        Parity("latent Born charge component / e", *comparison.born_charges),
        Parity(
            "polarizability, difference from mean / Å³",
            *comparison.polarizability_parts()["polarizability_A3"],
        ),
    ]
    return [panel for panel in panels if len(panel.reference)]


def parity(comparison: Comparison) -> list[Parity]:
    """Return the panels of a parity figure of energies, forces and stresses."""
    return [
        Parity(
            "energy relative to mean / (meV/atom)", *_relative_to_mean(1000 * comparison.energy)
        ),
        Parity("force component / (eV/Å)", *comparison.forces),
        Parity("stress component / (eV/Å³)", *comparison.stress),
    ]


def figure(history: list[EpochRecord], path: Path) -> None:
    """Draw loss and validation errors against the epoch."""

    def series(name: str) -> np.ndarray:
        return np.array([getattr(record, name) for record in history], dtype=float)

    # Without validation only the loss is known.
    validated = ~np.isnan(series("validation_loss"))
    shown = validated if validated.any() else np.ones_like(validated)
    panels = {
        "training loss": series("training_loss"),
        "force RMSE / (meV/Å)": series("forces_rmse"),
        "energy RMSE / (meV/atom)": series("energy_rmse"),
        "polarizability RMSE / (0.001 Å³/atom)": series("polarizability_rmse"),
    }
    save_figure(
        path,
        series("epoch")[shown],
        "epoch",
        [
            Panel(label, {"": values[shown]}, logarithmic=True)
            for label, values in panels.items()
            if not np.isnan(values[shown]).all()
        ],
    )


def write(result: TrainingResult, output: str | Path) -> None:
    """Write the learning curve and the parity figures of the test (or validation) structures."""
    files = TrainingFiles(Path(output))
    figure(list(result.fit.history), files.learning_curve)
    part = next(name for name in ("test", "validation", "training") if name in result.comparisons)
    if result.comparisons[part].forces.size:
        save_parity_figure(files.parity, f"{part} structures", parity(result.comparisons[part]))
    panels = response_parity(result.responses[part]) if part in result.responses else []
    if panels:
        save_parity_figure(files.response, f"{part} structures", panels)


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


def show_labels(result: LabelResult, quiet: bool = False) -> None:
    """Print the number of labeled structures and the kinds of failures."""
    kinds = Counter(problem.split(":")[0] for problem in result.failures.values())
    rows: dict[str, object] = {
        "engine": f"{result.reference.name} {result.reference.version or ''}".rstrip(),
        "labelled": f"{result.labelled} of {result.structures}",
        **{f"failed: {kind}": count for kind, count in kinds.items()},
        "wall time (s)": result.wall_time_s,
    }
    on = console(quiet)
    on.print(results_table(str(result.files.frames), rows))
    if result.stopped:
        left = result.structures - len(result.labels)
        on.print(f"Stopped, {left} structures remain; continue with --resume", style="bold red")


def _relative_to_mean(pair: np.ndarray) -> np.ndarray:
    # Total energies have arbitrary offsets.
    return pair - pair[0].mean() if pair.size else pair

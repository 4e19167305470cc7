"""Report on a model as one HTML page: errors, parity, learning curve and charges by element."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ase_les.charges.electronegativity import ELECTRONEGATIVITY
from ase_les.model_limits import stated_limits
from ase_les.reports import html
from ase_les.reports.committee import save_reliability_figure
from ase_les.reports.comparison import learning_curve, parity, response_parity, rmse_and_mae
from ase_les.reports.figures import (
    Parity,
    Target,
    new_figure,
    save_parity_figure,
    save_structure_figure,
)
from ase_les.runs.output import replace_file

if TYPE_CHECKING:
    from ase_les.training.learning.atomic_charges import AtomicCharges
    from ase_les.training.learning.calibration import Calibration
    from ase_les.training.learning.evaluation import Comparison, Errors, WorstStructure
    from ase_les.training.learning.fit import EpochRecord
    from ase_les.training.learning.response_evaluation import Agreement, ResponseComparison


@dataclass(frozen=True)
class ModelReport:
    """Contents of the report on a model.

    Parameters
    ----------
    facts : mapping of str to object
        Rows of the first table: data, structures, settings.
    errors : mapping of str to Errors
        By part of the data.
    part : str
        Name of the structures that figures and charges are of.
    comparison : Comparison
        Of these structures.
    card : mapping
        Card of the model.
    history : sequence of EpochRecord
        Learning curve.
    spread : Calibration or None
        Of committees.
    """

    title: str
    facts: Mapping[str, object]
    errors: Mapping[str, Errors]
    part: str
    comparison: Comparison
    card: Mapping[str, object]
    response: ResponseComparison | None = None
    charges: AtomicCharges | None = None
    worst: WorstStructure | None = None
    history: Sequence[EpochRecord] = field(default=())
    spread: Calibration | None = None


def write(report: ModelReport, path: Path) -> None:
    """Write the report as one file without references to others."""
    replace_file(path, page(report))


def page(report: ModelReport) -> bytes:
    """Return the report as a page."""
    limits = stated_limits(report.card)
    parts = [html.paragraph(f"Limits of the model: {limits}", strong=True)] if limits else []
    parts += [html.facts(report.facts), html.heading("Errors"), _errors(report.errors)]
    parts += [_by_element(report), _parity(report), *_worst(report), *_spread(report)]
    return html.page(
        report.title, [*parts, *_response(report), *_charges(report), *_learning(report)]
    )


def save_charges_figure(path: Target, charges: AtomicCharges) -> None:
    """Draw the distribution of the charges of each element, with GAPT charges as dashed lines."""
    with new_figure(path, 6.4, 3.2) as figure:
        axis = figure.subplots()
        values = np.concatenate(list(charges.by_element.values()))
        edges = np.histogram_bin_edges(values, 60).tolist()
        for number, (symbol, own) in enumerate(charges.by_element.items()):
            color = f"C{number % 7}"
            weights = np.full(len(own), 1 / len(own))
            axis.hist(own, edges, weights=weights, alpha=0.6, color=color, label=symbol)
            if symbol in charges.gapt:
                axis.axvline(charges.gapt[symbol], color=color, linestyle="--")
        axis.set_xlabel("charge / e")
        axis.set_ylabel("fraction of the atoms of an element")
        axis.legend()


def _errors(errors: Mapping[str, Errors]) -> str:
    head = ("structures", "number", "energy / (meV/atom)", "forces / (meV/Å)", "stress / (meV/Å³)")
    rows = [
        (
            name,
            str(e.n_structures),
            rmse_and_mae(e.energy_rmse_meV_per_atom, e.energy_mae_meV_per_atom),
            rmse_and_mae(e.forces_rmse_meV_per_A, e.forces_mae_meV_per_A),
            rmse_and_mae(e.stress_rmse_meV_per_A3, e.stress_mae_meV_per_A3),
        )
        for name, e in errors.items()
    ]
    words = "Root-mean-square errors, mean absolute errors in parentheses."
    if "training" in errors:
        words += " Training errors measure the fit, not the accuracy of predictions."
    return html.table(head, rows) + html.paragraph(words)


def _by_element(report: ModelReport) -> str:
    """Return errors of forces by element beside the forces themselves."""
    by_element = report.errors[report.part].forces_rmse_by_element
    numbers = report.comparison.force_elements
    sizes = {}
    for z in np.unique(numbers):
        own = report.comparison.forces[0, numbers == z]
        sizes[int(z)] = float(1000 * np.sqrt(np.mean(own**2)))
    rows = [
        (symbol, f"{error:.3g}", f"{size:.3g}", f"{100 * error / size:.2g} %" if size else "–")
        for (symbol, error), size in zip(by_element.items(), sizes.values(), strict=True)
        if error is not None
    ]
    if not rows:
        return ""
    head = ("forces on", "error / (meV/Å)", "force / (meV/Å)", "ratio")
    return html.table(head, rows) + html.paragraph(
        f"Root mean squares of force components, {report.part} structures."
    )


def _parity(report: ModelReport) -> str:
    title = f"{report.part} structures"
    draw = partial(save_parity_figure, title=title, panels=parity(report.comparison))
    return html.figure(draw, f"Predictions against labels, {title}")


def _worst(report: ModelReport) -> list[str]:
    worst = report.worst
    if worst is None:
        return []
    draw = partial(
        save_structure_figure,
        atoms=worst.atoms,
        values=1000 * worst.error_eV_per_A,
        label="error of force / (meV/Å)",
    )
    return [
        html.heading("Where the model is worst"),
        html.figure(
            draw,
            "Structure with the largest error, atoms colored by the error of their force",
            f"Structure {worst.index} (counted from 0) of the {report.part} structures: "
            f"{worst.atoms.get_chemical_formula()}, root-mean-square error of forces "
            f"{1000 * worst.rmse_eV_per_A:.3g} meV/Å.",
        ),
    ]


def _response(report: ModelReport) -> list[str]:
    agreements = report.response.agreements() if report.response else {}
    if report.response is None or not agreements:
        return []
    panels: list[Parity] = response_parity(report.response)
    draw = partial(save_parity_figure, title=f"{report.part} structures", panels=panels)
    return [
        html.heading("Response to fields and displacements"),
        _agreements(agreements),
        html.figure(draw, "Responses against labels"),
    ]


def _agreements(agreements: Mapping[str, Agreement]) -> str:
    names = {
        "dipole_eA": "dipole / (e Å)",
        "quadrupole_eA2": "quadrupole / (e Å²)",
        "born_effective_charges_e": "latent Born charges / e",
        "polarizability_A3": "polarizability / Å³",
        "isotropic_polarizability_A3": "isotropic part / Å³",
        "anisotropic_polarizability_A3": "anisotropic part / Å³",
    }
    rows = [
        (names.get(name, name), f"{a.R2:.4f}", f"{a.slope:.3f}", f"{a.rmse:.3g}", str(a.n))
        for name, a in agreements.items()
    ]
    return html.table(("property", "R²", "slope", "RMSE", "components"), rows)


def _charges(report: ModelReport) -> list[str]:
    charges = report.charges
    if charges is None:
        return []
    rows = [
        (
            symbol,
            f"{ELECTRONEGATIVITY[symbol]:.2f}" if symbol in ELECTRONEGATIVITY else "–",
            f"{own.mean():+.3f}",
            f"{own.std():.3f}",
            f"{charges.gapt[symbol]:+.3f}" if symbol in charges.gapt else "–",
        )
        for symbol, own in charges.by_element.items()
    ]
    head = ("element", "electronegativity", "mean charge / e", "std / e", "tr Z*/3 / e")
    factor = charges.physical_over_latent
    kind = "latent charges" if factor == 1 else f"{factor:.4g} (√ε∞) times the latent charges"
    return [
        html.heading("Charges"),
        html.table(head, rows),
        html.figure(
            partial(save_charges_figure, charges=charges),
            "Distribution of charges by element",
            f"Charges of the {report.part} structures, {kind}. Dashed: isotropic Born charges.",
        ),
    ]


def _learning(report: ModelReport) -> list[str]:
    if not report.history:
        return []

    draw = partial(learning_curve, report.history)
    return [html.heading("Learning curve"), html.figure(draw, "Loss and errors by epoch")]


def _spread(report: ModelReport) -> list[str]:
    if report.spread is None or not (report.spread.forces or report.spread.energies):
        return []
    draw = partial(save_reliability_figure, title="", calibration=report.spread)
    return [
        html.heading("Spread of the committee"),
        html.figure(
            draw, "Error against spread", "Error against the scaled spread of the members."
        ),
    ]

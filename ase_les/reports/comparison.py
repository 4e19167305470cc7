"""Figures of a fit: predictions against labels, and the learning curve."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ase_les.reports.figures import Panel, Parity, Target, save_figure

if TYPE_CHECKING:
    from ase_les.training.learning.evaluation import Comparison
    from ase_les.training.learning.fit import EpochRecord
    from ase_les.training.learning.response_evaluation import ResponseComparison


def rmse_and_mae(rmse: float | None, mae: float | None) -> str:
    """Return errors for a table, the mean absolute one in parentheses."""
    return "–" if rmse is None else f"{rmse:.3g} ({mae:.3g})"


def response_parity(comparison: ResponseComparison) -> list[Parity]:
    """Return the panels of a parity figure of dipoles and Born charges that have labels."""
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


def learning_curve(history: Sequence[EpochRecord], path: Target) -> None:
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


def _relative_to_mean(pair: np.ndarray) -> np.ndarray:
    # Total energies have arbitrary offsets.
    return pair - pair[0].mean() if pair.size else pair

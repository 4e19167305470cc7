"""Result of a fit and its learning curve."""

from __future__ import annotations

from dataclasses import dataclass

from ase_les.model import LESModel


@dataclass(frozen=True)
class EpochRecord:
    """One line of the learning curve; errors of the averaged model on the validation data.

    ``energy_rmse`` in meV/atom, ``forces_rmse`` in meV/Å, ``polarizability_rmse`` in 0.001 Å³/atom;
    None without validation in this epoch or without labels.
    """

    epoch: int
    seconds: float
    learning_rate: float
    training_loss: float
    energy_rmse: float | None = None
    forces_rmse: float | None = None
    validation_loss: float | None = None
    polarizability_rmse: float | None = None


@dataclass(frozen=True)
class Fit:
    """Result of a fit: the best averaged model, its epoch, and the learning curve."""

    model: LESModel
    best_epoch: int
    history: tuple[EpochRecord, ...]

    @property
    def seconds(self) -> float:
        """Return the wall time of the fit in s, including earlier parts of a resumed fit."""
        return self.history[-1].seconds

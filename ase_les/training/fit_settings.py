"""Settings of a fit: steps, loss weights, validation and precision."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from ase_les.model import PRECISIONS
from ase_les.training.charge_gauge import GaugeSettings
from ase_les.training.loss import LossWeights

#: Parts of a model that `FitSettings.freeze` can name.
PARTS = ("representation", "short_range", "long_range")


@dataclass(frozen=True)
class FitSettings:
    """Settings of a fit.

    Parameters
    ----------
    epochs : int
        Passes over the training data.
    batch_size : int
        Structures per step.
    learning_rate : float
        Largest step size; reached after the warm-up, then lowered along a cosine.
    warmup_epochs : float
        Epochs of linear increase from zero.
    final_learning_rate : float
        Step size at the end.
    weight_decay : float
        Pull of the weights towards zero, as in AdamW.
    max_gradient_norm : float
        Gradients longer than this are shortened to it.
    average_decay : float
        Decay per step of the exponential moving average that becomes the model.
    free_sum : bool
        Whether the neutralizing shift of charges (neutrality "mean") is disabled during
        training, while the weight `excess` of the loss draws their sum to the total charge; the
        finished model shifts the small remainder. With the shift enabled, the network does not
        learn the sum: the shift then depends on the size of a molecule, and dipoles are poor.
    bond_polarity : float
        Initial charge through a bond, in e per unit of Pauling electronegativity
        (`ase_les.training.charge_start`); 0 starts with nearly zero charges. For neutrality
        "mean" and "none". Suitable values are 0.8 for molecules and 0.1 for clusters of ions,
        whose many neighbors would otherwise give initial charges of several e.
    loss, final_loss : LossWeights
        Weights at the start and at the end; interpolated geometrically in between.
    gauge : GaugeSettings
        Loss term that lets mean charges of elements follow their isotropic Born charges
        (`ase_les.training.charge_gauge`); no labels are needed.
    freeze : tuple of str
        Parts of the model whose weights stay as they start: "representation", "short_range",
        "long_range" (charges). ``[representation, short_range]`` adds charges to a trained model
        without changing the rest.
    validate_every : int
        Epochs between validations.
    patience : int or None
        Early-stopping patience, in validations; None disables early stopping.
    dtype : str
        Precision of the network; sums of charges and energies always use float64.
    seed : int
        Seed of initial weights and of the order of structures.

    Raises
    ------
    ValueError
        If a number is out of range.
    """

    epochs: int = 400
    batch_size: int = 2
    learning_rate: float = 0.005
    warmup_epochs: float = 1.0
    final_learning_rate: float = 1e-5
    weight_decay: float = 0.0
    max_gradient_norm: float = 10.0
    average_decay: float = 0.995
    free_sum: bool = False
    bond_polarity: float = 0.0
    loss: LossWeights = field(default_factory=lambda: LossWeights(1.0, 1.0, 0.0))
    final_loss: LossWeights = field(default_factory=lambda: LossWeights(100.0, 1.0, 0.0))
    gauge: GaugeSettings = field(default_factory=GaugeSettings)
    freeze: tuple[str, ...] = ()
    validate_every: int = 5
    patience: int | None = None
    dtype: str = "float32"
    seed: int = 0

    def __post_init__(self):
        for name in ("epochs", "batch_size", "learning_rate", "max_gradient_norm"):
            if not getattr(self, name) > 0:
                raise ValueError(f"`{name}` must be positive, got {getattr(self, name)}")
        object.__setattr__(self, "freeze", tuple(self.freeze))
        if unknown := sorted(set(self.freeze) - set(PARTS)):
            raise ValueError(
                f"`freeze` names parts of the model, {list(PARTS)}, got {unknown}: correct them"
            )
        if self.validate_every < 1:
            raise ValueError(f"`validate_every` must be at least 1, got {self.validate_every}")
        if not 0 <= self.average_decay < 1:
            raise ValueError(f"`average_decay` must be in [0, 1), got {self.average_decay}")
        if self.dtype not in PRECISIONS:
            raise ValueError(f"`dtype` must be one of {sorted(PRECISIONS)}, got {self.dtype!r}")

    @property
    def needs_stress(self) -> bool:
        """Return whether stresses are trained on."""
        return self.loss.stress > 0 or self.final_loss.stress > 0

    @property
    def needs_response(self) -> bool:
        """Return whether dipoles or Born charges are trained on."""
        return any(w.dipole > 0 or w.born_charges > 0 for w in (self.loss, self.final_loss))

    def learning_rate_at(self, epoch: float) -> float:
        """Return the step size at a (fractional) epoch."""
        if epoch < self.warmup_epochs:
            return self.learning_rate * epoch / self.warmup_epochs
        done = (epoch - self.warmup_epochs) / max(self.epochs - self.warmup_epochs, 1e-9)
        low = min(self.final_learning_rate, self.learning_rate)
        return low + 0.5 * (self.learning_rate - low) * (1 + math.cos(math.pi * min(done, 1.0)))

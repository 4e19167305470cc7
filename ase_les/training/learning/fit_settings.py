"""Settings of a fit: steps, loss weights, validation and precision."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Annotated, Literal

from ase_les.configuration import (
    Count,
    Fraction,
    Interval,
    NotNegative,
    Number,
    Positive,
    Seed,
    Unit,
    configuration,
)
from ase_les.training.learning.charge_gauge import GaugeSettings
from ase_les.training.learning.loss import LossWeights


@configuration
class FitSettings:
    """Settings of a fit.

    Parameters
    ----------
    epochs : int
        Passes over the training data.
    batch_size : int
        Structures per step.
    learning_rate : float
        Maximum learning rate; reached after the warm-up, then annealed along a cosine.
    warmup_epochs : float
        Epochs over which the learning rate increases linearly from zero.
    final_learning_rate : float
        Learning rate at the end.
    weight_decay : float
        Decoupled weight decay, as in AdamW.
    max_gradient_norm : float
        Maximum norm of the gradient; larger gradients are scaled down to it.
    average_decay : float
        Decay per step of the exponential moving average that becomes the model.
    free_sum : bool
        Whether the neutralizing shift of charges (neutrality "mean") is disabled during
        training, while the weight `excess` of the loss draws their sum to the total charge; the
        finished model shifts the small remainder. With the shift enabled, the network does not
        learn the sum: the shift then depends on the size of a molecule, and dipoles are poor.
    bond_polarity : float
        Initial charge through a bond, in e per unit of Pauling electronegativity
        (`ase_les.training.learning.charge_start`); 0 starts with nearly zero charges. For
        neutrality "mean" and "none". Suitable values are 0.8 for molecules and 0.1 for clusters of
        ions, whose many neighbors would otherwise give initial charges of several e.
    loss, final_loss : LossWeights
        Weights at the start and at the end; interpolated geometrically in between.
    gauge : GaugeSettings
        Loss term that lets mean charges of elements follow their isotropic Born charges
        (`ase_les.training.learning.charge_gauge`); no labels are needed.
    freeze : tuple of str
        Parts of the model whose weights are kept fixed: "representation", "short_range",
        "long_range" (charges), "polarizability". ``[representation, short_range]`` adds charges to
        a trained model without changing the rest; with "long_range" in addition, polarizabilities
        are added.
    validate_every : int
        Epochs between validations.
    patience : int or None
        Early-stopping patience, in validations; None disables early stopping.
    dtype : str
        Precision of the network; sums of charges and energies always use float64.
    seed : int
        Seed of initial weights and of the order of structures.
    """

    epochs: Count = 400
    batch_size: Count = 2
    learning_rate: Annotated[float, Interval(gt=0, le=10)] = 0.005
    warmup_epochs: NotNegative = 1.0
    final_learning_rate: Annotated[float, Interval(ge=0, le=10)] = 1e-5
    weight_decay: NotNegative = 0.0
    max_gradient_norm: Positive = 10.0
    average_decay: Fraction = 0.995
    free_sum: bool = False
    bond_polarity: Annotated[Number, Unit("e")] = 0.0
    loss: LossWeights = LossWeights(1.0, 1.0, 0.0)
    final_loss: LossWeights = LossWeights(100.0, 1.0, 0.0)
    gauge: GaugeSettings = GaugeSettings()
    freeze: tuple[
        Literal["representation", "short_range", "long_range", "polarizability"], ...
    ] = ()
    validate_every: Count = 5
    patience: Count | None = None
    dtype: Literal["float32", "float64"] = "float32"
    seed: Seed = 0

    @property
    def needs_stress(self) -> bool:
        """Return whether stresses are trained on."""
        return self.loss.stress > 0 or self.final_loss.stress > 0

    @property
    def needs_response(self) -> bool:
        """Return whether dipoles or Born charges are trained on."""
        return any(w.dipole > 0 or w.born_charges > 0 for w in (self.loss, self.final_loss))

    @property
    def needs_energies(self) -> bool:
        """Return whether anything besides polarizabilities is trained on."""
        return any(
            value > 0
            for weights in (self.loss, self.final_loss)
            for name, value in asdict(weights).items()
            if name != "polarizability"
        )

    def learning_rate_at(self, epoch: float) -> float:
        """Return the learning rate at a (fractional) epoch."""
        if epoch < self.warmup_epochs:
            return self.learning_rate * epoch / self.warmup_epochs
        done = (epoch - self.warmup_epochs) / max(self.epochs - self.warmup_epochs, 1e-9)
        low = min(self.final_learning_rate, self.learning_rate)
        return low + 0.5 * (self.learning_rate - low) * (1 + math.cos(math.pi * min(done, 1.0)))

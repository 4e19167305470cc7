"""Fit a model: optimization, averaging of weights, validation and checkpoints."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor

from ase_les.charges import MeanShift, Unconstrained
from ase_les.configuration import from_mapping
from ase_les.derivatives import differentiate
from ase_les.kernels import use_training_kernels
from ase_les.model import PRECISIONS, LESModel, ModelConfig
from ase_les.process_settings import keep_freed_memory
from ase_les.ranks import ALONE, Ranks
from ase_les.training.learning.charge_gauge import ChargeGauge
from ase_les.training.learning.checkpoint import (
    OtherTraining,
    differences,
    optimizer_tensors,
    read_checkpoint,
    restore_optimizer,
    write_checkpoint,
)
from ase_les.training.learning.dataset import Sample, fingerprint, joined, shuffled_batches
from ase_les.training.learning.evaluation import shared_polarizability_rmse, shared_rmse
from ase_les.training.learning.fit_result import EpochRecord, Fit
from ase_les.training.learning.fit_settings import FitSettings
from ase_les.training.learning.loss import (
    LossWeights,
    excess_loss,
    loss,
    polarizability_loss,
    response_loss,
)
from ase_les.training.learning.soap import SOAP

__all__ = ["EpochRecord", "Fit", "fit", "freeze"]


def fit(
    model: LESModel,
    training: Sequence[Sample],
    validation: Sequence[Sample],
    settings: FitSettings,
    checkpoint: Path,
    *,
    resume: bool = False,
    start: str | None = None,
    device: str = "cpu",
    seconds_between_checkpoints: float = 30.0,
    on_epoch: Callable[[EpochRecord], None] = lambda record: None,
    ranks: Ranks = ALONE,
) -> Fit:
    """Fit a model to samples.

    Parameters
    ----------
    model : LESModel
        Initial model; modified in place.
    training, validation : sequence of Sample
        Without validation data the result is the last averaged model.
    checkpoint : Path
        Checkpoint file, written from the start; an interrupted fit resumes from it with the same
        result. Ctrl-C preserves all completed epochs.
    resume : bool
        Continue from the checkpoint.
    start : str or None
        Hash of the trained model that provides the initial weights, None if they are random; a
        checkpoint with other initial weights is rejected.
    device : str
        Device in the notation of torch; the model is moved there. A fit may be resumed on another
        device; results then agree within rounding.
    seconds_between_checkpoints : float
        Interval between checkpoints; a crash loses at most this plus one epoch.
    on_epoch : callable
        Called with every `EpochRecord`.
    ranks : Ranks
        Processes that share each batch; the first one writes the checkpoint. The result is that
        of one process to rounding, and a fit may be resumed with another number of processes.
    """
    rule = None if model.long_range is None else model.long_range.charges.neutrality
    if settings.free_sum and not isinstance(rule, MeanShift):
        raise ValueError(
            "`free_sum` requires charges with neutrality 'mean', which this model does not have; "
            "remove it"
        )
    is_free = settings.free_sum or (rule is not None and not rule.is_conserved)
    if max(settings.loss.excess, settings.final_loss.excess) > 0 and not is_free:
        raise ValueError(
            "the weight `excess` requires charges with a free sum (neutrality 'none' or "
            "`free_sum`); this model has no charges, or they sum to the total charge. Remove it"
        )
    model.to(device=device, dtype=PRECISIONS[settings.dtype])
    freeze(model, settings.freeze)
    use_training_kernels(model)
    keep_freed_memory()
    run = _Run(model, settings, training, validation, start, ranks)
    if resume:
        run.restore(checkpoint)
        for record in run.history:
            on_epoch(record)
    whole = run.state()
    # Write only after all processes have read the checkpoint.
    ranks.wait()

    def write() -> None:
        if ranks.is_first:
            write_checkpoint(checkpoint, *whole)

    # Written immediately, so that a replaced training cannot be resumed by mistake.
    write()
    saved = time.monotonic()
    try:
        while not run.finished:
            record = run.one_epoch()
            whole = run.state()
            on_epoch(record)
            if time.monotonic() - saved > seconds_between_checkpoints:
                write()
                saved = time.monotonic()
    finally:
        # After Ctrl-C the incomplete epoch is repeated on resuming.
        write()
    model.load_state_dict(run.best)
    return Fit(model, run.best_epoch, tuple(run.history))


def freeze(model: LESModel, parts: Sequence[str]) -> None:
    """Exclude the weights of parts of a model from training."""
    for part in parts:
        if getattr(model, part, None) is None:
            raise ValueError(f"`freeze` names {part!r}, which this model does not have; remove it")
        getattr(model, part).requires_grad_(False)
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise ValueError(f"`freeze` leaves nothing to train: got {list(parts)}; remove a part")


class _Run:
    """State of a fit as stored in a checkpoint, and its update by one epoch."""

    def __init__(
        self,
        model: LESModel,
        settings: FitSettings,
        training: Sequence[Sample],
        validation: Sequence[Sample],
        start: str | None,
        ranks: Ranks = ALONE,
    ):
        self.ranks = ranks
        self.model = model
        self.start = start
        self.settings = settings
        self.training = training
        self.validation = validation
        self.optimizer = SOAP(
            [p for p in model.parameters() if p.requires_grad],
            lr=settings.learning_rate,
            weight_decay=settings.weight_decay,
        )
        self._data = {
            name: {"structures": len(samples), "sha256": fingerprint(samples)[:16]}
            for name, samples in (("training", training), ("validation", validation))
        }
        self.average = _copied(model.state_dict())
        self.best = _copied(model.state_dict())
        self.best_epoch = 0
        self.best_loss = math.inf
        self.gauge = ChargeGauge(settings.gauge, model, ranks)
        self.epoch = 0
        self.steps = 0
        self.seconds = 0.0
        self.history: list[EpochRecord] = []

    def one_epoch(self) -> EpochRecord:
        settings, start = self.settings, time.monotonic()
        n_steps = math.ceil(len(self.training) / settings.batch_size)
        total = 0.0
        with _free_sum(self.model) if settings.free_sum else nullcontext():
            for step, members in enumerate(
                shuffled_batches(self.training, settings.batch_size, settings.seed, self.epoch)
            ):
                progress = self.epoch + (step + 1) / n_steps
                total += self._step(members, progress) / n_steps
        self._align()
        self.epoch += 1
        last = self.epoch == settings.epochs
        energy = forces = alpha = score = None
        if not self.validation:
            self._keep(math.nan)
        elif last or self.epoch % settings.validate_every == 0:
            energy, forces, alpha, score = self._validate()
            if score < self.best_loss:
                self._keep(score)
        self.seconds += time.monotonic() - start
        record = EpochRecord(
            epoch=self.epoch,
            seconds=self.seconds,
            learning_rate=settings.learning_rate_at(self.epoch),
            training_loss=total,
            energy_rmse=energy,
            forces_rmse=forces,
            validation_loss=score,
            polarizability_rmse=alpha,
        )
        self.history.append(record)
        return record

    @property
    def finished(self) -> bool:
        """Return whether all epochs are completed or early stopping applies."""
        patience = self.settings.patience
        validated = [r.epoch for r in self.history if r.validation_loss is not None]
        out_of_patience = (
            patience is not None and sum(e > self.best_epoch for e in validated) >= patience
        )
        return out_of_patience or self.epoch >= self.settings.epochs

    def _step(self, members: Sequence[Sample], progress: float) -> float:
        for group in self.optimizer.param_groups:
            group["lr"] = self.settings.learning_rate_at(progress)
        own = self.ranks.share(members, [sample.graph.n_atoms for sample in members])
        batch = joined(members)
        self.optimizer.zero_grad()
        value = 0.0
        if own:
            part = batch if len(own) == len(members) else joined(own)
            value = self._backward(part.to(self.model.device), batch, progress)
        else:
            self.gauge.measure(None, batch.graph, self.steps)
        value = self._share_gradient(value)
        if not math.isfinite(value):
            raise FloatingPointError(
                f"the loss is {value} in epoch {self.epoch + 1}; lower `learning_rate` "
                f"(now {self.settings.learning_rate}) or check the labels"
            )
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.settings.max_gradient_norm)
        self.optimizer.step()
        self._update_average()
        return value

    def _backward(self, sample: Sample, batch: Sample, progress: float) -> float:
        """Add the gradient of a part of a batch, and return its share of the loss."""
        settings = self.settings
        batch = sample if sample.graph.n_structures == batch.graph.n_structures else batch
        weights = settings.loss.between(settings.final_loss, progress / settings.epochs)
        value = polarizability_loss(self.model, sample, weights.polarizability, batch)
        if settings.needs_energies:
            value = value + self._energy_loss(sample, batch, weights, progress)
        # Without labels the loss is a constant.
        if value.requires_grad:
            # Parameters only: gradients with respect to positions would cost a tenth of a step.
            value.backward(inputs=[p for p in self.model.parameters() if p.requires_grad])
        return value.item()

    def _energy_loss(
        self, sample: Sample, batch: Sample, weights: LossWeights, progress: float
    ) -> Tensor:
        """Return the loss of everything except polarizabilities."""
        settings = self.settings
        derived = differentiate(
            self.model, sample.graph, stress=settings.needs_stress, create_graph=True
        )
        value = loss(derived, sample, weights, batch)
        value = value + response_loss(self.model, derived, sample, weights, batch)
        if weights.excess:
            count = batch.graph.n_structures
            value = value + weights.excess * excess_loss(derived.prediction, sample.graph, count)
        charges, fraction = derived.prediction.charges, progress / settings.epochs
        whole = batch.graph._replace(numbers=batch.graph.numbers.to(charges.device))
        return value + self.gauge.loss(charges, sample.graph, self.steps, fraction, whole)

    def _share_gradient(self, value: float) -> float:
        """Add gradients and loss of all processes."""
        if self.ranks.size == 1:
            return value
        parameters = [p for p in self.model.parameters() if p.requires_grad]
        has_gradient = [p.grad is not None for p in parameters]
        flat = [(torch.zeros_like(p) if p.grad is None else p.grad).flatten() for p in parameters]
        known = torch.tensor([*map(float, has_gradient), value], dtype=torch.float64)
        self.ranks.sum_(known)
        summed = self.ranks.sum_(torch.cat(flat)).split([p.numel() for p in parameters])
        for parameter, gradient, count in zip(parameters, summed, known.tolist(), strict=False):
            parameter.grad = gradient.view_as(parameter).clone() if count else None
        return float(known[-1])

    @torch.no_grad()
    def _align(self) -> None:
        """Copy the weights of the first process; other machines may differ by rounding."""
        self.ranks.copy_from_first_((*self.model.parameters(), *self.average.values()))

    @torch.no_grad()
    def _update_average(self) -> None:
        self.steps += 1
        # Faster decay during the first steps removes the initial weights from the average.
        decay = min(self.settings.average_decay, (1 + self.steps) / (10 + self.steps))
        for name, value in self.model.state_dict().items():
            if value.is_floating_point():
                self.average[name].lerp_(value, 1 - decay)

    def _validate(self) -> tuple[float | None, float | None, float | None, float]:
        current = _copied(self.model.state_dict())
        self.model.load_state_dict(self.average)
        weights = self.settings.final_loss
        energy = forces = stress = None
        if self.settings.needs_energies:
            energy, forces, stress = shared_rmse(self.model, self.validation, self.ranks)
        alpha = None
        if weights.polarizability:
            alpha = shared_polarizability_rmse(self.model, self.validation, self.ranks)
        # Always with the final weights, so that epochs are comparable.
        score = sum(
            weight * (error / 1000) ** 2
            for weight, error in (
                (weights.energy, energy),
                (weights.forces, forces),
                (weights.stress, stress),
                (weights.polarizability, alpha),
            )
            if error is not None
        )
        self.model.load_state_dict(current)
        return energy, forces, alpha, score

    def _keep(self, score: float) -> None:
        self.best, self.best_epoch, self.best_loss = _copied(self.average), self.epoch, score

    def state(self) -> tuple[dict[str, Tensor], dict]:
        """Return a copy of the state as stored in a checkpoint."""
        tensors = optimizer_tensors(self.optimizer)
        for prefix, state in (
            ("model", self.model.state_dict()),
            ("average", self.average),
            ("best", self.best),
        ):
            tensors |= {f"{prefix}.{name}": value for name, value in state.items()}
        tensors["gauge.difference"] = self.gauge.difference
        state = {
            "data": self._data,
            "fit": asdict(self.settings),
            "model": self.model.config.to_dict(),
            "start": self.start,
            "finished": self.finished,
            "epoch": self.epoch,
            "steps": self.steps,
            "seconds": self.seconds,
            "best_epoch": self.best_epoch,
            "best_loss": self.best_loss,
            "history": [asdict(record) for record in self.history],
        }
        return _copied(tensors), state

    def restore(self, path: Path) -> None:
        tensors, state = read_checkpoint(path)
        # Older checkpoints were written without a gauge.
        state["fit"].setdefault("gauge", {"weight": 0.0, "final_weight": 0.0})
        # Settings missing in older checkpoints have their defaults.
        then = _origin(
            state["data"],
            from_mapping(FitSettings, state["fit"]),
            ModelConfig.from_dict(state["model"]),
            state.get("start"),
        )
        now = _origin(self._data, self.settings, self.model.config, self.start)
        changes = differences(then, now)
        if changes:
            raise OtherTraining(path, changes, state["finished"])
        self.model.load_state_dict(_with_prefix(tensors, "model.", self.model.device))
        self.average = _with_prefix(tensors, "average.", self.model.device)
        self.best = _with_prefix(tensors, "best.", self.model.device)
        restore_optimizer(self.optimizer, tensors)
        # Missing in checkpoints written without a gauge.
        if "gauge.difference" in tensors:
            self.gauge.difference = tensors["gauge.difference"].clone()
        for name in ("epoch", "steps", "seconds", "best_epoch", "best_loss"):
            setattr(self, name, state[name])
        self.history = [EpochRecord(**record) for record in state["history"]]


def _origin(data: Mapping, settings: FitSettings, model: ModelConfig, start: str | None) -> dict:
    """Return the properties that a checkpoint and a resumed fit must share."""
    return {
        "data": data,
        "fit": asdict(settings),
        # The order of the elements determines the meaning of the weights.
        "elements": list(model.atomic_energies),
        "model": model.to_dict(),
        "start": start,
    }


@contextmanager
def _free_sum(model: LESModel) -> Iterator[None]:
    """Disable the neutralizing shift of the charges temporarily."""
    charges = model.latent_electrostatics.charges
    rule, charges.neutrality = charges.neutrality, Unconstrained()
    try:
        yield
    finally:
        charges.neutrality = rule


def _copied(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in state.items()}


def _with_prefix(
    tensors: dict[str, Tensor], prefix: str, device: torch.device
) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): value.to(device)
        for name, value in tensors.items()
        if name.startswith(prefix)
    }

"""Polarizabilities added to a trained model: initial values, and their entry in its card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ase_les.model import LESModel
from ase_les.model_io import model_hash
from ase_les.polarizability import local_polarizability
from ase_les.training.learning.dataset import Sample, fingerprint
from ase_les.training.learning.response_evaluation import Agreement

if TYPE_CHECKING:
    from ase_les.training.learning.configuration import TrainingConfig
    from ase_les.training.learning.fit import Fit

_PARTS = ("representation", "short_range", "long_range")


def is_added(config: TrainingConfig, start: LESModel | None) -> bool:
    """Return whether a training adds polarizabilities to a model that is otherwise unchanged."""
    if start is None or config.fit.needs_energies or config.model.polarizability is None:
        return False
    parts = [part for part in _PARTS if getattr(start, part) is not None]
    return set(parts) <= set(config.fit.freeze)


@torch.no_grad()
def start_from_mean(model: LESModel, samples: Sequence[Sample]) -> None:
    """Set the constants of the elements to the mean isotropic polarizability of the data.

    Least squares over the structures; the solution of minimum norm if the compositions do not
    determine all elements. No effect without labels.

    Parameters
    ----------
    model : LESModel
        Model with a polarizability.
    """
    part = model.polarizability
    known = [sample for sample in samples if not sample.polarizability.isnan().all()]
    if part is None or not known:
        return
    counts, targets = [], []
    for sample in known:
        alpha, graph = sample.polarizability[0], sample.graph
        if part.config.local_field == "lorentz" and bool(graph.pbc.all()):
            alpha = local_polarizability(alpha, torch.linalg.det(graph.cell[0]).abs())
        counts.append([int((graph.numbers == z).sum()) for z in model.config.elements])
        targets.append(float(alpha.trace()) / 3 / part.config.scale)
    found = np.linalg.lstsq(np.array(counts, float), np.array(targets), rcond=None)[0]
    part.constants.copy_(torch.tensor(found))


def card_with_polarizability(
    start: LESModel,
    config: TrainingConfig,
    parts: Mapping[str, Sequence[Sample]],
    done: Fit,
    agreements: Mapping[str, Mapping[str, Agreement]],
) -> dict[str, Any]:
    """Return the card of a trained model with an entry about the added polarizabilities.

    Parameters
    ----------
    start : LESModel
        Model before the training; its card is kept.
    config : TrainingConfig
        `card.data` describes the data of the polarizabilities.
    parts : mapping of str to sequence of Sample
        Structures for training, validation and test.
    agreements : mapping of str to mapping of str to Agreement
        By part of the data and property.
    """
    model = done.model
    assert model.polarizability is not None
    given = {name: value for name, value in config.card.entries().items() if name == "data"}
    entry: dict[str, Any] = {
        **given,
        "structures": {name: len(samples) for name, samples in parts.items()},
        "local_field": model.polarizability.config.local_field,
        "seconds": round(done.seconds),
        "best_epoch": done.best_epoch,
        "fit": asdict(config.fit),
        "samples_sha256": fingerprint(parts["training"]),
        "model_before": model_hash(start),
    }
    for part, found in agreements.items():
        of_alpha = {name: a.to_dict() for name, a in found.items() if "polarizability" in name}
        if of_alpha:
            entry[f"{part}_response"] = of_alpha
    return {
        **start.card,
        "polarizability": entry,
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "hash": model_hash(model),
    }


def without_polarizability(model: LESModel) -> LESModel:
    """Return a copy without polarizabilities; energies and charges are the same."""
    copy = LESModel(replace(model.config, polarizability=None), seed=0).to(model.precision)
    weights = model.state_dict()
    copy.load_state_dict({name: weights[name] for name in copy.state_dict()})
    copy.card = {
        **{name: entry for name, entry in model.card.items() if name != "polarizability"},
        "parameters": sum(parameter.numel() for parameter in copy.parameters()),
        "hash": model_hash(copy),
    }
    return copy

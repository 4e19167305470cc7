"""Cards of trained models: data, training, errors and charges."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import torch
from ase.data import chemical_symbols

from ase_les.calculator.domain_warnings import edges_of
from ase_les.environments import closest_contacts, summarize
from ase_les.graph import edge_vectors
from ase_les.model import LESModel
from ase_les.model_io import model_hash
from ase_les.runs.provenance import software_versions
from ase_les.training.learning.dataset import Sample, fingerprint
from ase_les.training.learning.evaluation import Errors
from ase_les.training.learning.fit import Fit
from ase_les.training.learning.mean_charges import (
    describe_charges,
    sign_is_free,
    sign_opposes_chemistry,
)
from ase_les.training.learning.response_evaluation import Agreement

if TYPE_CHECKING:
    from ase_les.training.learning.configuration import TrainingConfig

WRONG_SIGN = (
    "electronegative elements are positive, contrary to the formal charges that the training "
    "started from; train again with another `seed`, or check `formal_charges`"
)


def model_card(
    config: TrainingConfig,
    parts: Mapping[str, Sequence[Sample]],
    done: Fit,
    found: Mapping[str, Errors],
    agreements: Mapping[str, Mapping[str, Agreement]],
    sign_flipped: bool,
) -> dict[str, Any]:
    """Return the card of a trained model: data, training, errors, charges and versions.

    Parameters
    ----------
    config : TrainingConfig
        Its `card` contains the entries written by hand.
    parts : mapping of str to sequence of Sample
        Structures for training, validation and test.
    found : mapping of str to Errors
        Errors by part of the data.
    agreements : mapping of str to mapping of str to Agreement
        Agreement of dipoles and Born charges with labels, by part of the data and property.
    sign_flipped : bool
        Whether the sign of the charges was changed after training.
    """
    card: dict[str, Any] = {
        **config.card.entries(),
        "structures": {name: len(samples) for name, samples in parts.items()},
        "elements": list(done.model.config.atomic_energies),
        "cutoff_A": done.model.config.cutoff,
        **describe_data(parts["training"], config.data.dielectric, done.model.config.cutoff),
        "parameters": sum(parameter.numel() for parameter in done.model.parameters()),
        "training": {
            "seconds": round(done.seconds),
            "threads": torch.get_num_threads(),
            "processor": platform.processor() or platform.machine(),
            "device": str(done.model.device),
            "epochs": len(done.history),
            "best_epoch": done.best_epoch,
            "fit": asdict(config.fit),
        },
        "versions": software_versions(),
        "hash": model_hash(done.model),
    }
    for name, e in found.items():
        card[f"{name}_errors"] = e.to_dict()
    for name, of_property in agreements.items():
        if of_property:
            card[f"{name}_response"] = {p: a.to_dict() for p, a in of_property.items()}
    if done.model.long_range is not None:
        card["charges"] = {
            "sign": _sign(config, parts["training"], done.model, sign_flipped),
            "scale": _scale(agreements),
            **describe_charges(done.model, parts["training"], config.data.dielectric),
        }
    return card


def earlier_trainings(start: LESModel | None, teachers: Sequence[LESModel]) -> dict[str, object]:
    """Return hashes and training time of the initial model and the teachers of a training."""
    entries: dict[str, object] = {}
    if start is not None:
        entries["start"] = model_hash(start)
    if teachers:
        entries["teachers"] = [model_hash(teacher) for teacher in teachers]
    # A model can be both; its training time counts once.
    known = {model_hash(model): model.card for model in (start, *teachers) if model is not None}
    trainings: list[Any] = [(card or {}).get("training", {}) for card in known.values()]
    seconds = sum(t.get("seconds", 0) + t.get("seconds_before", 0) for t in trainings)
    return {**entries, "seconds_before": seconds} if entries else {}


def _sign(
    config: TrainingConfig, training: Sequence[Sample], model: LESModel, flipped: bool
) -> str:
    """Return how the sign of the charges was determined."""
    if config.teachers:
        return "from dipoles and Born charges of the teachers"
    if config.fit.needs_response:
        return "from labels of dipoles or Born charges"
    if not sign_is_free(model, training):
        if sign_opposes_chemistry(model, training):
            return WRONG_SIGN
        return "from energies and forces, with given charges or electronegativities"
    return "mean Born charges decrease with electronegativity" + (
        " (flipped after training)" if flipped else ""
    )


def _scale(agreements: Mapping[str, Mapping[str, Agreement]]) -> dict[str, float] | str:
    """Return the slopes of dipoles and Born charges against their labels."""
    for name in ("test", "validation"):
        if agreements.get(name):
            return {f"{p}, {name}": round(a.slope, 3) for p, a in agreements[name].items()}
    return "from energies and forces; there are no labels of dipoles or Born charges"


def describe_data(
    samples: Sequence[Sample], dielectric: float = 1.0, cutoff_A: float | None = None
) -> dict[str, object]:
    """Return the entries of a card that describe the training data.

    Dynamics stops if forces greatly exceed `largest_force_eV_per_A` (absent without force labels).
    The calculator warns of total charges that are not in `total_charges_e`, of contacts shorter
    than `closest_contact_A` and, by elements, `closest_contacts_A`, of forces above the largest,
    and of atoms far from the `environments` (see `ase_les.environments`). It scales Born charges
    by the square root of `dielectric` (absent if 1). Calculations refuse structures whose number
    of periodic directions is not in `periodic_directions`, and total charges that are not in
    `total_charges_e`, unless explicitly allowed. ``data_sha256`` is the hash of elements,
    positions, energies and forces, ``samples_sha256`` that of all labels.

    Parameters
    ----------
    dielectric : float
        Electronic dielectric constant.
    cutoff_A : float or None
        Cutoff of the graphs; None omits `environments`.
    """
    contacts = [edge_vectors(s.graph).norm(dim=1).min() for s in samples if len(s.graph.senders)]
    edges = [edges_of(s.graph) for s in samples]
    forces = torch.cat([s.forces.norm(dim=1) for s in samples])
    forces = forces[~forces.isnan()]
    entries: dict[str, object] = {
        "closest_contact_A": round(float(min(contacts)), 3) if contacts else 0.0,
        "periodic_directions": sorted({int(s.graph.pbc.sum()) for s in samples}),
    }
    entries["closest_contacts_A"] = {
        f"{chemical_symbols[one]}-{chemical_symbols[other]}": round(distance, 3)
        for (one, other), distance in sorted(closest_contacts(edges).items())
    }
    if cutoff_A is not None and (found := summarize(edges, cutoff_A)):
        entries["environments"] = found.entry()
    if len(forces):
        entries["largest_force_eV_per_A"] = round(float(forces.max()), 3)
    if dielectric != 1:
        entries["dielectric"] = dielectric
    return {
        **entries,
        "total_charges_e": sorted({q for s in samples for q in s.graph.total_charge.tolist()}),
        "data_sha256": _energies_and_forces(samples),
        "samples_sha256": fingerprint(samples),
    }


def _energies_and_forces(samples: Sequence[Sample]) -> str:
    digest = hashlib.sha256()
    for sample in samples:
        for part in (sample.graph.positions, sample.graph.numbers, sample.energy, sample.forces):
            digest.update(part.numpy().tobytes())
    return digest.hexdigest()

"""The model a training starts from: with random weights, or with those of a trained model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch

from ase_les.core_repulsion import CoreRepulsionConfig
from ase_les.model import LESModel, LongRangeConfig, ModelConfig, ShortRangeConfig
from ase_les.representation import RepresentationConfig
from ase_les.runs.provenance import changed
from ase_les.training.atomic_energies import fit_atomic_energies
from ase_les.training.dataset import Sample


@dataclass(frozen=True)
class ArchitectureConfig:
    """A model before the data are known.

    Parameters
    ----------
    representation : RepresentationConfig or None
        None takes that of the model a training starts from, and its repulsion of
        nuclei.
    short_range : ShortRangeConfig or None
        None takes the root-mean-square force of the data as energy scale.
    long_range : LongRangeConfig or None
        None for a short-range model.
    total_charges : tuple of int
        Total charges to be told apart; empty when there is one charge state.
    atomic_energies : mapping of str to float, or None
        In eV by symbol; None fits them to the data.
    core_repulsion : CoreRepulsionConfig or None
        Of nuclei nearer than bonds; None for none.
    """

    representation: RepresentationConfig | None = None
    short_range: ShortRangeConfig | None = None
    long_range: LongRangeConfig | None = field(default_factory=LongRangeConfig)
    total_charges: tuple[int, ...] = ()
    atomic_energies: Mapping[str, float] | None = None
    core_repulsion: CoreRepulsionConfig | None = None


def completed(architecture: ArchitectureConfig, start: LESModel | None) -> ArchitectureConfig:
    """Return the architecture with the representation of the model a training starts from.

    Raises
    ------
    ValueError
        If it has no representation, and there is no such model.
    """
    if architecture.representation is not None:
        return architecture
    if start is None:
        raise ValueError(
            "`model` lacks `representation`; write one, or name a model to `start` from"
        )
    return replace(
        architecture,
        representation=start.config.representation,
        core_repulsion=architecture.core_repulsion or start.config.core_repulsion,
        total_charges=architecture.total_charges or start.config.total_charges,
    )


def random_model(
    architecture: ArchitectureConfig, samples: Sequence[Sample], seed: int
) -> LESModel:
    """A model whose atomic energies and energy scale suit the data, and whose weights are random.

    Parameters
    ----------
    architecture : ArchitectureConfig
    samples : sequence of Sample
        Of the training.
    seed : int
        Decides the weights.
    """
    short_range = architecture.short_range
    if short_range is None:
        forces = torch.cat([sample.forces.flatten() for sample in samples])
        scale = float(forces[~forces.isnan()].square().mean().sqrt())
        short_range = ShortRangeConfig(scale=scale if np.isfinite(scale) and scale > 0 else 1.0)
    config = ModelConfig(
        atomic_energies=architecture.atomic_energies or fit_atomic_energies(samples),
        representation=architecture.representation,
        short_range=short_range,
        long_range=architecture.long_range,
        total_charges=architecture.total_charges,
        core_repulsion=architecture.core_repulsion,
    )
    return LESModel(config, seed=seed)


def model_from(
    known: LESModel, architecture: ArchitectureConfig, samples: Sequence[Sample], seed: int = 0
) -> LESModel:
    r"""A copy of a trained model whose atomic energies suit other data.

    Another code, functional or pseudopotential shifts the energy of every atom of an element; what
    a network knows of differences remains true. Unless the architecture says them, the energies of
    the elements are moved by

    .. math::
        \Delta E_0 = \arg\min \sum_s \Big(E_s - E^\mathrm{known}_s - \sum_{i \in s}
        \Delta E_0(Z_i)\Big)^2

    The sum of charges has no weights: smearing and self-energy (`ElectrostaticsConfig`) may be
    others than those of the trained model, whose energies then are a poorer start. A short-range
    model gets charges if the architecture has them: its short range is kept, and only the charges
    start from random weights.

    Parameters
    ----------
    known : LESModel
    architecture : ArchitectureConfig
        What the training asks for; that of `known`, apart from the electrostatics.
    samples : sequence of Sample
        Of the training. Elements of `known` that they do not have keep their energies.
    seed : int
        Decides the weights of charges that the trained model does not have.

    Raises
    ------
    ValueError
        If the model is of another architecture, or does not know an element or total charge.
    """
    asked = replace(
        known.config,
        representation=architecture.representation,
        short_range=architecture.short_range or known.config.short_range,
        long_range=architecture.long_range,
        total_charges=architecture.total_charges,
        core_repulsion=architecture.core_repulsion,
    )
    if known.config.long_range is None and architecture.long_range is not None:
        known = _with_charges(known, architecture.long_range, samples, seed)
    known = _with_electrostatics(known, architecture)
    changes = list(changed(known.config.to_dict(), asked.to_dict()))
    if changes:
        said = "; ".join(f"{'.'.join(path)} is {old}, asked {new}" for path, old, new in changes)
        raise ValueError(
            f"`start` is a model of another architecture: {said}. Write what it has under `model`, "
            "or leave `start` out"
        )
    for sample in samples:
        known.check_coverage(sample.graph.numbers.tolist(), float(sample.graph.total_charge))
    energies = dict(known.config.atomic_energies)
    said = architecture.atomic_energies or _moved(energies, known, samples)
    # In the order of the known elements, which is that of the weights.
    energies = {symbol: said.get(symbol, energy) for symbol, energy in energies.items()}
    model = LESModel(replace(known.config, atomic_energies=energies), seed=0).to(known.precision)
    model.load_state_dict(known.state_dict())
    return model


def _with_charges(
    known: LESModel, long_range: LongRangeConfig, samples: Sequence[Sample], seed: int
) -> LESModel:
    """Return a short-range model with charges of random weights."""
    config = replace(known.config, long_range=long_range)
    model = LESModel(config, seed=seed).to(known.precision)
    model.load_state_dict(model.state_dict() | known.state_dict())
    spread = model.short_range.readout.spread.clone()
    model.standardise_features([sample.graph for sample in samples[:10]])
    # The readout of the energy is trained already.
    model.short_range.readout.spread.copy_(spread)
    return model


def _with_electrostatics(known: LESModel, architecture: ArchitectureConfig) -> LESModel:
    """Return the model with the electrostatics that is asked for, if both have charges."""
    ours, asked = known.config.long_range, architecture.long_range
    if ours is None or asked is None or ours.electrostatics == asked.electrostatics:
        return known
    long_range = replace(ours, electrostatics=asked.electrostatics)
    model = LESModel(replace(known.config, long_range=long_range), seed=0).to(known.precision)
    model.load_state_dict(known.state_dict())
    return model


@torch.no_grad()
def _moved(
    energies: Mapping[str, float], known: LESModel, samples: Sequence[Sample]
) -> dict[str, float]:
    left = [s._replace(energy=s.energy - known(s.graph).energy) for s in samples]
    return {symbol: energies[symbol] + by for symbol, by in fit_atomic_energies(left).items()}

"""Initial model of a training, with random weights or those of a trained model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from ase_les.model import LESModel, ShortRangeConfig
from ase_les.model_config import ArchitectureConfig
from ase_les.runs.provenance import changed
from ase_les.training.learning.atomic_energies import fit_atomic_energies
from ase_les.training.learning.dataset import Sample


def completed(architecture: ArchitectureConfig, start: LESModel | None) -> ArchitectureConfig:
    """Return the architecture, completed with that of the initial model.

    An empty architecture, or one with a polarizability only, becomes that of the initial model
    without its atomic energies. An
    architecture without representation takes representation, core repulsion and total charges from
    the initial model.
    """
    if start is None or architecture.representation is not None:
        return architecture
    known = start.config
    polarizability = architecture.polarizability or known.polarizability
    if replace(architecture, polarizability=None) == ArchitectureConfig():
        parts = {name: getattr(known, name) for name in vars(architecture)}
        changed_parts = {"atomic_energies": None, "polarizability": polarizability}
        return ArchitectureConfig(**parts | changed_parts)
    return replace(
        architecture,
        polarizability=polarizability,
        representation=known.representation,
        core_repulsion=architecture.core_repulsion or known.core_repulsion,
        total_charges=architecture.total_charges or known.total_charges,
    )


def random_model(
    architecture: ArchitectureConfig, samples: Sequence[Sample], seed: int
) -> LESModel:
    """Return a model with random weights, and atomic energies and energy scale of the data.

    Parameters
    ----------
    samples : sequence of Sample
        Training structures.
    seed : int
        Seed of the random weights.
    """
    short_range = architecture.short_range
    if short_range is None:
        forces = torch.cat([sample.forces.flatten() for sample in samples])
        scale = float(forces[~forces.isnan()].square().mean().sqrt())
        short_range = ShortRangeConfig(scale=scale if np.isfinite(scale) and scale > 0 else 1.0)
    energies = architecture.atomic_energies or fit_atomic_energies(samples)
    return LESModel(architecture.complete(energies, short_range), seed=seed)


def model_from(
    known: LESModel, architecture: ArchitectureConfig, samples: Sequence[Sample], seed: int = 0
) -> LESModel:
    r"""Return a copy of a trained model with atomic energies fitted to other data.

    Another code, functional or pseudopotential shifts the energy of every atom of an element, but
    hardly energy differences. Unless the architecture specifies them, the energies of the elements
    are shifted by

    .. math::
        \Delta E_0 = \arg\min \sum_s \Big(E_s - E^\mathrm{known}_s - \sum_{i \in s}
        \Delta E_0(Z_i)\Big)^2

    The electrostatic sum has no weights: smearing and self-energy (`ElectrostaticsConfig`) may
    differ from those of the trained model, at the cost of a poorer initial energy. If the
    architecture has charges and the trained model has none, its short-range part is kept and the
    charges start from random weights.

    Parameters
    ----------
    architecture : ArchitectureConfig
        Architecture of the training; equal to that of `known` except for the electrostatics.
    samples : sequence of Sample
        Training structures. Elements of `known` that do not occur keep their energies.
    seed : int
        Seed of the weights of charges that the trained model does not have.

    Raises
    ------
    ValueError
        If the architectures differ, or the model does not cover an element or total charge.
    """
    requested = architecture.complete(
        known.config.atomic_energies, architecture.short_range or known.config.short_range
    )
    if known.config.long_range is None and architecture.long_range is not None:
        known = _extended(known, samples, seed, long_range=architecture.long_range)
    known = _with_electrostatics(known, architecture)
    if known.config.polarizability is None and architecture.polarizability is not None:
        known = _extended(known, samples, seed, polarizability=architecture.polarizability)
    changes = list(changed(known.config.to_dict(), requested.to_dict()))
    if changes:
        differing = "; ".join(
            f"{'.'.join(path)} is {old}, requested {new}" for path, old, new in changes
        )
        raise ValueError(
            f"`start` has a different architecture: {differing}. Adapt `model` to it, or "
            "remove `start`"
        )
    for sample in samples:
        known.check_coverage(sample.graph.numbers.tolist(), float(sample.graph.total_charge))
    energies = dict(known.config.atomic_energies)
    fitted = architecture.atomic_energies or _shifted_energies(energies, known, samples)
    # The order of the elements must match the weights.
    energies = {symbol: fitted.get(symbol, energy) for symbol, energy in energies.items()}
    model = LESModel(replace(known.config, atomic_energies=energies), seed=0).to(known.precision)
    model.load_state_dict(known.state_dict())
    return model


def _extended(known: LESModel, samples: Sequence[Sample], seed: int, **parts: Any) -> LESModel:
    """Return a model extended by parts with random weights; the weights of `known` are kept."""
    model = LESModel(replace(known.config, **parts), seed=seed).to(known.precision)
    # The spread of features is that of the trained representation.
    model.load_state_dict(model.state_dict() | known.state_dict())
    model.standardize_features([sample.graph for sample in samples[:10]])
    # Trained readouts keep their spread.
    model.load_state_dict(model.state_dict() | known.state_dict())
    return model


def _with_electrostatics(known: LESModel, architecture: ArchitectureConfig) -> LESModel:
    """Return the model with the requested electrostatics, if both have charges."""
    ours, requested = known.config.long_range, architecture.long_range
    if ours is None or requested is None or ours.electrostatics == requested.electrostatics:
        return known
    long_range = replace(ours, electrostatics=requested.electrostatics)
    model = LESModel(replace(known.config, long_range=long_range), seed=0).to(known.precision)
    model.load_state_dict(known.state_dict())
    return model


@torch.no_grad()
def _shifted_energies(
    energies: Mapping[str, float], known: LESModel, samples: Sequence[Sample]
) -> dict[str, float]:
    left = [s._replace(energy=s.energy - known(s.graph).energy) for s in samples]
    return {symbol: energies[symbol] + by for symbol, by in fit_atomic_energies(left).items()}

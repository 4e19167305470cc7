"""Select structures: by farthest-point sampling, committee disagreement, or evenly."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import torch
from ase import Atoms
from ase.calculators.abc import GetPropertiesMixin

from ase_les.graph import graph_from_atoms
from ase_les.model import LESModel
from ase_les.neighbors import NeighborList

T = TypeVar("T")


@torch.no_grad()
def structure_features(frames: Sequence[Atoms], model: LESModel) -> np.ndarray:
    r"""Return the features of structures, pooled per element.

    .. math::
        \left( \langle B \rangle_s, \; \sqrt{\langle (B - \langle B \rangle_s)^2 \rangle_s}
        \right)_{s} / \text{spread}

    Mean and deviation over the atoms of each element s, in units of the spread used by the
    readout of the model. The deviation is sensitive to a single unusual atom. Elements that do not
    occur in a structure give zeros.

    Returns
    -------
    (n, 2 × elements × features) array
    """
    neighbors = NeighborList(model.config.cutoff)
    spread = model.short_range.readout.spread.double().numpy(force=True)
    rows = []
    for atoms in frames:
        model.check_coverage(atoms.numbers, float(atoms.info.get("charge", 0)))
        graph = graph_from_atoms(atoms, neighbors)
        features = model.representation(graph).double().numpy(force=True) / spread
        pooled = []
        for number in model.config.elements:
            own = features[atoms.numbers == number]
            if len(own):
                pooled += [own.mean(axis=0), own.std(axis=0)]
            else:
                pooled += [np.zeros(features.shape[1])] * 2
        rows.append(np.concatenate(pooled))
    return np.array(rows)


def farthest_points(features: np.ndarray, count: int, known: np.ndarray | None = None) -> list[int]:
    r"""Select points by farthest-point sampling.

    .. math::
        i_{k+1} = \arg\max_i \min_{j \le k} |\mathbf{x}_i - \mathbf{x}_{i_j}|

    Parameters
    ----------
    features : (n, d) array
    count : int
        Number of points; fewer if all remaining ones are duplicates.
    known : (m, d) array, optional
        Existing points, such as training data. Without them the first point is the one closest
        to the mean.

    Returns
    -------
    list of int
        In the order of choice.

    References
    ----------
    .. [1] T. F. Gonzalez, Theor. Comput. Sci. 38, 293 (1985).
    """
    features = np.asarray(features, dtype=float)
    if features.ndim != 2 or len(features) == 0:
        raise ValueError(f"`features` must have shape (n, d), got {features.shape}")
    if count < 1:
        raise ValueError(f"`count` must be at least 1, got {count}")
    if not np.isfinite(features).all():
        raise ValueError("`features` are not finite")
    chosen = []
    if known is not None and len(known):
        nearest = np.min(
            [np.linalg.norm(features - each, axis=1) for each in np.asarray(known)], axis=0
        )
    else:
        first = int(np.linalg.norm(features - features.mean(axis=0), axis=1).argmin())
        chosen.append(first)
        nearest = np.linalg.norm(features - features[first], axis=1)
    while len(chosen) < count and nearest.max() > 0:
        farthest = int(nearest.argmax())
        chosen.append(farthest)
        nearest = np.minimum(nearest, np.linalg.norm(features - features[farthest], axis=1))
    return chosen


def disagreements(frames: Sequence[Atoms], committee: Sequence[GetPropertiesMixin]) -> np.ndarray:
    r"""Compute the largest standard deviation of a force within a committee, in eV/Å.

    .. math::
        D = \max_i \sqrt{\frac{1}{M - 1} \sum_m
        |\mathbf{F}_i^{(m)} - \langle \mathbf{F}_i \rangle|^2}

    as for the spread of `ase_les.committee.Committee` before calibration.

    Parameters
    ----------
    committee : sequence of ASE calculators
        M independently trained models of the same energy.

    Returns
    -------
    (n,) array

    Raises
    ------
    ValueError
        If there are fewer than two calculators.
    """
    if len(committee) < 2:
        raise ValueError(f"a committee needs at least 2 calculators, got {len(committee)}")
    found = []
    for atoms in frames:
        bare = atoms.copy()
        bare.set_constraint()
        forces = np.array([each.get_property("forces", bare) for each in committee])
        found.append(np.linalg.norm(forces.std(axis=0, ddof=1), axis=1).max())
    return np.array(found)


def select_by_disagreement(
    frames: Sequence[Atoms], committee: Sequence[GetPropertiesMixin], count: int
) -> list[int]:
    """Select structures by committee disagreement (query by committee), largest first.

    Parameters
    ----------
    committee : sequence of ASE calculators
    """
    if count < 1:
        raise ValueError(f"`count` must be at least 1, got {count}")
    order = np.argsort(-disagreements(frames, committee), kind="stable")
    return order[:count].tolist()


def informative(frames: Sequence[Atoms], models: Sequence[str], count: int) -> list[int]:
    """Select structures by features of one model or disagreement of several, in input order.

    Parameters
    ----------
    models : sequence of str
        Shipped models by name, or model files.
    """
    from ase_les.calculator import LESCalculator
    from ase_les.model_io import load_single_model

    if len(models) == 1:
        features = structure_features(frames, load_single_model(models[0]))
        return sorted(farthest_points(features, count))
    return sorted(select_by_disagreement(frames, [LESCalculator(each) for each in models], count))


def split(items: Sequence[T], fraction: float, name: str = "test") -> tuple[list[T], list[T]]:
    """Split items into those kept and those held back, evenly spaced.

    Parameters
    ----------
    items : sequence
    fraction : float
        Fraction of the items to hold back.
    name : str
        Name of the fraction in the error message.

    Raises
    ------
    ValueError
        If the fraction is not between 0 and 1.
    """
    if not 0 <= fraction <= 1:
        raise ValueError(f"`{name}` is a file or a fraction of at most 1, got {fraction}")
    n_held_back = round(fraction * len(items))
    held_back = {int((index + 0.5) * len(items) / n_held_back) for index in range(n_held_back)}
    return (
        [item for index, item in enumerate(items) if index not in held_back],
        [items[index] for index in sorted(held_back)],
    )

"""Laws of the polarizability, part of `ase_les.testing.contract`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from ase import Atoms
from scipy.stats import special_ortho_group
from torch import Tensor

from ase_les.graph import batch
from ase_les.model import LESModel
from ase_les.response import (
    atomic_polarizabilities,
    polarizability,
    polarizability_derivatives,
)
from ase_les.testing.answers import graph_of
from ase_les.testing.findings import Finding
from ase_les.testing.structures import displaced

# In Å³ and Å², relative to the largest component if that exceeds 1.
_ROUND_OFF, _NUMERICAL = 1e-9, 1e-6
_DISPLACEMENT = 1e-4
_MOST_ATOMS = 5


def polarizability_findings(
    model: LESModel, engine: LESModel, structures: Sequence[Atoms], rng: np.random.Generator
) -> list[Finding]:
    """Return measured deviations of a model with a polarizability.

    Parameters
    ----------
    model : LESModel
        In float64.
    engine : LESModel
        Prepared for inference, in float64.
    """
    findings = []
    graphs = [graph_of(model, atoms) for atoms in structures]
    with torch.no_grad():
        together = polarizability(model, batch(graphs))
    for atoms, graph, in_batch in zip(structures, graphs, together, strict=True):
        with torch.no_grad():
            alpha = polarizability(model, graph)[0]
            order = rng.permutation(len(atoms)).tolist()
            rotated, rotation = _rotated(model, atoms, rng)
            moved = displaced(atoms, rng.uniform(-9, 9, 3))
            pairs = {
                "symmetric": (alpha.T, alpha),
                "rotation": (rotated, rotation @ alpha @ rotation.T),
                "translation": (polarizability(model, graph_of(model, moved))[0], alpha),
                "permutation": (polarizability(model, graph_of(model, atoms[order]))[0], alpha),
                "batch = single": (in_batch, alpha),
                "analytic = autograd": (polarizability(engine, graph)[0], alpha),
            }
            if not atoms.pbc.any():
                pairs["sum of atoms"] = (atomic_polarizabilities(model, graph).sum(0), alpha)
        findings += [_compared(law, *pair, _ROUND_OFF) for law, pair in pairs.items()]
        few = rng.permutation(len(atoms))[:_MOST_ATOMS].tolist()
        exact = polarizability_derivatives(model, graph)[few]
        numerical = torch.stack([_numerical(model, atoms, index) for index in few])
        findings.append(_compared("dα/dr", exact, numerical, _NUMERICAL))
        by_engine = polarizability_derivatives(engine, graph)[few]
        findings.append(_compared("dα/dr, analytic", by_engine, exact, _ROUND_OFF))
    return findings


def _rotated(model: LESModel, atoms: Atoms, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    rotation = special_ortho_group.rvs(3, random_state=rng)
    turned = atoms.copy()
    turned.set_cell(atoms.cell.array @ rotation.T, scale_atoms=False)
    turned.positions = atoms.positions @ rotation.T
    return polarizability(model, graph_of(model, turned))[0], torch.tensor(rotation)


def _numerical(model: LESModel, atoms: Atoms, index: int) -> Tensor:
    """Return central differences (3, 3, 3), [displacement, α row, α column], in Å²."""
    slopes = []
    for axis in range(3):
        values = []
        for sign in (1, -1):
            moved = atoms.copy()
            moved.positions[index, axis] += sign * _DISPLACEMENT
            with torch.no_grad():
                values.append(polarizability(model, graph_of(model, moved))[0])
        slopes.append((values[0] - values[1]) / (2 * _DISPLACEMENT))
    return torch.stack(slopes)


def _compared(law: str, found: Tensor, expected: Tensor, tolerance: float) -> Finding:
    limit = tolerance * max(1.0, float(expected.abs().max()))
    deviation = float((found - expected).abs().max())
    assert deviation <= limit, (
        f"polarizability, {law}: deviation {deviation:.3g} Å³, tolerance {limit:.3g}"
    )
    return Finding(f"polarizability, {law}", "polarizability", deviation, limit, "Å³")

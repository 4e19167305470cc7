"""Energies of single atoms that leave the network as little as possible to explain."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from ase.data import chemical_symbols

from ase_les.training.dataset import Sample


def fit_atomic_energies(samples: Sequence[Sample]) -> dict[str, float]:
    r"""Least-squares energies of the elements, :math:`E_s \approx \sum_i E_0(Z_i)`, in eV.

    Where the compositions do not tell the elements apart, as for a single
    stoichiometry, the solution of smallest norm is taken.
    """
    elements = sorted({int(z) for sample in samples for z in sample.graph.numbers})
    counts, energies = [], []
    for sample in samples:
        energy = float(sample.energy[0])
        if np.isfinite(energy):
            numbers = sample.graph.numbers.numpy()
            counts.append([np.count_nonzero(numbers == z) for z in elements])
            energies.append(energy)
    if not energies:
        return {chemical_symbols[z]: 0.0 for z in elements}
    solution = np.linalg.lstsq(np.array(counts, dtype=float), np.array(energies), rcond=None)[0]
    return {chemical_symbols[z]: float(e) for z, e in zip(elements, solution, strict=True)}

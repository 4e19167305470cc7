"""Fit reference energies of the elements by least squares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from ase.data import chemical_symbols

from ase_les.training.learning.dataset import Sample


def fit_atomic_energies(
    samples: Sequence[Sample], known: Mapping[str, float] | None = None
) -> dict[str, float]:
    r"""Fit energies of the elements, :math:`E_s \approx \sum_i E_0(Z_i)`, in eV.

    If the compositions do not determine all energies, as for a single stoichiometry, the
    minimum-norm solution is returned.

    Parameters
    ----------
    known : mapping of str to float, optional
        Energies (eV) of isolated atoms by symbol; these are not fitted.
    """
    fixed = {} if known is None else dict(known)
    elements = sorted({int(z) for sample in samples for z in sample.graph.numbers})
    free = [z for z in elements if chemical_symbols[z] not in fixed]
    counts, energies = [], []
    for sample in samples:
        energy = float(sample.energy[0])
        if np.isfinite(energy):
            numbers = sample.graph.numbers.numpy()
            counts.append([np.count_nonzero(numbers == z) for z in free])
            energies.append(energy - sum(fixed.get(chemical_symbols[z], 0.0) for z in numbers))
    found = dict.fromkeys(free, 0.0)
    if energies and free:
        solution = np.linalg.lstsq(np.array(counts, float), np.array(energies), rcond=None)[0]
        found = dict(zip(free, solution.tolist(), strict=True))
    return {
        chemical_symbols[z]: float(fixed.get(chemical_symbols[z], found.get(z, 0.0)))
        for z in elements
    }

"""Force calls of a NEP potential on the CPU (calorine), the speed anchor of this field.

Used by `benchmarks.paired_calls` in a Python that has calorine (``pip install calorine``). The
potential has random weights: cutoffs 8 and 4 Å, 30 neurons. The cost does not depend on weights.
"""

from __future__ import annotations

import itertools
import tempfile
from pathlib import Path

import numpy as np

_RADIAL_CUTOFF, _ANGULAR_CUTOFF, _N_MAX, _BASIS, _L_MAX, _NEURONS = 8, 4, 4, 8, 4, 30


def potential(symbols: list[str]) -> str:
    """Return a NEP4 potential with random weights."""
    n_types, n_functions = len(symbols), _N_MAX + 1
    # Radial functions, three-body terms of degree 1 to l_max and the four-body term.
    n_descriptors = n_functions * (1 + _L_MAX + 1)
    n_network = n_types * (n_descriptors + 2) * _NEURONS + 1
    n_coefficients = 2 * n_types**2 * n_functions * (_BASIS + 1)
    weights = 0.1 * np.random.default_rng(0).standard_normal(n_network + n_coefficients)
    header = [
        f"nep4 {n_types} {' '.join(symbols)}",
        f"cutoff {_RADIAL_CUTOFF} {_ANGULAR_CUTOFF} 500 100",  # Most neighbors.
        f"n_max {_N_MAX} {_N_MAX}",
        f"basis_size {_BASIS} {_BASIS}",
        f"l_max {_L_MAX} 2 0",
        f"ANN {_NEURONS} 0",
    ]
    numbers = itertools.chain(weights, np.ones(n_descriptors))
    return "\n".join([*header, *(f"{number:.7e}" for number in numbers)]) + "\n"


def calculator(symbols: list[str]):
    """Return the calculator of calorine with such a potential."""
    from calorine.calculators import CPUNEP

    # Read at the first call: the folder has to live as long as the calculator.
    folder = tempfile.TemporaryDirectory()
    path = Path(folder.name) / "nep.txt"
    path.write_text(potential(symbols), encoding="utf-8")
    found = CPUNEP(str(path))
    found.folder = folder
    return found

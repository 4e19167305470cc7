"""Convert Born charges of calculators and files to one shape."""

from __future__ import annotations

import numpy as np


def born_tensors(values: object, n_atoms: int, origin: str) -> np.ndarray:
    """Return Born charges as (N, 3, 3), from this shape or nine numbers per atom.

    Parameters
    ----------
    values : array of shape (N, 3, 3) or (N, 9)
        In e; nine numbers are the rows one after another.
    origin : str
        Name of calculator or file, for the message.

    Raises
    ------
    ValueError
        If the shape is different.
    """
    given = np.asarray(values, dtype=float)
    if given.shape not in ((n_atoms, 3, 3), (n_atoms, 9)):
        raise ValueError(
            f"{origin} gives Born charges of shape {given.shape}; needed are {(n_atoms, 3, 3)} or "
            f"{(n_atoms, 9)} for {n_atoms} atoms"
        )
    return given.reshape(n_atoms, 3, 3)

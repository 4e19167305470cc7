"""Selection of atoms by index, element, layer, tag or distance.

========================  ========================================================================
Word                      Atoms
========================  ========================================================================
``7``, ``0:4``, ``-2:``   index, starting from 0, or slice as in Python
``Ti``                    element
``top``, ``top:2``        one or two uppermost layers (`ase_les.simulation.slab_geometry`)
``bottom``, ``bottom:2``  one or two lowest layers
``within:5``              within 5 Å of the uppermost or lowest atom
``near:Ti:3``             atoms of other elements within 3 Å of a titanium atom
``tag:0``                 tag; ASE's builders give adsorbates the tag 0
========================  ========================================================================

A comma means "or", ``&`` means "and", and the comma has higher precedence: ``O,H&near:Na:3`` are O
and H within 3 Å of sodium, ``O&near:H:1.2`` is the oxygen of water.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers
from ase.geometry import get_distances

from ase_les.simulation.slab_geometry import LAYER_GAP_A, heights_A, layer_numbers

WORDS = "indices (0:4,7), elements (Ti,O), top:2, bottom:2, within:5, near:Ti:3 and tag:0"


def selected_atoms(
    atoms: Atoms,
    chosen: str | Sequence[int] | None,
    *,
    axis: str | None = None,
    layer_gap_A: float = LAYER_GAP_A,
) -> np.ndarray:
    """Return the indices of the selected atoms in ascending order.

    Parameters
    ----------
    chosen : str, sequence of int, or None
        Selection as in the table above, or indices; by default all atoms.
    axis : str or None
        Cell vector across the layers, see `ase_les.simulation.slab_geometry.normal_axis`.
    layer_gap_A : float
        See `ase_les.simulation.slab_geometry.layer_numbers`.

    Raises
    ------
    ValueError
        If a word is unknown, an index is out of range, or no atom is selected.
    """
    if chosen is None:
        return np.arange(len(atoms))
    if not isinstance(chosen, str):
        chosen = ",".join(str(int(index)) for index in chosen)
    mask = np.ones(len(atoms), dtype=bool)
    for condition in chosen.split("&"):
        words = [word.strip() for word in condition.split(",") if word.strip()]
        any_of = np.zeros(len(atoms), dtype=bool)
        for word in words:
            any_of |= _mask(atoms, word, axis, layer_gap_A)
        mask &= any_of
    if not mask.any():
        raise ValueError(
            f"`atoms` {chosen!r} selects no atom of {atoms.get_chemical_formula()}; words are "
            f"{WORDS}"
        )
    return np.flatnonzero(mask)


def _mask(atoms: Atoms, word: str, axis: str | None, gap: float) -> np.ndarray:
    name, *values = word.split(":")
    if re.fullmatch(r"-?\d*(:-?\d*){0,2}", word):
        return _by_index(len(atoms), word)
    if word in atomic_numbers:
        return atoms.numbers == atomic_numbers[word]
    kinds: dict[str, Callable[..., np.ndarray]] = {
        "top": lambda count="1": _outer(atoms, axis, gap, int(count), from_top=True),
        "bottom": lambda count="1": _outer(atoms, axis, gap, int(count), from_top=False),
        "within": lambda depth: _within(atoms, axis, float(depth)),
        "near": lambda symbol, distance: _near(atoms, symbol, float(distance)),
        "tag": lambda tag: atoms.get_tags() == int(tag),
    }
    if name not in kinds:
        raise ValueError(f"`atoms` has the unknown word {word!r}; words are {WORDS}")
    is_missing = name == "near" and values and values[0] in set(atomic_numbers) - set(atoms.symbols)
    if is_missing:
        raise ValueError(f"`atoms` selects atoms near {values[0]}, but the structure has none")
    try:
        return kinds[name](*values)
    except (TypeError, KeyError, ValueError) as error:
        raise ValueError(
            f"`atoms` contains the invalid word {word!r}; words are {WORDS}"
        ) from error


def _by_index(count: int, word: str) -> np.ndarray:
    mask = np.zeros(count, dtype=bool)
    if ":" in word:
        mask[slice(*(int(part) if part else None for part in word.split(":")))] = True
        return mask
    index = int(word)
    if not -count <= index < count:
        raise ValueError(f"`atoms` has the index {index}; the structure has {count} atoms")
    mask[index] = True
    return mask


def _outer(atoms: Atoms, axis: str | None, gap: float, count: int, from_top: bool) -> np.ndarray:
    layers = layer_numbers(heights_A(atoms, axis), gap)
    return layers > layers.max() - count if from_top else layers < count


def _within(atoms: Atoms, axis: str | None, depth: float) -> np.ndarray:
    heights = heights_A(atoms, axis)
    return np.minimum(heights.max() - heights, heights - heights.min()) <= depth


def _near(atoms: Atoms, symbol: str, distance: float) -> np.ndarray:
    others = atoms.numbers == atomic_numbers[symbol]
    _, distances = get_distances(
        atoms.positions, atoms.positions[others], cell=atoms.cell, pbc=atoms.pbc
    )
    return ~others & (distances.min(axis=1) <= distance)

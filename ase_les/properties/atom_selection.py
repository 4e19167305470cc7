"""A part of the atoms in words: by index, element, layer, tag or distance.

======================  ==========================================================================
Word                    Atoms
======================  ==========================================================================
``7``, ``0:4``, ``-2:`` by index, counted from 0, as Python's slices
``Ti``                  of an element
``top``, ``top:2``      of the uppermost layer, or the two uppermost (`ase_les.properties.layers`)
``bottom``, ``bottom:2``  of the lowest layer or layers
``within:5``            at most 5 Å below the uppermost or above the lowest atom
``near:Ti:3``           not of the element, and at most 3 Å from an atom of it
``tag:0``               with that tag; 0 marks what ASE's builders have adsorbed
======================  ==========================================================================

Words between commas add up. ``&`` joins conditions that must all hold: ``O,H&near:Na:3`` is O and H
within 3 Å of sodium, ``O&near:H:1.2`` is the oxygen of water.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers
from ase.geometry import get_distances

from ase_les.properties.layers import LAYER_GAP_A, heights_A, layer_numbers

WORDS = "indices (0:4,7), elements (Ti,O), top:2, bottom:2, within:5, near:Ti:3 and tag:0"


def selected_atoms(
    atoms: Atoms,
    chosen: str | Sequence[int] | None,
    *,
    axis: str | None = None,
    layer_gap_A: float = LAYER_GAP_A,
) -> np.ndarray:
    """Return the indices of chosen atoms, ascending, each once.

    Parameters
    ----------
    atoms : ase.Atoms
    chosen : str, sequence of int, or None
        Words of the table above, or indices; None is all atoms.
    axis : str or None
        Across the layers, see `ase_les.properties.layers.normal_axis`.
    layer_gap_A : float
        See `ase_les.properties.layers.layer_numbers`.

    Raises
    ------
    ValueError
        If a word is unknown, an index is out of range, or no atom is left.
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
            f"`atoms` {chosen!r} leaves no atom of {atoms.get_chemical_formula()}; words are "
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
    absent = name == "near" and values and values[0] in set(atomic_numbers) - set(atoms.symbols)
    if absent:
        raise ValueError(f"`atoms` asks for atoms near {values[0]}; the structure has none")
    try:
        return kinds[name](*values)
    except (TypeError, KeyError, ValueError) as error:
        raise ValueError(f"`atoms` cannot read {word!r}; words are {WORDS}") from error


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
    _, apart = get_distances(
        atoms.positions, atoms.positions[others], cell=atoms.cell, pbc=atoms.pbc
    )
    return ~others & (apart.min(axis=1) <= distance)

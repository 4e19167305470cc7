"""Rectangular layout of the atoms of several structures, so that sums need no loop."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class Layout(NamedTuple):
    """Slots (S, width) for the atoms of S structures, padded to the largest.

    ``slots`` gives the slot of each atom in the flattened block, ``None`` when
    there is a single structure and the block is just its atoms.
    """

    n_structures: int
    width: int
    slots: Tensor | None

    @classmethod
    def of(cls, structure: Tensor, n_structures: int) -> Layout:
        """Layout for ascending structure indices (N,)."""
        if n_structures == 1:
            return cls(1, len(structure), None)
        counts = torch.bincount(structure, minlength=n_structures)
        first = torch.cumsum(counts, 0) - counts
        width = int(counts.max())
        rank = torch.arange(len(structure), device=structure.device) - first[structure]
        return cls(n_structures, width, structure * width + rank)

    def pad(self, values: Tensor) -> Tensor:
        """Per-atom values (N, ...) as a block (S, width, ...), zero in empty slots."""
        if self.slots is None:
            return values[None]
        block = values.new_zeros(self.n_structures * self.width, *values.shape[1:])
        block = block.index_copy(0, self.slots, values)
        return block.view(self.n_structures, self.width, *values.shape[1:])

    def filled(self, like: Tensor) -> Tensor:
        """Return which slots hold an atom, (S, width), boolean."""
        return self.pad(torch.ones(like.shape[0], dtype=torch.bool, device=like.device))

"""Averages of correlated samples in bounded memory, with errors that know of the correlation."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np


class BlockedMean:
    r"""Mean of a stream of arrays, kept as the means of at most `max_blocks` equal stretches.

    When all blocks are full, neighbours are joined and the stretches become twice as long. The
    blocks are thus always longer than a `max_blocks`-th part of half the stream.

    Parameters
    ----------
    shape : tuple of int
        Of one sample.
    max_blocks : int
        Even.
    """

    def __init__(self, shape: tuple[int, ...], max_blocks: int = 64) -> None:
        self._blocks = np.zeros((max_blocks, *shape))
        self._unfinished = np.zeros(shape)
        self._block_length = 1
        self.n_samples = 0

    def add(self, sample: np.ndarray) -> None:
        """Take one more sample into account."""
        self._unfinished += sample
        self.n_samples += 1
        if self.n_samples % self._block_length:
            return
        full = self.n_samples // self._block_length
        self._blocks[full - 1] = self._unfinished / self._block_length
        self._unfinished = np.zeros_like(self._unfinished)
        if full == len(self._blocks):
            half = full // 2
            self._blocks[:half] = 0.5 * (self._blocks[0::2] + self._blocks[1::2])
            self._block_length *= 2

    @property
    def blocks(self) -> np.ndarray:
        """Means of the full blocks, one after another in time, shape (n_blocks, *shape)."""
        return self._blocks[: self.n_samples // self._block_length].copy()

    @property
    def mean(self) -> np.ndarray:
        """Over all samples, those of the unfinished block included."""
        total = self.blocks.sum(axis=0) * self._block_length + self._unfinished
        return total / self.n_samples

    def state(self) -> dict[str, np.ndarray]:
        """Everything the next samples will be added to."""
        return {
            "blocks": self.blocks,
            "unfinished": self._unfinished.copy(),
            "block_length": np.array(self._block_length),
            "n_samples": np.array(self.n_samples),
        }

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Go on from `state`."""
        self._block_length = int(state["block_length"])
        self.n_samples = int(state["n_samples"])
        self._unfinished = np.array(state["unfinished"], dtype=float)
        self._blocks[:] = 0.0
        self._blocks[: len(state["blocks"])] = state["blocks"]


def standard_error(blocks: np.ndarray, min_blocks: int = 16) -> np.ndarray:
    """Standard error of the mean of `blocks`, shape (n, ...), for each of their elements.

    Neighbours are averaged in pairs again and again while at least `min_blocks` remain, and the
    largest apparent error is taken; nan with fewer blocks than that.

    References
    ----------
    .. [1] H. Flyvbjerg and H. G. Petersen, J. Chem. Phys. 91, 461 (1989).
    """
    largest = np.full(blocks.shape[1:], np.nan)
    while len(blocks) >= min_blocks:
        largest = np.fmax(largest, blocks.std(axis=0, ddof=1) / np.sqrt(len(blocks)))
        paired = len(blocks) // 2 * 2
        blocks = 0.5 * (blocks[0:paired:2] + blocks[1:paired:2])
    return largest


def packed(parts: Mapping[str, Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """States of several parts as one, under names of the form ``part.name``."""
    return {
        f"{part}.{name}": array for part, state in parts.items() for name, array in state.items()
    }


def unpacked(state: Mapping[str, np.ndarray], part: str) -> dict[str, np.ndarray]:
    """The state of one part out of those put together by `packed`."""
    start = f"{part}."
    return {name[len(start) :]: array for name, array in state.items() if name.startswith(start)}


def refuse_other_arguments(given: str, stored: np.ndarray) -> None:
    """Refuse to continue an accumulator made with other arguments.

    Raises
    ------
    ValueError
        If the descriptions differ.
    """
    if str(stored) != given:
        raise ValueError(
            f"the stored state belongs to {stored}, this is {given}: make the accumulator with the "
            "arguments it had, or start a new one"
        )


def refuse_other_atoms(expected: np.ndarray, given: np.ndarray) -> None:
    """Refuse a configuration of other atoms than the ones before.

    Raises
    ------
    ValueError
        If the atomic numbers or their order differ.
    """
    if not np.array_equal(expected, given):
        raise ValueError(
            f"this configuration has {len(given)} atoms, those before had {len(expected)}, or "
            "their elements or order differ: one accumulator averages over one set of atoms"
        )

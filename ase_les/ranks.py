"""Processes of `torch.distributed` that share one calculation, as ``torchrun`` starts them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import torch
import torch.distributed
from torch import Tensor

T = TypeVar("T")


@dataclass(frozen=True)
class Ranks:
    """A group of processes; one process without a group.

    Parameters
    ----------
    rank, size : int
        Number of this process, and number of processes.
    device : torch.device
        Device of the tensors in collective operations.
    """

    rank: int = 0
    size: int = 1
    group: Any = None
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    @classmethod
    def of(cls, group: Any, device: str | torch.device = "cpu") -> Ranks:
        """Return the processes of an initialized `torch.distributed` group."""
        if not torch.distributed.is_initialized():
            raise ValueError(
                "a group of processes needs torch.distributed.init_process_group() first; start "
                "the script with torchrun"
            )
        rank = torch.distributed.get_rank(group)
        if rank < 0:
            raise ValueError("this process does not belong to the given group")
        backend = torch.distributed.get_backend(group)
        place = torch.device(device) if backend == "nccl" else torch.device("cpu")
        return cls(rank, torch.distributed.get_world_size(group), group, place)

    @property
    def is_first(self) -> bool:
        """Whether this process writes files and reports progress."""
        return self.rank == 0

    def sum_(self, values: Tensor) -> Tensor:
        """Replace values by their sum over all processes, identical on each."""
        if self.size > 1:
            shared = values.to(self.device).contiguous()
            torch.distributed.all_reduce(shared, group=self.group)
            if shared is not values:
                values.copy_(shared)
        return values

    def copy_from_first_(self, tensors: Iterable[Tensor]) -> None:
        """Replace tensors by those of the first process, with one message for each dtype."""
        if self.size == 1:
            return
        by_dtype: dict[torch.dtype, list[Tensor]] = {}
        for values in tensors:
            by_dtype.setdefault(values.dtype, []).append(values)
        for group in by_dtype.values():
            shared = torch.cat([values.flatten() for values in group]).to(self.device)
            torch.distributed.broadcast(shared, group=self.group, group_src=0)
            parts = shared.split([values.numel() for values in group])
            for values, part in zip(group, parts, strict=True):
                values.copy_(part.view_as(values))

    def wait(self) -> None:
        """Wait until all processes have reached this point."""
        if self.size > 1:
            torch.distributed.barrier(group=self.group)

    def share(self, items: Sequence[T], costs: Sequence[float]) -> list[T]:
        """Return the items of this process, balanced by cost.

        Every process must be given the same items.
        """
        if self.size == 1:
            return list(items)
        loads = [0.0] * self.size
        own = []
        for index in sorted(range(len(items)), key=lambda index: -costs[index]):
            least = loads.index(min(loads))
            loads[least] += costs[index]
            if least == self.rank:
                own.append(index)
        return [items[index] for index in sorted(own)]


ALONE = Ranks()


@contextmanager
def ranks_of_torchrun(device: str = "cpu") -> Iterator[Ranks]:
    """Provide the processes started by ``torchrun``, or a single process without it.

    Communication uses NCCL for device "cuda", where each process uses the GPU of its local
    rank, and Gloo otherwise.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1 or "RANK" not in os.environ:
        yield ALONE
        return
    place = torch.device(device)
    if place.type == "cuda":
        if place.index is not None:
            raise ValueError(
                f"{size} processes cannot share one GPU ({device}); use device 'cuda', one GPU each"
            )
        place = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
        torch.cuda.set_device(place)
    torch.distributed.init_process_group("nccl" if place.type == "cuda" else "gloo")
    try:
        # Without a reference to the group its threads end with it. A thread that frees a tensor
        # while the interpreter ends aborts the process.
        yield Ranks.of(None, place)
    finally:
        torch.distributed.destroy_process_group()

"""Labelled structures: read from extended XYZ, turned into graphs once, served in batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from ase import Atoms
from ase.io import read
from torch import Tensor

from ase_les.graph import Graph, batch, check_geometry, graph_from_atoms
from ase_les.neighbors import NeighborList


@dataclass(frozen=True)
class LabelNames:
    """Under which names the labels stand in the file.

    Parameters
    ----------
    energy, forces, stress : str
        Names in ``atoms.info`` (energy in eV, stress in eV/Å³ as 9 or 6 numbers,
        tension positive) and ``atoms.arrays`` (forces in eV/Å).
    """

    energy: str = "REF_energy"
    forces: str = "REF_forces"
    stress: str = "REF_stress"


class Sample(NamedTuple):
    """Structures with their labels; labels that a structure does not have are NaN.

    ``graph`` holds S structures of N atoms; ``energy`` (S,) in eV, ``forces``
    (N, 3) in eV/Å, ``stress`` (S, 3, 3) in eV/Å³.
    """

    graph: Graph
    energy: Tensor
    forces: Tensor
    stress: Tensor


def read_frames(path: str | Path) -> list[Atoms]:
    """All structures of a file.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise FileNotFoundError(f"no data file at '{path}'; give a path relative to where you are")
    return read(path, index=":")


def labelled(frames: Sequence[Atoms], cutoff: float, names: LabelNames) -> list[Sample]:
    """Graphs and labels of structures.

    Parameters
    ----------
    frames : sequence of ase.Atoms
    cutoff : float
        Longest edge of the graphs, in Å.
    names : LabelNames

    Raises
    ------
    ValueError
        If a structure has neither energy nor forces, or a label is not finite or
        has the wrong shape.
    """
    return [_sample(atoms, index, cutoff, names) for index, atoms in enumerate(frames)]


def joined(samples: Sequence[Sample]) -> Sample:
    """Several samples as one."""
    return Sample(
        batch([sample.graph for sample in samples]),
        *(torch.cat([sample[part] for sample in samples]) for part in (1, 2, 3)),
    )


def shuffled_batches(
    samples: Sequence[Sample], batch_size: int, seed: int, epoch: int
) -> Iterator[Sample]:
    """Every sample once, in an order that seed and epoch decide.

    The order does not depend on anything that happened before, so that a
    resumed training sees the same batches.
    """
    order = np.random.default_rng([seed, epoch]).permutation(len(samples))
    for start in range(0, len(order), batch_size):
        yield joined([samples[index] for index in order[start : start + batch_size]])


def batches(samples: Sequence[Sample], batch_size: int) -> Iterator[Sample]:
    """Every sample once, in the order given."""
    for start in range(0, len(samples), batch_size):
        yield joined(samples[start : start + batch_size])


def _sample(atoms: Atoms, index: int, cutoff: float, names: LabelNames) -> Sample:
    try:
        check_geometry(atoms)
    except ValueError as error:
        raise ValueError(f"structure {index}: {error}") from None
    energy = _label(atoms, names.energy, "energy")
    forces = _label(atoms, names.forces, "forces")
    stress = _label(atoms, names.stress, "stress")
    if energy is None and forces is None:
        present = sorted({*atoms.info, *atoms.arrays} - {"numbers", "positions"})
        raise ValueError(
            f"structure {index} has neither energy '{names.energy}' nor forces "
            f"'{names.forces}'; it has {present}. Name the labels under `data: labels:`"
        )
    graph = graph_from_atoms(atoms, NeighborList(cutoff))
    return Sample(
        graph=graph,
        energy=_tensor(energy, (1,), f"energy of structure {index}"),
        forces=_tensor(forces, (len(atoms), 3), f"forces of structure {index}"),
        stress=_tensor(_full_stress(stress), (1, 3, 3), f"stress of structure {index}"),
    )


def _label(atoms: Atoms, name: str, property_name: str):
    for place in (atoms.info, atoms.arrays):
        if name in place:
            return place[name]
    # ASE moves labels of its own names into a calculator that only remembers them.
    if name == property_name and atoms.calc is not None:
        return atoms.calc.results.get(name)
    return None


def _full_stress(stress):
    if stress is None or np.size(stress) != 6:
        return stress
    xx, yy, zz, yz, xz, xy = np.ravel(stress)
    return [[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]]


def _tensor(values, shape: tuple[int, ...], what: str) -> Tensor:
    if values is None:
        return torch.full(shape, torch.nan, dtype=torch.float64)
    array = np.asarray(values, dtype=float)
    if array.size != np.prod(shape):
        raise ValueError(f"{what} has shape {array.shape}; needed is {shape}")
    if not np.isfinite(array).all():
        raise ValueError(f"{what} is not finite; remove the label or the structure")
    return torch.from_numpy(array.reshape(shape).copy())

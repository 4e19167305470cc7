"""Labelled structures: read from extended XYZ, turned into graphs once, served in batches."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
import torch
from ase import Atoms
from ase.data import chemical_symbols
from ase.neighborlist import neighbor_list
from torch import Tensor

from ase_les.boundary_conditions import has_stress
from ase_les.graph import Graph, batch, check_geometry, graph_from_atoms, slab_axes
from ase_les.neighbors import NeighborList
from ase_les.structure_files import all_frames, without_slice
from ase_les.training.born_labels import ROWS, by_polarization, check_order

T = TypeVar("T")


@dataclass(frozen=True)
class LabelNames:
    r"""Under which names the labels stand in the file.

    Parameters
    ----------
    energy, forces : str
        Names in ``atoms.info`` (energy in eV) and ``atoms.arrays`` (forces in eV/Å).
    stress : str
        Name in ``atoms.info`` of stresses in eV/Å³, 9 or 6 numbers, tension positive, of structures
        with three periodic directions. Of slabs, with two, what lies in their plane is read,
        per volume of the cell as given, vacuum included; molecules and wires have no stress.
    dipole : str
        Name in ``atoms.info`` of dipoles in e Å, of structures without periodic
        directions; about the centre of mass if they are charged.
    quadrupole : str
        Name in ``atoms.info`` of second moments :math:`\sum q\, r \otimes r` in e Å², nine
        numbers, about the centre of mass, of structures without periodic directions. Models are
        compared with their traceless part and not trained on them.
    born_effective_charges : str
        Name in ``atoms.arrays`` of Born charges in e, nine per atom.
    born_rows : str
        What the rows of Born charges are, "polarization" (columns are displacements) or
        "displacement". Molecules with a dipole are asked which it is.

    Raises
    ------
    ValueError
        If `born_rows` is neither.
    """

    energy: str = "REF_energy"
    forces: str = "REF_forces"
    stress: str = "REF_stress"
    dipole: str = "REF_dipole"
    quadrupole: str = "REF_quadrupole"
    born_effective_charges: str = "REF_born_effective_charges"
    born_rows: str = "polarization"

    def __post_init__(self):
        if self.born_rows not in ROWS:
            raise ValueError(
                f"`born_rows` must be one of {', '.join(ROWS)}; got {self.born_rows!r}"
            )


class Sample(NamedTuple):
    """Structures with their labels; labels that a structure does not have are NaN.

    ``graph`` holds S structures of N atoms; ``energy`` (S,) in eV, ``forces``
    (N, 3) in eV/Å, ``stress`` (S, 3, 3) in eV/Å³, ``dipole`` (S, 3) in e Å,
    ``quadrupole`` (S, 3, 3) in e Å², traceless (see `ase_les.response.quadrupoles`),
    ``born_charges`` (N, 3, 3) in e, latent: divided by √ε∞.
    """

    graph: Graph
    energy: Tensor
    forces: Tensor
    stress: Tensor
    dipole: Tensor
    quadrupole: Tensor
    born_charges: Tensor

    def to(self, device: str | torch.device) -> Sample:
        """The same on another device."""
        return Sample(*(part.to(device) for part in self))


def read_frames(path: str | Path) -> list[Atoms]:
    """All structures of a file, or those asked for as in ``data.extxyz@-10:``.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If ASE cannot read it.
    """
    path = Path(path).expanduser()
    if not without_slice(path).is_file():
        raise FileNotFoundError(f"no data file at '{path}'; give a path relative to where you are")
    return all_frames(path)


def without_contacts(frames: Sequence[Atoms], shortest_A: Mapping[str, float]) -> list[Atoms]:
    """Structures in which no pair of elements is closer than it may be.

    Parameters
    ----------
    frames : sequence of ase.Atoms
    shortest_A : mapping of str to float
        Distances in Å by pair of elements, as ``{"Na-H": 2.0}``.

    Raises
    ------
    ValueError
        If a pair is not two element symbols with a hyphen.
    """
    cutoffs = {}
    for pair, distance in shortest_A.items():
        symbols = tuple(pair.split("-"))
        if len(symbols) != 2 or not set(symbols) <= set(chemical_symbols[1:]):
            raise ValueError(f"a pair of elements is written as Na-H, got {pair!r}")
        cutoffs[symbols] = distance
    if not cutoffs:
        return list(frames)
    return [atoms for atoms in frames if not len(neighbor_list("i", atoms, cutoffs))]


def labelled(
    frames: Sequence[Atoms], cutoff: float, names: LabelNames, dielectric: float = 1.0
) -> list[Sample]:
    """Graphs and labels of structures.

    Parameters
    ----------
    frames : sequence of ase.Atoms
    cutoff : float
        Longest edge of the graphs, in Å.
    names : LabelNames
    dielectric : float
        Electronic dielectric constant ε∞ of periodic structures, which screens their latent
        charges; Born charges are labels of the model after division by its square root.

    Raises
    ------
    ValueError
        If a structure has neither energy nor forces, or a label is not finite or
        has the wrong shape.
    """
    return [_sample(atoms, index, cutoff, names, dielectric) for index, atoms in enumerate(frames)]


def split(items: Sequence[T], fraction: float, name: str = "test") -> tuple[list[T], list[T]]:
    """Items that stay and those set apart, evenly spaced.

    Parameters
    ----------
    items : sequence
    fraction : float
        To be set apart.
    name : str
        Of the fraction, for the error.

    Raises
    ------
    ValueError
        If the fraction is not between 0 and 1.
    """
    if not 0 <= fraction <= 1:
        raise ValueError(f"`{name}` is a file or a fraction of at most 1, got {fraction}")
    n_apart = round(fraction * len(items))
    apart = {int((index + 0.5) * len(items) / n_apart) for index in range(n_apart)}
    return (
        [item for index, item in enumerate(items) if index not in apart],
        [items[index] for index in sorted(apart)],
    )


def joined(samples: Sequence[Sample]) -> Sample:
    """Several samples as one."""
    return Sample(
        batch([sample.graph for sample in samples]),
        *(torch.cat(parts) for parts in list(zip(*samples, strict=True))[1:]),
    )


def fingerprint(samples: Sequence[Sample]) -> str:
    """SHA-256 of everything that is learned from: structures, charges and all labels."""
    digest = hashlib.sha256()
    for graph, *labels in samples:
        known = (graph.positions, graph.numbers, graph.cell, graph.pbc, graph.total_charge)
        for part in (*known, *labels):
            digest.update(part.numpy().tobytes())
    return digest.hexdigest()


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


def _sample(
    atoms: Atoms, index: int, cutoff: float, names: LabelNames, dielectric: float
) -> Sample:
    try:
        check_geometry(atoms)
    except ValueError as error:
        raise ValueError(f"structure {index}: {error}") from None
    energy = _label(atoms, names.energy, "energy")
    forces = _label(atoms, names.forces, "forces")
    stress = _label(atoms, names.stress, "stress") if has_stress(atoms) else None
    if energy is None and forces is None:
        present = sorted({*atoms.info, *atoms.arrays} - {"numbers", "positions"})
        raise ValueError(
            f"structure {index} has neither energy '{names.energy}' nor forces "
            f"'{names.forces}'; it has {present}. Name the labels under `data: labels:` of a "
            "training, with --energy-label and --forces-label of a command"
        )
    # Moments of a periodic structure are no labels of anything.
    finite = not atoms.pbc.any()
    dipole = _label(atoms, names.dipole, "dipole") if finite else None
    moments = _label(atoms, names.quadrupole, "quadrupole") if finite else None
    graph = graph_from_atoms(atoms, NeighborList(cutoff))
    stress = _tensor(_full_stress(stress), (1, 3, 3), f"stress of structure {index}")
    return Sample(
        graph=graph,
        energy=_tensor(energy, (1,), f"energy of structure {index}"),
        forces=_tensor(forces, (len(atoms), 3), f"forces of structure {index}"),
        stress=_in_plane(stress, graph) if atoms.pbc.sum() == 2 else stress,
        dipole=_tensor(dipole, (1, 3), f"dipole of structure {index}"),
        quadrupole=_traceless(_tensor(moments, (1, 3, 3), f"second moments of structure {index}")),
        born_charges=_born_charges(atoms, index, names, dielectric),
    )


def _born_charges(atoms: Atoms, index: int, names: LabelNames, dielectric: float) -> Tensor:
    what = f"Born charges of structure {index}"
    found = _label(atoms, names.born_effective_charges, "born_effective_charges")
    born = _tensor(found, (len(atoms), 3, 3), what)
    if found is None:
        return born
    latent = by_polarization(born.numpy(), names.born_rows)
    if atoms.pbc.any():
        return torch.tensor(latent / np.sqrt(dielectric))
    dipole = _label(atoms, names.dipole, "dipole")
    if dipole is not None:
        arms = atoms.positions - atoms.get_center_of_mass()
        check_order(latent, arms, np.ravel(dipole), names.born_rows, what)
    return torch.tensor(latent)


def _label(atoms: Atoms, name: str, property_name: str):
    for place in (atoms.info, atoms.arrays):
        if name in place:
            return place[name]
    # ASE moves labels of its own names into a calculator that only remembers them.
    if name == property_name and atoms.calc is not None:
        return atoms.calc.results.get(name)
    return None


def _traceless(moments: Tensor) -> Tensor:
    trace = torch.einsum("saa->s", moments)[:, None, None]
    return 1.5 * (moments - trace / 3 * torch.eye(3).to(moments))


def _full_stress(stress):
    if stress is None or np.size(stress) != 6:
        return stress
    xx, yy, zz, yz, xz, xy = np.ravel(stress)
    return [[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]]


def _in_plane(stress: Tensor, graph: Graph) -> Tensor:
    """The stress of a slab without what a label says along the normal, where the model has none."""
    _, _, normal = slab_axes(graph.cell, graph.pbc)
    plane = torch.eye(3).to(normal) - normal[:, :, None] * normal[:, None, :]
    # Along an axis that is the normal, zeros would pass for labels that are met.
    across = torch.einsum("saa->sa", plane) < 1e-12
    return (plane @ stress @ plane).masked_fill(across[:, :, None] | across[:, None, :], torch.nan)


def _tensor(values, shape: tuple[int, ...], what: str) -> Tensor:
    if values is None:
        return torch.full(shape, torch.nan, dtype=torch.float64)
    array = np.asarray(values, dtype=float)
    if array.size != np.prod(shape):
        raise ValueError(f"{what} has shape {array.shape}; needed is {shape}")
    if not np.isfinite(array).all():
        raise ValueError(f"{what} is not finite; remove the label or the structure")
    return torch.from_numpy(array.reshape(shape).copy())

"""Labeled structures as graphs with tensors of labels, and batches of them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from ase import Atoms
from ase.data import chemical_symbols
from ase.neighborlist import neighbor_list
from torch import Tensor

from ase_les.calculator.boundary_conditions import has_stress
from ase_les.calculator.collisions import check_contacts
from ase_les.graph import Graph, batch, check_geometry, graph_from_atoms, slab_axes
from ase_les.neighbors import NeighborList
from ase_les.polarizability import lorentz_polarizability
from ase_les.reading import read_file
from ase_les.reading.labels import LabelNames, LabelSources, find_labels, full_tensor
from ase_les.reading.plausibility import check_density
from ase_les.structure_limits import check_extent
from ase_les.training.learning.born_labels import by_polarization, check_order


class Sample(NamedTuple):
    """Structures with their labels; missing labels are NaN.

    ``graph`` contains S structures with N atoms in total; ``energy`` (S,) in eV, ``forces``
    (N, 3) in eV/Å, ``stress`` (S, 3, 3) in eV/Å³, ``dipole`` (S, 3) in e Å,
    ``quadrupole`` (S, 3, 3) in e Å², traceless (see `ase_les.response.quadrupoles`),
    ``born_charges`` (N, 3, 3) in e, latent: divided by √ε∞; ``polarizability`` (S, 3, 3) in Å³,
    response to the macroscopic field (`ase_les.polarizability`).
    """

    graph: Graph
    energy: Tensor
    forces: Tensor
    stress: Tensor
    dipole: Tensor
    quadrupole: Tensor
    born_charges: Tensor
    polarizability: Tensor

    @property
    def has_energy_labels(self) -> bool:
        """Return whether there is a label of energy, forces or stress."""
        return not all(each.isnan().all() for each in (self.energy, self.forces, self.stress))

    def to(self, device: str | torch.device) -> Sample:
        """Return a copy on a device."""
        graph, *labels = self
        return Sample(graph.to(device), *(label.to(device) for label in labels))


def read_frames(path: str | Path) -> list[Atoms]:
    """Return all structures of a file, or those selected as in ``data.extxyz@-10:``.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If ASE cannot read it.
    """
    return read_file(path).frames


def without_contacts(frames: Sequence[Atoms], shortest_A: Mapping[str, float]) -> list[Atoms]:
    """Remove structures with interatomic distances below a minimum.

    Parameters
    ----------
    shortest_A : mapping of str to float
        Minimum distances in Å by pair of elements, such as ``{"Na-H": 2.0}``.

    Raises
    ------
    ValueError
        If a pair is not two element symbols joined by a hyphen.
    """
    cutoffs = {}
    for pair, distance in shortest_A.items():
        symbols = tuple(pair.split("-"))
        if len(symbols) != 2 or not set(symbols) <= set(chemical_symbols[1:]):
            raise ValueError(f"a pair of elements is written as Na-H, got {pair!r}")
        cutoffs[symbols] = distance
    if not cutoffs:
        return list(frames)
    for index, atoms in enumerate(frames):
        try:
            check_extent(atoms)
        except ValueError as error:
            raise ValueError(f"structure {index}: {error}") from None
    return [atoms for atoms in frames if not len(neighbor_list("i", atoms, cutoffs))]


def labeled(
    frames: Sequence[Atoms],
    cutoff: float,
    names: LabelNames,
    dielectric: float = 1.0,
    sources: LabelSources | None = None,
) -> list[Sample]:
    """Return graphs and labels of structures.

    Parameters
    ----------
    cutoff : float
        Longest edge of the graphs, in Å.
    dielectric : float
        Electronic dielectric constant ε∞ of periodic structures, which screens their latent
        charges; labels of Born charges are divided by its square root.
    sources : LabelSources, optional
        Location of the labels; by default determined from these structures.

    Raises
    ------
    ValueError
        If a structure has neither energy, forces nor polarizability, coinciding atoms, or a label
        that is not finite or has the wrong shape.
    """
    if sources is None:
        sources = find_labels(frames, names)
    return [
        _sample(atoms, index, cutoff, sources, dielectric) for index, atoms in enumerate(frames)
    ]


def joined(samples: Sequence[Sample]) -> Sample:
    """Return several samples as one."""
    return Sample(
        batch([sample.graph for sample in samples]),
        *(torch.cat(parts) for parts in list(zip(*samples, strict=True))[1:]),
    )


def fingerprint(samples: Sequence[Sample]) -> str:
    """Return the SHA-256 hash of structures, total charges and all labels."""
    digest = hashlib.sha256()
    for graph, *labels in samples:
        known = (graph.positions, graph.numbers, graph.cell, graph.pbc, graph.total_charge)
        # Hashes of data without polarizabilities do not depend on this label.
        if labels[-1].isnan().all():
            labels = labels[:-1]
        for part in (*known, *labels):
            digest.update(part.numpy().tobytes())
    return digest.hexdigest()


def shuffled_batches(
    samples: Sequence[Sample], batch_size: int, seed: int, epoch: int
) -> Iterator[list[Sample]]:
    """Yield the members of every batch, in an order determined by seed and epoch.

    The order has no other state, so that a resumed training uses the same batches.
    """
    order = np.random.default_rng([seed, epoch]).permutation(len(samples))
    for start in range(0, len(order), batch_size):
        yield [samples[index] for index in order[start : start + batch_size]]


def batches(samples: Sequence[Sample], batch_size: int) -> Iterator[Sample]:
    """Yield every sample once, in the given order."""
    for start in range(0, len(samples), batch_size):
        yield joined(samples[start : start + batch_size])


def _sample(
    atoms: Atoms, index: int, cutoff: float, sources: LabelSources, dielectric: float
) -> Sample:
    try:
        check_geometry(atoms)
        check_density(atoms)
        graph = graph_from_atoms(atoms, NeighborList(cutoff))
        check_contacts(graph, atoms)
    except ValueError as error:
        raise ValueError(f"structure {index}: {error}") from None
    energy = sources.value(atoms, "energy")
    forces = sources.value(atoms, "forces")
    stress = sources.value(atoms, "stress") if has_stress(atoms) else None
    polarizability = _polarizability(atoms, index, sources)
    if energy is None and forces is None and polarizability.isnan().all():
        raise ValueError(_without_labels(atoms, index, sources.names))
    # Dipole and quadrupole of a periodic structure are not defined.
    finite = not atoms.pbc.any()
    dipole = sources.value(atoms, "dipole") if finite else None
    moments = sources.value(atoms, "quadrupole") if finite else None
    if stress is not None:
        stress = full_tensor(stress)
    stress = _tensor(stress, (1, 3, 3), f"stress of structure {index}")
    return Sample(
        graph=graph,
        energy=_tensor(energy, (1,), f"energy of structure {index}"),
        forces=_tensor(forces, (len(atoms), 3), f"forces of structure {index}"),
        stress=_in_plane(stress, graph) if atoms.pbc.sum() == 2 else stress,
        dipole=_tensor(dipole, (1, 3), f"dipole of structure {index}"),
        quadrupole=_traceless(_tensor(moments, (1, 3, 3), f"second moments of structure {index}")),
        born_charges=_born_charges(atoms, index, sources, dielectric),
        polarizability=polarizability,
    )


def _without_labels(atoms: Atoms, index: int, names: LabelNames) -> str:
    results = getattr(atoms.calc, "results", {})
    present = sorted({*atoms.info, *atoms.arrays} - {"numbers", "positions"})
    present += [f"ASE's {name}" for name in results]
    return (
        f"structure {index} has neither energy '{names.energy}' nor forces '{names.forces}'; it "
        f"has {present}. Set the names of the labels under `data: labels:` of a training, or with "
        "--energy-label and --forces-label on the command line"
    )


def _born_charges(atoms: Atoms, index: int, sources: LabelSources, dielectric: float) -> Tensor:
    what = f"Born charges of structure {index}"
    found = sources.value(atoms, "born_effective_charges")
    born = _tensor(found, (len(atoms), 3, 3), what)
    if found is None:
        return born
    rows = sources.names.born_rows
    latent = by_polarization(born.numpy(), rows)
    if atoms.pbc.any():
        return torch.tensor(latent / np.sqrt(dielectric))
    dipole = sources.value(atoms, "dipole")
    if dipole is not None:
        arms = atoms.positions - atoms.get_center_of_mass()
        check_order(latent, arms, np.ravel(dipole), rows, what)
    return torch.tensor(latent)


def _polarizability(atoms: Atoms, index: int, sources: LabelSources) -> Tensor:
    what = f"polarizability of structure {index}"
    found = sources.value(atoms, "polarizability")
    if found is None:
        return _tensor(None, (1, 3, 3), what)
    names = sources.names
    alpha = names.polarizability_unit_A3 * _tensor(full_tensor(found), (1, 3, 3), what)
    alpha = 0.5 * (alpha + alpha.transpose(1, 2))
    if names.polarizability_kind == "clausius-mossotti" and atoms.pbc.all():
        return lorentz_polarizability(alpha, atoms.cell.volume)
    return alpha


def _traceless(moments: Tensor) -> Tensor:
    trace = torch.einsum("saa->s", moments)[:, None, None]
    return 1.5 * (moments - trace / 3 * torch.eye(3).to(moments))


def _in_plane(stress: Tensor, graph: Graph) -> Tensor:
    """Return the in-plane stress of a slab; the model has no components along the normal."""
    _, _, normal = slab_axes(graph.cell, graph.pbc)
    plane = torch.eye(3).to(normal) - normal[:, :, None] * normal[:, None, :]
    # If the normal is a Cartesian axis, zeros would count as correctly predicted labels.
    across = torch.einsum("saa->sa", plane) < 1e-12
    return (plane @ stress @ plane).masked_fill(across[:, :, None] | across[:, None, :], torch.nan)


def _tensor(values, shape: tuple[int, ...], what: str) -> Tensor:
    if values is None:
        return torch.full(shape, torch.nan, dtype=torch.float64)
    array = np.asarray(values, dtype=float)
    if array.size != np.prod(shape):
        raise ValueError(f"{what} has shape {array.shape}; expected {shape}")
    if not np.isfinite(array).all():
        raise ValueError(f"{what} is not finite; remove the label or the structure")
    return torch.from_numpy(array.reshape(shape).copy())

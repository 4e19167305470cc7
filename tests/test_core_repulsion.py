"""Nuclei repel each other where no bond is as short."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import bulk, molecule
from ase.data import covalent_radii
from ase.neighborlist import neighbor_list
from ase.units import Bohr, Hartree

from ase_les import LESCalculator
from ase_les.core_repulsion import CoreRepulsion, CoreRepulsionConfig
from ase_les.graph import Graph, graph_from_atoms
from ase_les.neighbors import NeighborList

CUTOFF = 4.5


def graph_of(atoms: Atoms) -> Graph:
    return graph_from_atoms(atoms, NeighborList(CUTOFF, 0.0))


def repulsion(atoms: Atoms, cutoff_scale: float = 1.0) -> np.ndarray:
    elements = sorted(set(atoms.numbers.tolist()))
    return CoreRepulsion(CoreRepulsionConfig(cutoff_scale), elements, CUTOFF)(
        graph_of(atoms)
    ).numpy()


def pair(symbols: str, distance: float) -> Atoms:
    return Atoms(symbols, [[0, 0, 0], [0, 0.6 * distance, 0.8 * distance]])


def plain_definition(atoms: Atoms, cutoff_scale: float) -> float:
    """Sum over pairs, term by term as Ziegler, Biersack and Littmark (1985) write it."""
    total = 0.0
    for i, j, r in zip(*neighbor_list("ijd", atoms, CUTOFF), strict=True):
        z_i, z_j = atoms.numbers[[i, j]]
        a = 0.88534 * Bohr / (z_i**0.23 + z_j**0.23)
        phi = (
            0.18175 * np.exp(-3.19980 * r / a)
            + 0.50986 * np.exp(-0.94229 * r / a)
            + 0.28022 * np.exp(-0.40290 * r / a)
            + 0.02817 * np.exp(-0.20162 * r / a)
        )
        x = r / (cutoff_scale * (covalent_radii[z_i] + covalent_radii[z_j]))
        switch = 1 - 28 * x**6 + 48 * x**7 - 21 * x**8 if x < 1 else 0.0
        total += 0.5 * Hartree * Bohr * z_i * z_j / r * phi * switch
    return total


@pytest.mark.parametrize(
    "atoms",
    [
        molecule("CH3OH"),
        bulk("LiF", "rocksalt", a=3.0),
        bulk("Pt", "fcc", a=3.5) * (2, 1, 1),
        Atoms("ONa", [[0.1, 0.1, 0.1], [5.2, 5.4, 1.2]], cell=[6, 6, 6], pbc=[1, 1, 0]),
    ],
    ids=["molecule", "squeezed crystal", "metal", "slab"],
)
def test_it_is_the_sum_over_pairs(atoms):
    atoms.rattle(0.05, seed=3)
    expected = plain_definition(atoms, 1.2)
    assert expected > 0.01
    # ASE's units are of another year: they differ in the ninth digit.
    assert repulsion(atoms, 1.2).sum() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(("symbols", "charges"), [("HH", 1), ("FCl", 9 * 17), ("PtO", 78 * 8)])
def test_nuclei_on_top_of_each_other_see_no_electrons(symbols, charges):
    # Screening takes effect within the first thousandth of an ångström by less than a percent.
    energy = repulsion(pair(symbols, 1e-4)).sum()
    assert energy == pytest.approx(charges * Hartree * Bohr / 1e-4, rel=0.01)


@pytest.mark.parametrize(("distance", "hartree_fock"), [(0.5, 286.4), (0.8, 82.0), (1.0, 38.9)])
def test_neon_atoms_repel_about_as_they_do_in_quantum_chemistry(distance, hartree_fock):
    # Energies in eV of the pair less those of its atoms: PySCF 2.14, RHF, uncontracted cc-pVQZ.
    energy = repulsion(pair("NeNe", distance), cutoff_scale=3.5).sum()
    assert energy == pytest.approx(hartree_fock, rel=0.2)


def test_it_ends_smoothly_where_bonds_begin():
    length = covalent_radii[[9, 17]].sum()
    assert repulsion(pair("FCl", length + 1e-6)).sum() == 0
    assert repulsion(pair("FCl", length - 1e-3)).sum() < 1e-6
    assert repulsion(pair("FCl", 0.8 * length)).sum() > 1


def test_each_atom_has_half_of_every_pair():
    assert np.ptp(repulsion(pair("PtO", 1.0))) == 0


def test_a_model_is_not_led_to_where_atoms_collide(random_model):
    """A random network says anything of two atoms that touch; with the repulsion never "nearer"."""
    for seed in range(4):
        model = random_model(core_repulsion={"cutoff_scale": 1.0}, seed=seed)
        calculator = LESCalculator(model)
        for distance in (0.35, 0.45):
            atoms = pair("OO", distance)
            atoms.calc = calculator
            forces = atoms.get_forces()
            assert forces[1] @ (atoms.positions[1] - atoms.positions[0]) > 0


def test_it_is_the_same_in_single_precision(random_model):
    model = random_model(core_repulsion={"cutoff_scale": 1.0})
    atoms = pair("ONa", 1.3)
    graph = graph_of(atoms)
    part = model.for_inference(dtype="float32").core_repulsion(graph)
    assert torch.equal(part, model.double().core_repulsion(graph))


def test_a_cutoff_beyond_the_edges_is_refused():
    with pytest.raises(
        ValueError, match=r"repulsion of K and K would extend to 4\.87 Å.*edges end"
    ):
        CoreRepulsion(CoreRepulsionConfig(1.2), (9, 19), CUTOFF)
    with pytest.raises(ValueError, match=r"`cutoff_scale`: given 0.0, needed: number > 0"):
        CoreRepulsionConfig(0.0)

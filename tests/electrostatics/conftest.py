"""Fixed charges, so that the sums can be tested without a network."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from ase import Atoms
from torch import nn

from ase_les.electrostatics import Electrostatics, ElectrostaticsConfig
from ase_les.graph import Graph, graph_from_atoms
from ase_les.model import Prediction
from ase_les.neighbors import NeighborList


class FixedCharges(nn.Module):
    """A model of nothing but given charges."""

    def __init__(self, charges, **settings):
        super().__init__()
        charges = torch.as_tensor(np.array(charges, dtype=float))
        self.charges = charges[:, None] if charges.dim() == 1 else charges
        self.electrostatics = Electrostatics(ElectrostaticsConfig(**settings))

    def forward(self, graph: Graph) -> Prediction:
        energy = self.electrostatics(graph, self.charges)
        short_range = torch.zeros(graph.n_atoms, dtype=torch.float64)
        # The charges must be part of the computation for their potential to exist.
        return Prediction(energy, short_range, energy, self.charges, self.charges)


@pytest.fixture(scope="session")
def fixed_charges():
    return FixedCharges


@pytest.fixture(scope="session")
def graph_of():
    """Graph of atoms; charges see each other with or without edges."""

    def build(atoms: Atoms) -> Graph:
        return graph_from_atoms(atoms, NeighborList(2.0))

    return build


@pytest.fixture(scope="session")
def energy_of(graph_of):
    """Energy in eV of charges on atoms; converged far beyond the default unless told otherwise."""

    def energy(atoms: Atoms, charges, *, smearing: float = 1.0, **settings) -> float:
        settings = {"k_cutoff": 10 / smearing, **settings}
        return float(FixedCharges(charges, smearing=smearing, **settings)(graph_of(atoms)).energy)

    return energy


@pytest.fixture(scope="session")
def four():
    """Four charges in a triclinic cell; they sum to zero."""
    positions = [[0.1, 0.2, 0.3], [1.3, -0.4, 0.9], [-0.8, 1.7, 2.2], [2.5, 2.1, -0.6]]
    cell = [[8, 0, 0], [1.5, 7, 0], [-0.7, 1.1, 9]]
    return Atoms("X4", positions, cell=cell, pbc=True), np.array([0.5, -0.8, 0.7, -0.4])

"""Fixed charges, so that the sums can be tested without a network."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.stress import voigt_6_to_full_3x3_strain, voigt_6_to_full_3x3_stress
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
        self.electrostatics = Electrostatics(
            ElectrostaticsConfig(**{"smearing": 1.0, "remove_self_energy": True, **settings})
        )

    def forward(self, graph: Graph, plan=None) -> Prediction:
        energy = self.electrostatics(graph, self.charges, plan)
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


@pytest.fixture(scope="session")
def finite_differences(graph_of):
    """Forces (N, 3) and derivatives by the six strains over the volume (3, 3), by differences."""

    def differentiate_numerically(model, atoms: Atoms) -> tuple[np.ndarray, np.ndarray]:
        def energy(positions, cell):
            moved = Atoms(atoms.numbers, positions, cell=cell, pbc=atoms.pbc)
            return float(model(graph_of(moved)).energy)

        positions, cell = atoms.positions, atoms.cell.array
        forces = np.zeros_like(positions)
        step = 1e-4
        for atom, axis in np.ndindex(forces.shape):
            shift = np.zeros_like(positions)
            shift[atom, axis] = step
            forces[atom, axis] = -(
                energy(positions + shift, cell) - energy(positions - shift, cell)
            ) / (2 * step)
        slopes = []
        for strain in 1e-5 * np.eye(6):
            up, down = (
                energy(positions @ deformation, cell @ deformation)
                for sign in (1, -1)
                for deformation in [voigt_6_to_full_3x3_strain(sign * strain)]
            )
            slopes.append((up - down) / (2e-5 * atoms.get_volume()))
        return forces, voigt_6_to_full_3x3_stress(slopes)

    return differentiate_numerically

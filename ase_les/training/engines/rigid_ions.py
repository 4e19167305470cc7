"""Rigid-ion potential: cheap dynamics of ionic crystals and melts."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from ase.calculators.calculator import Calculator, all_changes
from ase.data import atomic_numbers
from ase.stress import full_3x3_to_voigt_6_stress
from torch import nn

from ase_les.derivatives import differentiate
from ase_les.electrostatics.energy import Electrostatics, ElectrostaticsConfig
from ase_les.graph import Graph, edge_vectors, graph_from_atoms, sum_per_structure
from ase_les.model import Prediction
from ase_les.neighbors import NeighborList
from ase_les.units import COULOMB_CONSTANT

CUTOFF_A = 9.0
SMEARING_A = 1.8
"""The relative truncation error of a pair energy at the cutoff is below 1e-6."""


class RigidIons(Calculator):
    r"""Point charges with the repulsion of Born and Mayer.

    .. math::
        E = \frac12 \sum_{i \ne j} \Big( k_e \frac{q_i q_j}{r_{ij}}
            + A_{s_i s_j} e^{-r_{ij}/\rho_{s_i s_j}} \Big)

    The Coulomb sum is that of smeared charges plus pairwise corrections for point charges.
    Suitable for sampling, not for accurate energies.

    Parameters
    ----------
    charges : mapping of str to float
        In e by element.
    repulsion : mapping of str to pair of float
        A in eV and ρ in Å by pair, such as ``{"Na-Cl": [1256, 0.317]}``; other pairs
        have no repulsion.

    References
    ----------
    .. [1] F. G. Fumi, M. P. Tosi, J. Phys. Chem. Solids 25, 31 (1964).
    """

    implemented_properties = ["energy", "free_energy", "forces", "stress"]  # noqa: RUF012

    def __init__(self, charges: Mapping[str, float], repulsion: Mapping[str, tuple[float, float]]):
        super().__init__()
        self.ions = _Ions(charges, repulsion)
        self.neighbors = NeighborList(CUTOFF_A, skin=1.0)

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        """See ASE."""
        super().calculate(atoms, properties, system_changes)
        graph = graph_from_atoms(self.atoms, self.neighbors)
        if {"energy", "free_energy"}.issuperset(properties):
            with torch.no_grad():
                energy = float(self.ions(graph).energy)
            self.results = {"energy": energy, "free_energy": energy}
            return
        periodic = bool(self.atoms.pbc.all())
        derived = differentiate(self.ions, graph, stress=periodic)
        energy = float(derived.prediction.energy.detach())
        self.results = {"energy": energy, "free_energy": energy, "forces": derived.forces.numpy()}
        if periodic:
            self.results["stress"] = full_3x3_to_voigt_6_stress(derived.stress[0].numpy())


class _Ions(nn.Module):
    """Energy as a module for `differentiate`."""

    def __init__(self, charges, repulsion):
        super().__init__()
        size = max(atomic_numbers.values()) + 1
        self.charge = torch.zeros(size, dtype=torch.float64)
        for symbol, charge in charges.items():
            self.charge[atomic_numbers[symbol]] = charge
        self.strength = torch.zeros(size, size, dtype=torch.float64)
        self.length = torch.ones(size, size, dtype=torch.float64)
        for pair, (strength, length) in repulsion.items():
            first, second = (atomic_numbers[symbol] for symbol in pair.split("-"))
            for place in ((first, second), (second, first)):
                self.strength[place], self.length[place] = strength, length
        self.smeared = Electrostatics(
            ElectrostaticsConfig(smearing=SMEARING_A, remove_self_energy=True)
        )

    def forward(self, graph: Graph) -> Prediction:
        charges = self.charge[graph.numbers]
        senders, receivers = graph.senders, graph.receivers
        distance = edge_vectors(graph).norm(dim=1)
        point = torch.erfc(distance / (math.sqrt(2) * SMEARING_A)) / distance
        coulomb = COULOMB_CONSTANT * charges[senders] * charges[receivers] * point
        pair = graph.numbers[senders], graph.numbers[receivers]
        repulsion = self.strength[pair] * torch.exp(-distance / self.length[pair])
        # Pairs beyond the cutoff are kept for the skin of the list only.
        within = (distance < CUTOFF_A).double()
        by_atom = torch.zeros_like(charges).index_add(
            0, receivers, 0.5 * within * (coulomb + repulsion)
        )
        long_range = self.smeared(graph, charges[:, None])
        energy = sum_per_structure(by_atom, graph) + long_range
        return Prediction(energy, by_atom, long_range, charges[:, None], charges[:, None])

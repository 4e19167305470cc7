"""Long-range energy of a batch of structures: each is summed under its own boundary conditions."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ase_les.electrostatics.cheaper_sum import CheaperSum
from ase_les.electrostatics.ewald import AnalyticEwaldSum, EwaldSum
from ase_les.electrostatics.layout import Layout
from ase_les.electrostatics.open_boundary import OpenSum
from ase_les.electrostatics.slab import SlabBox, layer_correction
from ase_les.electrostatics.wave_vectors import (
    SHELL_TOLERANCE,
    ReciprocalKernel,
    converged_k_cutoff,
)
from ase_les.graph import Graph, atoms_without_edges, sum_per_structure
from ase_les.units import COULOMB_CONSTANT


@dataclass(frozen=True)
class ElectrostaticsConfig:
    """How charges become energy.

    Parameters
    ----------
    smearing : float
        Width σ of the smeared interaction in Å.
    k_cutoff : float or None
        Largest wave number in 1/Å; None for a converged sum.
    remove_self_energy : bool
        Whether the interaction of each Gaussian with itself is left out. With it, the potential
        at an atom is that of all smeared charges, its own included, which is small wherever the
        surroundings screen the charge; errors of charges then cost little energy. Without it an
        atom of charge q stands in a potential of about −q · 11.5 V Å / σ, and a model pays for
        every charge that sits on an atom with errors in its forces: mean charges of liquid water
        tied to the Born charges raised them from 29.5 to 33.0 meV/Å without the self-energy, and
        lowered them to 27.2 with it (σ = 1.5 Å, 15 epochs of ``models/water-rpbe-d3``).
    background : bool
        Whether a cell with net charge and three periodic directions gets a uniform
        neutralising background.
    weight : float
        Factor of the whole long-range energy.
    self_energy_copies : int
        How often a removed self-energy is taken off the periodic sum. Anything
        but 1 is for models fitted that way: the published programs take it off
        once per charge channel.
    shell_tolerance : float
        Relative distance from ``k_cutoff`` at which a wave number still counts.
        With 0 round-off decides about wave numbers right at the cutoff, and so
        does the orientation of the cell: the published programs' choice.

    Raises
    ------
    ValueError
        If ``smearing`` or ``k_cutoff`` is not positive.
    """

    smearing: float = 1.0
    k_cutoff: float | None = None
    remove_self_energy: bool = False
    background: bool = True
    weight: float = 1.0
    self_energy_copies: int = 1
    shell_tolerance: float = SHELL_TOLERANCE

    def __post_init__(self):
        self.kernel()

    def kernel(self) -> ReciprocalKernel:
        """The reciprocal kernel with these settings."""
        if not self.smearing > 0:
            raise ValueError(f"`smearing` must be positive, got {self.smearing}")
        cutoff = converged_k_cutoff(self.smearing) if self.k_cutoff is None else self.k_cutoff
        return ReciprocalKernel(self.smearing, cutoff, self.shell_tolerance)


class Electrostatics(nn.Module):
    r"""Long-range energy of latent charges.

    .. math::
        E_\mathrm{lr} = w \big( E_\mathrm{sum} - E_\mathrm{self} - E_\mathrm{background} \big),
        \quad
        E_\mathrm{self} = \frac{k_e}{\sqrt{2\pi}\,\sigma} \sum_i q_i^2, \quad
        E_\mathrm{background} = k_e \pi \sigma^2 \frac{Q^2}{V}

    with the sum of `EwaldSum` in periodic cells and of `OpenSum` in free space. A slab is summed
    in a box with vacuum and corrected for that (`ase_les.electrostatics.slab`); it has no
    background, and the result does not depend on the third lattice vector of the structure.
    The boundary condition is ``pbc``, never the cell.

    Parameters
    ----------
    config : ElectrostaticsConfig

    References
    ----------
    .. [1] B. Cheng, npj Comput. Mater. 11, 80 (2025).
    """

    def __init__(self, config: ElectrostaticsConfig):
        super().__init__()
        self.config = config
        self.periodic_sum = EwaldSum(config.kernel())
        self.open_sum = OpenSum(config.smearing)

    def use_analytic_gradients(self, accuracy: float | None = None) -> None:
        """Write the gradients of the periodic sum by hand from now on (inference only).

        Parameters
        ----------
        accuracy : float or None
            Relative error of the long-range forces that is small enough to sum large structures
            on a mesh; None for the direct sum always.
        """
        kernel = self.config.kernel()
        self.periodic_sum = (
            AnalyticEwaldSum(kernel) if accuracy is None else CheaperSum(kernel, accuracy)
        )

    def apart(self) -> Electrostatics:
        """The same sums for other structures: what they choose and keep does not come back here."""
        other = copy.deepcopy(self)
        other.periodic_sum.forget()
        return other

    def forward(self, graph: Graph, charges: Tensor) -> Tensor:
        """Energies (S,) in eV.

        Parameters
        ----------
        graph : Graph
        charges : Tensor, shape (N, n_q)
            In e, float64.

        Raises
        ------
        ValueError
            If a structure is periodic along one direction only.
        """
        n_periodic = graph.pbc.sum(dim=1)
        energy_of = {3: self._periodic, 2: self._slab, 0: self._open}
        found = torch.unique(n_periodic).tolist()
        if not energy_of.keys() >= set(found):
            given = graph.pbc[n_periodic == 1][0].tolist()
            raise ValueError(
                "long-range sums need three periodic directions (crystals, liquids), two (slabs) "
                f"or none (molecules), got pbc = {given}. For a wire set pbc along a second "
                "direction, with a cell wide enough that the copies do not matter"
            )
        if len(found) == 1:
            return energy_of[found[0]](graph, charges)
        energies = charges.new_zeros(graph.n_structures)
        for count in found:
            chosen = n_periodic == count
            energies = energies.index_copy(
                0,
                torch.nonzero(chosen).squeeze(1),
                energy_of[count](*_select(graph, charges, chosen)),
            )
        return energies

    def _periodic(self, graph: Graph, charges: Tensor) -> Tensor:
        layout = Layout.of(graph.structure, graph.n_structures)
        energy = self._in_cell(graph, graph.cell, charges, layout)
        if self.config.background:
            energy = energy - self._background(graph, graph.cell, charges)
        return self.config.weight * energy

    def _slab(self, graph: Graph, charges: Tensor) -> Tensor:
        layout = Layout.of(graph.structure, graph.n_structures)
        box = SlabBox.of(graph, self.config.smearing)
        energy = self._in_cell(graph, box.cell, charges, layout)
        energy = energy + layer_correction(graph, charges, box, layout)
        # The box is ours: unlike a crystal's, its energy must not depend on its volume.
        return self.config.weight * (energy - self._background(graph, box.cell, charges))

    def _open(self, graph: Graph, charges: Tensor) -> Tensor:
        layout = Layout.of(graph.structure, graph.n_structures)
        energy = self.open_sum(graph.positions, charges, layout)
        if not self.config.remove_self_energy:
            energy = energy + self._self_energy(graph, charges)
        return self.config.weight * energy

    def _in_cell(self, graph: Graph, cell: Tensor, charges: Tensor, layout: Layout) -> Tensor:
        energy = self.periodic_sum(graph.positions, charges, cell, layout)
        if self.config.remove_self_energy:
            copies = self.config.self_energy_copies
            energy = energy - copies * self._self_energy(graph, charges)
        return energy

    def _background(self, graph: Graph, cell: Tensor, charges: Tensor) -> Tensor:
        net_charge = sum_per_structure(charges, graph)
        volume = torch.linalg.det(cell).abs()
        prefactor = COULOMB_CONSTANT * math.pi * self.config.smearing**2
        return prefactor * (net_charge**2).sum(1) / volume

    def _self_energy(self, graph: Graph, charges: Tensor) -> Tensor:
        prefactor = COULOMB_CONSTANT / (math.sqrt(2 * math.pi) * self.config.smearing)
        return prefactor * sum_per_structure((charges**2).sum(1), graph)


def _select(graph: Graph, charges: Tensor, chosen: Tensor) -> tuple[Graph, Tensor]:
    """The chosen structures (S,) of a batch and the charges of their atoms, without edges."""
    atoms = torch.nonzero(chosen[graph.structure]).squeeze(1)
    renumbered = torch.cumsum(chosen.long(), 0) - 1
    part = atoms_without_edges(graph, atoms)
    part = part._replace(
        cell=graph.cell[chosen],
        pbc=graph.pbc[chosen],
        total_charge=graph.total_charge[chosen],
        structure=renumbered[part.structure],
    )
    return part, charges[atoms]

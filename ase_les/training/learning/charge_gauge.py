r"""Charge gauge: a loss term that determines the charge localized on the atoms.

Energies and forces determine the long-range field of the latent charges, and with it the isotropic
Born charge :math:`\mathrm{tr} Z^*_i / 3` of an atom. They do not
determine its latent charge. Charges :math:`q_i` enter

.. math::
    Z^*_{i,\alpha\beta} = q_i \delta_{\alpha\beta}
        + \sum_j (\mathbf{r}_j - \mathbf{r}_i)_\alpha \frac{\partial q_j}{\partial r_{i\beta}},

so that moving charge from the atom to its neighbors, depending on their distances, can leave
:math:`Z^*` unchanged. An unconstrained fit moves nearly all charge off the atoms: charge spread
over the environment gives a smoother potential, which is easier to learn. Oxygen in water then
has a mean charge of -0.03 e and :math:`\mathrm{tr} Z^*/3 = -0.60` e.

The gauge of this package localizes the charge on the atoms. For every element *Z* of a structure
the mean charge is restrained to the mean isotropic Born charge of the same model,

.. math::
    L = \frac{w}{n_Z} \sum_Z d_Z^2, \qquad
    d_Z = \frac{1}{N_Z} \sum_{i \in Z} \Big(q_i - \tfrac{f}{3} \mathrm{tr} Z^*_i\Big),

with a factor :math:`f` (`born_ratio`, 1 by default) and :math:`Z^*` held constant in the gradient.
Otherwise the Born charges, which forces determine, would be pulled toward the charges. All elements
have equal weight, so that two ions count as much as sixty molecules of water. Only the means are
restrained: energies and forces determine how charges of one element differ from atom to atom.

Born charges are evaluated every few steps; in between, a running mean of :math:`d_Z` is used,
so that the gradient :math:`2 w\, d_Z / (n_Z N_Z)` is smooth and costs nothing.

Limits
------
- In structures that the cutoff covers (small clusters, thin slabs) not even the Born charges are
  determined by energies and forces; the gauge then follows the arbitrary result of the fit.
- In covalent crystals, where Born charges are anomalous, a mean charge equal to the Born charge is
  a convention and not a population.
- In molecules part of the isotropic Born charge is charge that flows when bonds are stretched.
  Point charges equal to the Born charges of water give too large a dipole of the molecule.
- In organic molecules isotropic Born charges contain large charge fluxes and describe the dipole of
  a molecule at rest poorly. There, charges can be restrained to those of polar bonds instead
  (``bond_polarity``), as far as energies and forces do not determine them.
- Charges transferred by equilibration (`ase_les.electrostatics.equilibration`) are not included:
  local charges follow local Born charges.
"""

from __future__ import annotations

from typing import Annotated

import torch
from ase.data import atomic_numbers
from torch import Tensor

from ase_les.charges.bond_polarity import bond_charges
from ase_les.configuration import (
    Count,
    Fraction,
    Interval,
    NotNegative,
    Number,
    Unit,
    configuration,
)
from ase_les.graph import Graph
from ase_les.model import LESModel
from ase_les.ranks import ALONE, Ranks
from ase_les.response import local_born_charges, local_charges_are_complete
from ase_les.training.learning.response_evaluation import center_of_mass


@configuration
class GaugeSettings:
    """Settings of the charge gauge.

    Parameters
    ----------
    weight, final_weight : float
        Weight of the squared difference between mean charge and mean isotropic Born charge of an
        element in the loss, in e⁻², at the start and at the end of a training; it changes
        geometrically in between. 0 switches the gauge off.
    interval : int
        Steps between two evaluations of the Born charges. Every fifth adds 8 % to the mean cost
        of a step (``benchmarks/training_step.py``).
    memory : float
        Weight of earlier measurements in the running mean of the difference.
    born_ratio : float
        Mean charge of an element in units of its mean isotropic Born charge.
    bond_polarity : float
        Charge through a bond in e per unit of Pauling electronegativity. If it is not 0, charges
        of structures without periodic directions are restrained to those of polar bonds
        (`ase_les.charges.bond_polarity`), atom by atom, and not to Born charges.
    """

    weight: Annotated[NotNegative, Unit("1/e²")] = 0.03
    final_weight: Annotated[NotNegative, Unit("1/e²")] = 0.01
    interval: Count = 5
    memory: Fraction = 0.9
    born_ratio: Annotated[Number, Interval(gt=0, le=2)] = 1.0
    bond_polarity: Annotated[NotNegative, Unit("e")] = 0.0

    @property
    def is_on(self) -> bool:
        """Return whether the gauge has a nonzero weight at any time."""
        return max(self.weight, self.final_weight) > 0

    def weight_at(self, fraction: float) -> float:
        """Return the weight at a fraction of the training."""
        start, end = self.weight, self.final_weight
        if start > 0 and end > 0:
            return start ** (1 - fraction) * end**fraction
        return start + (end - start) * fraction


class ChargeGauge:
    """Gauge term of one training with its running means.

    Parameters
    ----------
    model : LESModel
        Without charges, or with several charges per atom, there is no gauge term.
    ranks : Ranks
        Processes that share each batch.

    Attributes
    ----------
    difference : Tensor, shape (n_Z,)
        Running mean of :math:`d_Z` in e by atomic number, NaN before the first measurement;
        part of the checkpoint of a training.
    """

    def __init__(self, settings: GaugeSettings, model: LESModel, ranks: Ranks = ALONE):
        self.settings = settings
        self.model = model
        self._ranks = ranks
        self.applies = settings.is_on and model.has_charges
        size = max(atomic_numbers.values()) + 1
        self.difference = torch.full((size,), torch.nan, dtype=torch.float64)

    def loss(
        self, charges: Tensor, graph: Graph, step: int, fraction: float, batch: Graph | None = None
    ) -> Tensor:
        """Return the gauge term for one batch, or the contribution of a part of it.

        Parameters
        ----------
        charges : Tensor, shape (N, 1)
            Predicted for the graph, differentiable, in e.
        graph : Graph
            The batch, or a part.
        step : int
            Number of the training step.
        fraction : float
            Completed fraction of the training.
        batch : Graph or None
            The whole batch if the graph is a part.
        """
        if not self.applies:
            return charges.new_zeros(())
        batch = batch or graph
        weight = self.settings.weight_at(fraction)
        if self._uses_bond_polarity(batch):
            target = bond_charges(graph, self.settings.bond_polarity)
            return weight * (charges[:, 0] - target).square().sum() / batch.n_atoms
        self.measure(graph, batch, step)
        # One entry per element, in the order of the atomic numbers.
        counts = torch.bincount(batch.numbers, minlength=len(self.difference)).to(charges)
        means = _sums_by_element(charges[:, 0], graph) / counts.clamp_min(1)
        difference = torch.nan_to_num(self.difference.to(charges.device)) * (counts > 0)
        # Value w d², gradient 2 w d ∂q: the Born charges in d are constants.
        value = difference.square() * (graph.n_atoms / batch.n_atoms)
        gradient = 2 * difference * (means - means.detach())
        return weight * (value + gradient).sum() / (counts > 0).sum()

    def measure(self, graph: Graph | None, batch: Graph, step: int) -> None:
        """Update the running means from the Born charges of a batch, if an update is due.

        A process without a part of the batch must call this, too, with `graph` None.
        """
        due = self.applies and step % self.settings.interval == 0
        if not due or self._uses_bond_polarity(batch):
            return
        size = len(self.difference)
        # Sums and numbers of atoms by element, and whether charges are incomplete.
        totals = torch.zeros(2 * size + 1, dtype=torch.float64)
        if graph is not None:
            totals[-1] = not local_charges_are_complete(self.model, graph)
            if not totals[-1]:
                charges, tensors = local_born_charges(self.model, graph, center_of_mass(graph))
                target = torch.einsum("iaa->i", tensors.detach()) * (self.settings.born_ratio / 3)
                totals[:size] = _sums_by_element(charges.detach() - target, graph).cpu()
                totals[size : 2 * size] = torch.bincount(graph.numbers.cpu(), minlength=size)
        self._ranks.sum_(totals)
        if totals[-1] > 0:
            return
        sums, counts = totals[:size], totals[size : 2 * size]
        elements = torch.nonzero(counts).squeeze(1)
        long_range = self.model.config.long_range
        shared = None if long_range is None else long_range.equilibration
        if shared:
            excluded = torch.tensor([atomic_numbers[symbol] for symbol in shared.elements])
            elements = elements[~torch.isin(elements, excluded)]
        found = sums[elements] / counts[elements]
        known = self.difference[elements]
        mixed = self.settings.memory * known + (1 - self.settings.memory) * found
        self.difference[elements] = torch.where(known.isnan(), found, mixed)

    def _uses_bond_polarity(self, batch: Graph) -> bool:
        return bool(self.settings.bond_polarity) and not batch.pbc.any()


def _sums_by_element(values: Tensor, graph: Graph) -> Tensor:
    """Return the sum of atomic values for every atomic number, float64."""
    size = max(atomic_numbers.values()) + 1
    return values.new_zeros(size, dtype=torch.float64).index_add(0, graph.numbers, values.double())

"""MACE: higher-order equivariant message passing, from a graph to features of atoms."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn

from ase_les.graph import Graph
from ase_les.kernels.library import Kernels
from ase_les.kernels.mace import FlatEdges, TableSums
from ase_les.kernels.messages import LANES
from ase_les.representation.mace.analytic import FirstSums, LaterSums
from ase_les.representation.mace.analytic_products import AnalyticProducts
from ase_les.representation.mace.config import MaceConfig
from ase_les.representation.mace.harmonics import SphericalHarmonics
from ase_les.representation.mace.interaction import Interaction, first_sums
from ase_les.representation.mace.products import (
    Basis,
    Groups,
    Products,
    atoms_by_element,
    has_tangent,
    mixed_by_element,
)
from ase_les.representation.mace.radial import RadialFunctions
from ase_les.representation.mace.radial_table import ExactRadial, Radial, RadialTable
from ase_les.representation.neighbor_sum import (
    Neighborhoods,
    lengths,
    neighborhoods,
)
from ase_les.representation.radial import BesselBasis

if TYPE_CHECKING:
    from ase_les.charges.readout import JointReadouts

_LARGEST_ATOMIC_NUMBER = 118


class Mace(nn.Module):
    r"""Features of atoms from a graph: the scalars after every layer.

    Each layer sums what neighbors send (`ase_les.representation.mace.interaction`), takes
    equivariant polynomials of the sums (`ase_les.representation.mace.products`), and adds a linear
    function of the previous features that depends on the element,

    .. math::
        h^{(t+1)}_i = P(A_i)\, L + h^{(t)}_i S_{z_i}

    The features are the scalars of :math:`h^{(1)}, h^{(2)}, …`, flattened as (layer, channel).

    Parameters
    ----------
    elements : sequence of int
        Atomic numbers known to the model.
    total_charges : sequence of int
        Total charges of structures that condition the element vectors; empty for none.

    References
    ----------
    Batatia, Kovács, Simm, Ortner, Csányi, NeurIPS 35 (2022), arXiv 2206.07697.
    """

    _row: Tensor
    _charges: Tensor
    _radii: Tensor

    def __init__(self, config: MaceConfig, elements: Sequence[int], total_charges: Sequence[int]):
        super().__init__()
        self.config = config
        channels, n_elements = config.channels, len(elements)
        self.embedding = nn.Parameter(torch.randn(n_elements, channels) / n_elements**0.5)
        self.charge_embedding = None
        if total_charges:
            states = 0.1 * torch.randn(len(total_charges), channels)
            self.charge_embedding = nn.Parameter(states)
            charges = torch.tensor(total_charges, dtype=torch.float64)
            self.register_buffer("_charges", charges, persistent=False)
        row = torch.full((_LARGEST_ATOMIC_NUMBER + 1,), n_elements)
        row[list(elements)] = torch.arange(n_elements)
        self.register_buffer("_row", row, persistent=False)
        self.radial_basis = BesselBasis(
            config.n_radial, config.cutoff, config.cutoff_exponent, config.trainable_frequencies
        )
        self.angular = SphericalHarmonics(config.l_max)
        self.basis = Basis(
            config.l_max, max(config.l_results), config.correlation, config.stored_paths
        )
        l_inputs = (0, *config.l_results[:-1])
        self.interactions = nn.ModuleList(
            Interaction(l_input, config.l_max, channels, config.n_radial, config.radial_hidden)
            for l_input in l_inputs
        )
        self.products = nn.ModuleList(
            Products(
                config.l_max,
                l_result,
                config.correlation,
                n_elements,
                channels,
                self.basis.n_paths,
            )
            for l_result in config.l_results
        )
        self.skips = nn.ParameterList(
            self._skip(layer, l_input, l_result, n_elements)
            for layer, (l_input, l_result) in enumerate(
                zip(l_inputs, config.l_results, strict=True)
            )
        )
        self.densities = nn.ParameterList()
        if config.normalization == "density":
            scale = config.n_radial**-0.5
            self.densities.extend(scale * torch.randn(config.n_radial) for _ in l_inputs)
        if config.distance_transform is not None:
            # No buffer: changes of precision must not round it.
            self._radii = config.distance_transform.covalent_radii()
        self.n_features = config.n_layers * channels
        self.is_analytic = False
        self.fast_products: nn.ModuleList | None = None
        self.tables: nn.ModuleList | None = None
        self.sums_by_kernels: nn.ModuleList | None = None

    def _skip(self, layer: int, l_input: int, l_result: int, n_elements: int) -> Tensor:
        """Weights (degrees, elements, C, C) of features, or of sums without a residual."""
        degrees = 1 + min(l_input, l_result)
        if layer == 0 and not self.config.residual_first:
            degrees = 1 + self.config.l_max
        channels = self.config.channels
        size = (degrees, n_elements, channels, channels)
        return torch.randn(size) / (channels * n_elements) ** 0.5

    @property
    def has_single_precision_basis(self) -> bool:
        """Whether the polynomials are stored in single precision, as in published files."""
        return self.basis.is_single_precision

    @property
    def cutoff(self) -> float:
        """Longest edge that is used, in Å."""
        return self.config.cutoff

    @property
    def layers(self) -> list[Interaction]:
        """Message-passing layers: the interactions after the first."""
        return [self._interaction(layer) for layer in range(1, self.config.n_layers)]

    def _interaction(self, layer: int) -> Interaction:
        return cast(Interaction, self.interactions[layer])

    @property
    def n_layers(self) -> int:
        """Number of message-passing layers: of interactions after the first."""
        return self.config.n_layers - 1

    def use_analytic_gradients(self) -> None:
        """Switch to hand-written gradients (inference only)."""
        self.is_analytic = True
        # Stored polynomials are reproduced exactly in double precision only.
        if not (self.basis.is_stored and self.embedding.dtype == torch.float64):
            self.fast_products = nn.ModuleList(
                AnalyticProducts(cast(Products, products), self.basis) for products in self.products
            ).to(self.embedding)
        if self.embedding.dtype == torch.float32 and self.config.distance_transform is None:
            self.tables = nn.ModuleList(
                self._table(layer).to(self.embedding.device)
                for layer in range(self.config.n_layers)
            )

    def use_kernels(self, kernels: Kernels) -> None:
        """Sum messages with compiled kernels, in single precision; gradients are analytic."""
        if self.tables is None or self.config.channels % LANES:
            return
        self.sums_by_kernels = nn.ModuleList(
            TableSums(
                kernels,
                interaction.path_table,
                interaction.coupling_matrix(self.embedding),
                interaction.linear,
                cast(RadialTable, self.tables[layer]).rows,
                cast(RadialTable, self.tables[layer]).step,
                self.angular,
            )
            for layer, interaction in enumerate(self.layers, start=1)
        )

    def use_training_kernels(self, kernels: Kernels | None) -> None:
        """Sum messages with compiled kernels, twice differentiable; None for torch."""
        if self.config.channels % LANES:
            kernels = None
        for layer in range(1, self.config.n_layers):
            self._interaction(layer).kernels = kernels

    def _table(self, layer: int) -> RadialTable:
        """Return the table of the radial functions of a layer, computed in double precision."""
        basis, interaction = copy.deepcopy(self.radial_basis), self._interaction(layer)
        network = copy.deepcopy(interaction.radial).double().cpu()
        functions = RadialFunctions(basis.double().cpu(), network, self.config.cutoff_on_weights)
        weights = interaction.radial_weights.double().cpu() if layer else None
        with torch.no_grad():
            return RadialTable(ExactRadial(functions, weights), self.cutoff, torch.float32)

    def _radial(self, layer: int, functions: RadialFunctions) -> Radial:
        """Return the radial functions of a layer for inference, from a table or exact."""
        if self.tables is not None:
            return cast(RadialTable, self.tables[layer])
        weights = self._interaction(layer).radial_weights if layer else None
        return ExactRadial(functions, weights)

    def forward(self, graph: Graph) -> Tensor:
        """Return features (N, n_features) of all atoms, in the precision of the parameters."""
        edges = self.neighborhoods(graph)
        return self.features(graph, [edges] * self.config.n_layers)

    def read(self, graph: Graph, readouts: JointReadouts) -> tuple[Tensor, ...] | None:
        """Return None: features are kept."""
        return None

    def neighborhoods(self, graph: Graph) -> Neighborhoods:
        """Return the edges that the representation uses, in the precision of the parameters."""
        return neighborhoods(graph, self.config.cutoff, self.embedding.dtype)

    def features(self, graph: Graph, edges_of_layers: Sequence[Neighborhoods]) -> Tensor:
        """Return features (N, n_features), with separate edges for every layer, which may be equal.

        Separate edges are needed for the response to a displaced atom (`ase_les.response`).
        """
        elements = self._row[graph.numbers]
        groups = atoms_by_element(elements)
        kinds, embedding = self._kinds(graph, elements)
        scales = [self._scales(edges, graph.numbers) for edges in edges_of_layers]
        sums = self._first_sums(edges_of_layers[0], kinds, embedding, scales[0])
        if not self.config.residual_first:
            sums = self._mixed_sums(sums, groups)
        features = self._products(0, sums, elements)
        if self.config.residual_first:
            own = mixed_by_element(embedding[kinds][None], self.skips[0][0], groups)
            features[0] = features[0] + own
        scalars = [features[0][0]]
        for layer, edges in enumerate(edges_of_layers[1:], start=1):
            sums = self._later_sums(layer, edges, features, scales[layer])
            results = self._products(layer, sums, elements)
            for degree, weights in enumerate(self.skips[layer]):
                own = mixed_by_element(features[degree], weights, groups)
                results[degree] = results[degree] + own
            features = results
            scalars.append(features[0][0])
        return torch.cat(scalars, dim=1)

    def _products(self, layer: int, sums: Tensor, elements: Tensor) -> list[Tensor]:
        if self.fast_products is not None and not has_tangent(sums):
            return self.fast_products[layer](sums, elements)
        return self.products[layer](sums, elements, self.basis)

    def _kinds(self, graph: Graph, elements: Tensor) -> tuple[Tensor, Tensor]:
        """Kind (N,) of every atom and the vectors (kinds, C): elements, in every charge state."""
        if self.charge_embedding is None:
            return elements, self.embedding
        distance = (graph.total_charge[:, None] - self._charges).abs()
        state = distance.argmin(dim=1)[graph.structure]
        vectors = self.embedding[:, None] + self.charge_embedding
        return elements * vectors.shape[1] + state, vectors.flatten(0, 1)

    def _scales(self, edges: Neighborhoods, numbers: Tensor) -> Tensor | None:
        """Return the scales (N, K) of the transform of distances in Å, None without one."""
        if self.config.distance_transform is None:
            return None
        radii = self._radii.to(numbers.device)[numbers].to(edges.vectors.dtype)
        return 0.5 * (radii[:, None] + edges.of_senders(radii))

    def _divisor(self, layer: int, vectors: Tensor, functions: RadialFunctions) -> Tensor | float:
        """Return what the sums of a layer are divided by, one number or (N, 1)."""
        if not self.densities:
            return self.config.mean_neighbors
        return 1 + functions.densities(lengths(vectors), self.densities[layer])[:, None]

    def _first_sums(
        self, edges: Neighborhoods, kinds: Tensor, embedding: Tensor, scales: Tensor | None
    ) -> Tensor:
        present, rows = torch.unique(kinds, return_inverse=True)
        one_hot = nn.functional.one_hot(rows, len(present)).T.to(embedding)
        one_hot = edges.of_senders(one_hot)
        # Vectors of this package point from receiver to sender.
        vectors, functions = -edges.vectors, self._functions(0, scales)
        divisor = self._divisor(0, vectors, functions)
        matrices = self._interaction(0).first_mixing(embedding[present])
        if isinstance(divisor, float):
            matrices = matrices / divisor
        if self.is_analytic and not has_tangent(vectors):
            radial = self._radial(0, functions)
            sums = FirstSums.apply(vectors, one_hot, matrices, self.cutoff, radial, self.angular)
        else:
            sums = first_sums(vectors, one_hot, matrices, functions, self.angular)
        return sums if isinstance(divisor, float) else sums / divisor

    def _later_sums(
        self,
        layer: int,
        edges: Neighborhoods,
        features: Sequence[Tensor],
        scales: Tensor | None,
    ) -> Tensor:
        vectors, functions = -edges.vectors, self._functions(layer, scales)
        sums = self._undivided_sums(layer, edges, vectors, features, functions)
        return sums / self._divisor(layer, vectors, functions)

    def _undivided_sums(
        self,
        layer: int,
        edges: Neighborhoods,
        vectors: Tensor,
        features: Sequence[Tensor],
        functions: RadialFunctions,
    ) -> Tensor:
        interaction = self._interaction(layer)
        raised = interaction.raised(features)
        if has_tangent(vectors):
            return self._defined_sums(interaction, edges, vectors, raised, functions)
        if self.sums_by_kernels and isinstance(edges, Neighborhoods):
            own = cast(TableSums, self.sums_by_kernels[layer - 1])
            return own(self._flat(edges, vectors), raised.transpose(0, 1))
        if self.is_analytic:
            messages, senders = raised.transpose(0, 1).contiguous(), edges.senders
            if not isinstance(edges, Neighborhoods):
                # Born charges need separate messages for each edge.
                messages, senders = edges.of_senders(messages, 0), None
            radial, paths = self._radial(layer, functions), interaction.paths
            summed = LaterSums.apply(
                vectors, messages, senders, paths, self.cutoff, radial, self.angular
            )
            sizes = [2 * path[2] + 1 for path in interaction.paths]
            return interaction.mixed(summed.split(sizes))
        if interaction.kernels is not None and isinstance(edges, Neighborhoods):
            flat = self._flat(edges, vectors, functions.scales)
            return interaction.forward_with_kernels(flat, raised, functions, self.angular)
        return self._defined_sums(interaction, edges, vectors, raised, functions)

    def _defined_sums(
        self,
        interaction: Interaction,
        edges: Neighborhoods,
        vectors: Tensor,
        raised: Tensor,
        functions: RadialFunctions,
    ) -> Tensor:
        distances = lengths(vectors)
        return interaction(functions(distances), self.angular(vectors / distances), edges, raised)

    def _flat(
        self, edges: Neighborhoods, vectors: Tensor, scales: Tensor | None = None
    ) -> FlatEdges:
        """Return edges within the cutoff; `vectors` belong to `edges`, from sender to receiver."""
        with torch.no_grad():
            inside = (vectors * vectors).sum(0) < self.cutoff**2
            kept = torch.nonzero(inside.flatten()).squeeze(1)
            starts = nn.functional.pad(inside.sum(1).cumsum(0), (1, 0))
            senders = edges.senders.flatten()[kept]
            scales = None if scales is None else scales.flatten()[kept]
        own = vectors.flatten(1).index_select(1, kept)
        return FlatEdges(own, senders, starts, scales)

    def _functions(self, layer: int, scales: Tensor | None) -> RadialFunctions:
        config, network = self.config, self._interaction(layer).radial
        return RadialFunctions(
            self.radial_basis,
            network,
            config.cutoff_on_weights,
            config.distance_transform,
            scales,
        )

    def _mixed_sums(self, sums: Tensor, groups: Groups) -> Tensor:
        return torch.cat(
            [
                mixed_by_element(sums[components], weights, groups)
                for components, weights in zip(self.angular.of_degree, self.skips[0], strict=True)
            ]
        )

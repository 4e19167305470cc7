"""Cartesian atomic cluster expansion: rotation-invariant features of each atom's environment."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Literal

import torch
from torch import Tensor, nn

from ase_les.configuration import (
    Cutoff,
    Interval,
    Len,
    MaxLen,
    Positive,
    Width,
    configuration,
    renamed,
)
from ase_les.graph import Graph, edges_to
from ase_les.kernels.library import Kernels
from ase_les.kernels.representation import FusedRepresentation
from ase_les.kernels.training import trained_features
from ase_les.representation.angular import (
    AnalyticInvariants,
    Invariants,
    Monomials,
    angular_indices,
)
from ase_les.representation.embedding import Embedding
from ase_les.representation.message_blocks import blocks_of, features_in_blocks
from ase_les.representation.message_passing import InvariantMessage, Memory, RadialMessage
from ase_les.representation.neighbor_sum import (
    AnalyticNeighborSum,
    Neighborhoods,
    NeighborSum,
    neighborhoods,
)
from ase_les.representation.radial import BesselBasis
from ase_les.representation.recomputed import recomputed

if TYPE_CHECKING:
    from ase_les.charges.readout import JointReadouts

Message = Literal["memory", "radial", "invariant"]

# Maximum size in bytes of a tensor for a block of atoms.
_BLOCK_BYTES = 32 * 2**20


@configuration
class CaceConfig:
    """Size and shape of a CACE representation.

    Parameters
    ----------
    cutoff : float
        Radius of an atom's environment in Å.
    n_radial, n_mixed : int
        Radial functions, and combinations of them after mixing.
    n_embedding : int
        Length of the element vectors; edges have its square as channels.
    l_max : int
        Largest angular degree, 0 to 4.
    nu_max : int
        Largest product of neighbor sums, 1 to 4.
    cutoff_exponent : int
        Flatness of the cutoff function at r = 0.
    trainable_frequencies : bool
        Whether the radial frequencies are learned.
    layers : tuple of tuple of str
        One entry per message-passing layer, naming its terms: "memory",
        "radial", "invariant".
    mean_neighbors : float
        Messages are divided by the square root of this.
    separate_values : bool
        Whether "invariant" messages carry a number for each angular degree and
        edge channel instead of one for all.
    """

    cutoff: Cutoff
    n_radial: Width = 6
    n_mixed: Width = 12
    n_embedding: Width = 3
    l_max: Annotated[int, Interval(ge=0, le=4)] = 3
    nu_max: Annotated[int, Interval(ge=1, le=4)] = 3
    cutoff_exponent: Annotated[int, Interval(ge=2, le=100)] = 5
    trainable_frequencies: bool = True
    layers: Annotated[tuple[Annotated[tuple[Message, ...], Len(1, 3)], ...], MaxLen(10)] = ()
    mean_neighbors: Positive = 10.0
    separate_values: bool = False

    _earlier = renamed(mean_neighbours="mean_neighbors")


class Cace(nn.Module):
    r"""CACE representation: features of atoms from a graph.

    Edges carry :math:`T_c R_n(r) f_c(r)\, \hat x^{l_x} \hat y^{l_y} \hat z^{l_z}` with
    :math:`T = \theta^\mathrm{sender}(j) \otimes \theta^\mathrm{receiver}(i)`. Their sums over
    neighbors are mixed radially, :math:`A_{n'} = \sum_n W^{|l|,c}_{nn'} A_n`, and made invariant
    (see `ase_les.representation.angular`). Because :math:`T` factorizes, the sum runs over sender
    channels only.

    Sums are stored as (l, s, N, m, r): angular function, sender channel, atom, mixed radial
    function, receiver channel. Features are flattened as (layer, invariant, s, m, r).

    Parameters
    ----------
    elements : sequence of int
        Atomic numbers known to the model.
    total_charges : sequence of int
        Total charges of structures that condition the element vectors; empty for none.

    References
    ----------
    .. [1] B. Cheng, npj Comput. Mater. 10, 157 (2024).
    """

    _degrees: Tensor

    def __init__(self, config: CaceConfig, elements: Sequence[int], total_charges: Sequence[int]):
        super().__init__()
        self.config = config
        n_emb, n_mixed = config.n_embedding, config.n_mixed
        n_degrees = config.l_max + 1
        channels = (n_emb, n_mixed, n_emb)
        self._in_blocks_of_bytes: int | None = None
        self._fused: FusedRepresentation | None = None
        self._training_kernels: Kernels | None = None
        self.embedding = Embedding(elements, total_charges, n_emb)
        radial = BesselBasis(
            config.n_radial, config.cutoff, config.cutoff_exponent, config.trainable_frequencies
        )
        self.neighbor_sum = NeighborSum(radial, Monomials(config.l_max))
        self.mixing = nn.Parameter(
            torch.randn(n_degrees, n_emb, config.n_radial, n_mixed * n_emb) / config.n_radial**0.5
        )
        self.invariants = Invariants(config.l_max, config.nu_max)
        degrees = [sum(triple) for triple in angular_indices(config.l_max)]
        self.register_buffer("_degrees", torch.tensor(degrees), persistent=False)
        self.n_features_per_layer = self.invariants.n_invariants * n_emb * n_mixed * n_emb
        self.n_features = self.n_features_per_layer * (1 + len(config.layers))

        build = {
            "memory": lambda: Memory(n_degrees, channels),
            "radial": lambda: RadialMessage(n_degrees, channels),
            "invariant": lambda: InvariantMessage(
                self.n_features_per_layer, n_degrees * n_emb**2 if config.separate_values else 1
            ),
        }
        self.layers = nn.ModuleList(
            nn.ModuleDict({name: build[name]() for name in layer}) for layer in config.layers
        )

    @property
    def cutoff(self) -> float:
        """Longest edge that is used, in Å."""
        return self.config.cutoff

    @property
    def n_layers(self) -> int:
        """Number of message-passing layers."""
        return len(self.config.layers)

    def use_analytic_gradients(self) -> None:
        """Switch to hand-written gradients of sums and invariants (inference only).

        Large structures are then evaluated in blocks of atoms, whose intermediates are recomputed
        for the gradient: memory hardly grows with the structure.
        """
        self._in_blocks_of_bytes = _BLOCK_BYTES
        self.neighbor_sum = AnalyticNeighborSum(self.neighbor_sum.radial, self.neighbor_sum.angular)
        self.invariants = AnalyticInvariants(self.config.l_max, self.config.nu_max).to(self.mixing)

    @property
    def has_kernels(self) -> bool:
        """Return whether `forward` uses compiled kernels."""
        return self._fused is not None

    def use_kernels(self, kernels: Kernels) -> None:
        """Switch `forward` to compiled kernels (inference only).

        No effect with message-passing layers.
        """
        if not self.layers:
            self._fused = FusedRepresentation(self, kernels)

    def use_training_kernels(self, kernels: Kernels | None) -> None:
        """Switch `features` to compiled kernels, twice differentiable; None for torch.

        No effect with message-passing layers.
        """
        self._training_kernels = None if self.layers else kernels

    def forward(self, graph: Graph) -> Tensor:
        """Return features (N, n_features) of all atoms, in the precision of the parameters."""
        if self._fused is not None:
            return self._fused(graph)
        block = self._atoms_per_block(graph)
        if graph.n_atoms > block:
            return self._in_blocks(graph, block)
        edges = self.neighborhoods(graph)
        return self.features(graph, [edges] * (1 + len(self.layers)))

    def read(self, graph: Graph, readouts: JointReadouts) -> tuple[Tensor, ...] | None:
        """Return the outputs of readouts, with compiled kernels; None without."""
        return None if self._fused is None else self._fused.read(graph, readouts)

    def features_of(self, graph: Graph, atoms: range, of_all: Callable[[Tensor], Tensor]) -> Tensor:
        """Return the features (n, n_features) of a range of atoms, for inference.

        Parameters
        ----------
        graph : Graph
            Graph with the edges that end at these atoms.
        of_all : callable
            Function from values sent by these atoms (n, n_values) to those of all (N, n_values).

        Raises
        ------
        ValueError
            If the model has radial messages, which need all sums of an atom.
        """
        if self._fused is not None:
            return self._fused(graph, atoms)
        block = self._atoms_per_block(graph)
        if self.layers:
            return features_in_blocks(self, graph, block, atoms, of_all)
        return self._in_blocks(graph, block, atoms)

    def neighborhoods(self, graph: Graph) -> Neighborhoods:
        """Return the edges that the representation uses, in the precision of the parameters."""
        return neighborhoods(graph, self.config.cutoff, self.mixing.dtype)

    def features(self, graph: Graph, edges_of_layers: Sequence[Neighborhoods]) -> Tensor:
        """Return features (N, n_features), with separate edges for every layer, which may be equal.

        Separate edges are needed for the response to a displaced atom: the range of a change
        depends on the edges along which it was propagated (`ase_les.response`).
        """
        if self._training_kernels is not None:
            return trained_features(self, self._training_kernels, graph, edges_of_layers[0])
        sender, receiver = self.embedding(graph)
        sender = sender.T
        sums = self.sums(edges_of_layers[0], sender, receiver)
        features = [self.invariant_features(sums)]
        for layer, edges in zip(self.layers, edges_of_layers[1:], strict=True):
            assert isinstance(layer, nn.ModuleDict)
            sums = self._next_layer(layer, sums, features[-1], edges, sender, receiver)
            features.append(self.invariant_features(sums))
        return torch.cat(features, dim=1) if self.layers else features[0]

    def _atoms_per_block(self, graph: Graph) -> int:
        """Return the number of atoms per block; all atoms without blocks."""
        if self._in_blocks_of_bytes is None:
            return graph.n_atoms
        config = self.config
        mean_edges = -(-len(graph.receivers) // max(graph.n_atoms, 1))
        per_edge = config.n_embedding * config.n_radial
        sums = len(self._degrees) * config.n_embedding**2 * config.n_mixed
        bytes_per_atom = self.mixing.element_size() * max(sums, mean_edges * per_edge)
        return max(self._in_blocks_of_bytes // bytes_per_atom, 1)

    def _in_blocks(self, graph: Graph, block: int, atoms: range | None = None) -> Tensor:
        atoms = range(graph.n_atoms) if atoms is None else atoms
        if self.layers:
            return features_in_blocks(self, graph, block, atoms)
        sender, receiver = self.embedding(graph)
        sender = sender.T

        def of(part: range) -> Tensor:
            ends = edges_to(graph, part)
            own = receiver[part.start : part.stop]

            def features(positions: Tensor, cell: Tensor) -> Tensor:
                placed = ends._replace(positions=positions, cell=cell)
                edges = neighborhoods(placed, self.config.cutoff, self.mixing.dtype, part)
                return self.invariant_features(self.sums(edges, sender, own))

            return recomputed(features, graph.positions, graph.cell)

        return torch.cat([of(part) for part in blocks_of(atoms, block)])

    def sums(self, edges: Neighborhoods, sender: Tensor, receiver: Tensor) -> Tensor:
        """Return mixed sums (n_l, s, n, m, r) of atoms over edges that end at them.

        ``sender`` (s, N) is the embedding of all atoms, ``receiver`` (n, r) that of these.
        """
        raw = self.neighbor_sum(edges.vectors, edges.of_senders(sender))
        n_angular, n_sender, n_atoms, n_radial = raw.shape
        mixed = torch.bmm(
            raw.reshape(n_angular * n_sender, n_atoms, n_radial),
            self.mixing[self._degrees].flatten(0, 1),
        )
        mixed = mixed.view(n_angular, n_sender, n_atoms, self.config.n_mixed, -1)
        return mixed * receiver[:, None]

    def invariant_features(self, sums: Tensor) -> Tensor:
        """Return the features (n, n_features_per_layer) of sums (n_l, s, n, m, r)."""
        invariants = self.invariants(sums.flatten(1)).view(-1, *sums.shape[1:])
        return invariants.permute(2, 0, 1, 3, 4).flatten(1)

    def _next_layer(
        self,
        layer: nn.ModuleDict,
        sums: Tensor,
        features: Tensor,
        edges: Neighborhoods,
        sender: Tensor,
        receiver: Tensor,
    ) -> Tensor:
        values = layer["invariant"](features) if "invariant" in layer else None
        return self.message_sums(layer, sums, sums, edges, values, edges, sender, receiver)

    def message_sums(
        self,
        layer: nn.ModuleDict,
        own: Tensor,
        near: Tensor | None,
        near_edges: Neighborhoods,
        values: Tensor | None,
        edges: Neighborhoods,
        sender: Tensor,
        receiver: Tensor,
    ) -> Tensor:
        """Return the sums (n_l, s, n, m, r) of the next layer.

        Parameters
        ----------
        layer : ModuleDict
            Terms of `ase_les.representation.message_passing`.
        own : Tensor, shape (n_l, s, n, m, r)
            Sums of these atoms in the layer before.
        near, near_edges : Tensor, shape (n_l, s, M, m, r), and Neighborhoods
            Sums of senders, and edges that count senders among them; for radial messages.
        values : Tensor, shape (N, n_values), or None
            Numbers that atoms send; for invariant messages.
        edges : Neighborhoods
            Edges that end at these atoms.
        sender, receiver : Tensor, shapes (s, N) and (n, r)
            Embeddings of all atoms, and of these atoms.
        """
        norm = self.config.mean_neighbors**-0.5
        new = torch.zeros_like(own)
        if "memory" in layer:
            new = new + layer["memory"](own, self._degrees)
        if "radial" in layer:
            message = layer["radial"](near, self._degrees, near_edges, self.neighbor_sum.radial)
            new = new + norm * message
        if values is not None:
            weigh = self._separate_sums if self.config.separate_values else self._weighted_sums
            new = new + norm * weigh(edges, sender, values.T, receiver)
        return new

    def _weighted_sums(
        self, edges: Neighborhoods, sender: Tensor, value: Tensor, receiver: Tensor
    ) -> Tensor:
        return self.sums(edges, sender * value, receiver)

    def _separate_sums(
        self, edges: Neighborhoods, sender: Tensor, value: Tensor, receiver: Tensor
    ) -> Tensor:
        n_emb, n_atoms = sender.shape
        # Messages depend on the receiver channel, so that they do not factorize.
        weights = sender[:, None] * value.view(-1, n_emb, n_emb, n_atoms)
        raw = self.neighbor_sum(edges.vectors, edges.of_senders(weights.flatten(1, 2)))
        raw = raw.unflatten(1, (n_emb, n_emb))
        mixing = self.mixing.unflatten(-1, (-1, n_emb))[self._degrees]
        return torch.einsum("lsrin,lsnmr->lsimr", raw, mixing) * receiver[:, None]

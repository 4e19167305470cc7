r"""Sums over neighbors of radial × angular functions, weighted by the neighbor.

.. math::
    A_{i,snl} = \sum_{j} \theta_{js} R_n(r_{ij}) Y_l(\hat{\mathbf{r}}_{ij})

The sum contains only the few channels of the sender; factors of the receiver are multiplied
afterward. Per atom it is one small matrix product, (s n × neighbors) · (neighbors × l), and all
atoms together are one batched product over neighbor slots padded to the largest neighborhood.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from ase_les.graph import Graph, edge_vectors
from ase_les.representation.angular import Monomials
from ase_les.representation.radial import BesselBasis


class Neighborhoods(NamedTuple):
    """Edges in K slots per atom; unused slots lie outside the cutoff and do not contribute.

    ``vectors`` (3, N, K) are receiver → sender in Å in the precision of the network,
    ``senders`` (N, K) are atom indices.
    """

    vectors: Tensor
    senders: Tensor

    def of_senders(self, values: Tensor, dim: int = -1) -> Tensor:
        """Return values of the senders for every edge: axis `dim` of length N becomes (N, K)."""
        dim = dim % values.dim()
        return values.index_select(dim, self.senders.flatten()).unflatten(dim, self.senders.shape)


def neighborhoods(
    graph: Graph, cutoff: float, dtype: torch.dtype, atoms: range | None = None
) -> Neighborhoods:
    """Return slots of edges shorter than `cutoff`; `atoms` is the range of their receivers."""
    atoms = range(graph.n_atoms) if atoms is None else atoms
    vectors = edge_vectors(graph)
    with torch.no_grad():
        # Edges in the skin of the neighbor list have zero weight: drop them.
        inside = (vectors * vectors).sum(1) < cutoff**2
        kept = torch.nonzero(inside).squeeze(1)
        receivers = graph.receivers[kept] - atoms.start
        counts = torch.bincount(receivers, minlength=len(atoms))
        width = max(int(counts.max()), 1)
        first = torch.cumsum(counts, 0) - counts
        slot = torch.arange(len(kept), device=kept.device) - first[receivers]
        slot = slot + receivers * width
        # Slots without an edge refer to the extra last vector, which is longer than the cutoff.
        edge_in_slot = torch.full((len(atoms) * width,), len(inside), device=kept.device)
        edge_in_slot[slot] = kept
        senders = torch.zeros_like(edge_in_slot)
        senders[slot] = graph.senders[kept]
    outside = vectors.new_full((1, 3), 2.0 * cutoff)
    padded = torch.cat([vectors, outside]).T.to(dtype).contiguous()[:, edge_in_slot]
    return Neighborhoods(
        vectors=padded.view(3, len(atoms), width), senders=senders.view(len(atoms), width)
    )


def lengths(vectors: Tensor) -> Tensor:
    """Lengths of vectors (3, ...)."""
    # torch.linalg.vector_norm is fifty times slower along the first axis.
    return (vectors * vectors).sum(0).sqrt()


class NeighborSum(nn.Module):
    """Reference definition in plain tensor operations, differentiable to any order (training)."""

    def __init__(self, radial: BesselBasis, angular: Monomials):
        super().__init__()
        self.radial = radial
        self.angular = angular

    def forward(self, vectors: Tensor, weights: Tensor) -> Tensor:
        """Return sums (n_l, n_s, N, n_radial).

        Parameters
        ----------
        vectors : Tensor, shape (3, N, K)
            Receiver → sender, in Å.
        weights : Tensor, shape (n_s, N, K) or (n_degrees, n_s, N, K)
            Weight of each sender; may differ between the degrees of the
            angular functions.
        """
        distances = lengths(vectors)
        radial = self.radial(distances)
        angular = self.angular(vectors / distances)
        return _contract(radial, angular, weights, self.angular)


class AnalyticNeighborSum(NeighborSum):
    """Neighbor sum with hand-written derivatives in both directions, for inference.

    Once differentiable.
    """

    def forward(self, vectors: Tensor, weights: Tensor) -> Tensor:
        return _AnalyticSum.apply(vectors, weights, self.radial, self.angular)


def _groups(angular: Tensor, weights: Tensor, functions: Monomials) -> list[tuple[Tensor, Tensor]]:
    """Angular functions that share their weights, with these weights (n_s, N, K)."""
    if weights.dim() == 3:
        return [(angular, weights)]
    rows = functions.of_degree
    return [(angular[some], weight) for some, weight in zip(rows, weights, strict=True)]


def _contract(radial: Tensor, angular: Tensor, weights: Tensor, functions: Monomials) -> Tensor:
    parts = [_product(radial, *group) for group in _groups(angular, weights, functions)]
    return parts[0] if len(parts) == 1 else torch.cat(parts)


def _product(radial: Tensor, angular: Tensor, weights: Tensor) -> Tensor:
    n_radial, n_atoms, width = radial.shape
    n_weights = weights.shape[0]
    weighted = (weights[:, None] * radial).view(n_weights * n_radial, n_atoms, width)
    # (N, s n, K) · (N, K, l): one matrix product per atom, read in place without copies.
    sums = torch.bmm(weighted.transpose(0, 1), angular.permute(1, 2, 0))
    return sums.view(n_atoms, n_weights, n_radial, -1).permute(3, 1, 0, 2)


class _AnalyticSum(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, vectors: Tensor, weights: Tensor, radial: BesselBasis, angular: Monomials
    ) -> Tensor:
        distances = lengths(vectors)
        unit = vectors / distances
        radial_values, radial_slopes = radial.value_and_slope(distances)
        angular_values = angular(unit)
        ctx.angular = angular
        saved = (distances, unit, weights, radial_values, radial_slopes, angular_values)
        ctx.save_for_backward(*saved)
        ctx.save_for_forward(*saved)
        return _contract(radial_values, angular_values, weights, angular)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor | None, None, None]:
        distances, unit, weights, radial, slopes, angular = ctx.saved_tensors
        groups = _groups(angular, weights, ctx.angular)
        gradients = gradient.split([len(functions) for functions, _ in groups])
        wants_weights = ctx.needs_input_grad[1]
        alongs, by_angular, by_weights = zip(
            *(
                _product_gradient(part, radial, slopes, *group, wants_weights)
                for part, group in zip(gradients, groups, strict=True)
            ),
            strict=True,
        )
        weights_gradient = None
        if wants_weights:
            weights_gradient = by_weights[0] if weights.dim() == 3 else torch.stack(by_weights)
        across = ctx.angular.pull_back(angular, torch.cat(by_angular))
        across = across / distances
        along = sum(alongs) - (across * unit).sum(0)
        return across.addcmul_(along, unit), weights_gradient, None, None

    @staticmethod
    def jvp(ctx: Any, rate: Tensor, weights_rate: Tensor | None, *_: None) -> Tensor:
        distances, unit, weights, radial, slopes, angular = ctx.saved_tensors
        along = (rate * unit).sum(0)
        angular_rate = ctx.angular.push_forward(angular, (rate - along * unit) / distances)
        result = _contract(slopes * along, angular, weights, ctx.angular)
        result = result + _contract(radial, angular_rate, weights, ctx.angular)
        if weights_rate is not None:
            result = result + _contract(radial, angular, weights_rate, ctx.angular)
        return result


def _product_gradient(
    gradient: Tensor,
    radial: Tensor,
    slopes: Tensor,
    angular: Tensor,
    weights: Tensor,
    wants_weights: bool,
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Gradients along the distance, by the angular values and by the weights of one group.

    Every edge has three factors. The sum over weights or angular functions, whichever are more
    numerous, is computed first as a matrix product.
    """
    gradient = gradient.permute(2, 1, 3, 0)
    if len(weights) > len(angular):
        return _weights_first(gradient, radial, slopes, angular, weights, wants_weights)
    return _angles_first(gradient, radial, slopes, angular, weights, wants_weights)


def _angles_first(
    gradient: Tensor,
    radial: Tensor,
    slopes: Tensor,
    angular: Tensor,
    weights: Tensor,
    wants_weights: bool,
) -> tuple[Tensor, Tensor, Tensor | None]:
    n_radial, n_atoms, width = radial.shape
    n_weights, n_angular = weights.shape[0], angular.shape[0]
    gradient = gradient.reshape(n_atoms, n_weights * n_radial, n_angular)

    by_radial = torch.bmm(gradient, angular.transpose(0, 1))
    by_radial = by_radial.view(n_atoms, n_weights, n_radial, width)
    by_weights = torch.einsum("isnk,nik->sik", by_radial, radial) if wants_weights else None
    by_function = by_radial[:, 0] * weights[0, :, None]
    for sender in range(1, n_weights):
        by_function.addcmul_(by_radial[:, sender], weights[sender, :, None])
    along = by_function.mul_(slopes.transpose(0, 1)).sum(1)

    weighted = (weights[:, None] * radial).view(n_weights * n_radial, n_atoms, width)
    by_angular = torch.bmm(gradient.transpose(1, 2), weighted.transpose(0, 1))
    return along, by_angular.transpose(0, 1), by_weights


def _weights_first(
    gradient: Tensor,
    radial: Tensor,
    slopes: Tensor,
    angular: Tensor,
    weights: Tensor,
    wants_weights: bool,
) -> tuple[Tensor, Tensor, Tensor | None]:
    n_radial, n_atoms, width = radial.shape
    n_weights, n_angular = weights.shape[0], angular.shape[0]
    gradient = gradient.reshape(n_atoms, n_weights, n_radial * n_angular)
    radial, slopes, angular = (values.permute(1, 2, 0) for values in (radial, slopes, angular))

    by_functions = torch.bmm(weights.permute(1, 2, 0), gradient)
    by_functions = by_functions.view(n_atoms, width, n_radial, n_angular)
    along = (torch.matmul(by_functions, angular[..., None])[..., 0] * slopes).sum(2)
    by_angular = torch.matmul(radial[:, :, None], by_functions)[:, :, 0]

    by_weights = None
    if wants_weights:
        functions = (radial[..., None] * angular[:, :, None]).view(n_atoms, width, -1)
        by_weights = torch.bmm(functions, gradient.transpose(1, 2)).permute(2, 0, 1)
    return along, by_angular.permute(2, 0, 1), by_weights

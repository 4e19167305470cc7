r"""Cartesian angular functions of an edge, and rotation invariants of their sums.

An angular index is a triple :math:`\mathbf{l} = (l_x, l_y, l_z)` of degree
:math:`|\mathbf{l}| = l_x + l_y + l_z`; its function is the monomial
:math:`\hat x^{l_x} \hat y^{l_y} \hat z^{l_z}` of the unit vector. With
:math:`C(\mathbf{l}) = |\mathbf{l}|! / (l_x!\, l_y!\, l_z!)` and the sum over neighbors
:math:`A_\mathbf{l}`, all invariants are built from the contractions

.. math::
    T^{L}_{\mathbf{d}} = \sum_{|\mathbf{l}| = L}
        C(\mathbf{l})\, A_\mathbf{l} A_{\mathbf{l}+\mathbf{d}}

of body order three, symmetric tensors of degree :math:`D = |\mathbf{d}|`:

====================  ===================================================  =====================
Invariant             Formula                                              For
====================  ===================================================  =====================
:math:`\nu = 1`       :math:`A_0`
:math:`\nu = 2`       :math:`T^{L}_0`                                      L ≥ 1
:math:`\nu = 3`       :math:`\sum_{|d|=L_1} C(d) A_d T^{L_2}_d`            1 ≤ L₁ ≤ L₂
:math:`\nu = 4`       :math:`\sum_{|d|=D} C(d) T^{L_1}_d T^{L_2}_d`        1 ≤ L₁ < L₂, D ≥ 1
====================  ===================================================  =====================

References
----------
.. [1] B. Cheng, npj Comput. Mater. 10, 157 (2024) [CACE].
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from ase_les.representation.weighted_products import Rows, WeightedProducts

Triple = tuple[int, int, int]


def angular_indices(l_max: int) -> list[Triple]:
    """Return all triples up to degree `l_max`, sorted by degree, then x before y before z."""
    return [triple for degree in range(l_max + 1) for triple in _of_degree(degree)]


def _of_degree(degree: int) -> list[Triple]:
    return [
        (x, y, degree - x - y) for x in range(degree, -1, -1) for y in range(degree - x, -1, -1)
    ]


def _multiplicity(triple: Triple) -> float:
    return math.factorial(sum(triple)) / math.prod(map(math.factorial, triple))


def _plus(a: Triple, b: Triple) -> Triple:
    return (a[0] + b[0], a[1] + b[1], a[2] + b[2])


class Monomials(nn.Module):
    """Values of all monomials up to degree `l_max` of unit vectors.

    Each monomial is a monomial of the next lower degree times one component: one
    product per function.
    """

    _raised: Tensor
    _powers: Tensor

    def __init__(self, l_max: int):
        super().__init__()
        self.l_max = l_max
        self.triples = angular_indices(l_max)
        position = {triple: index for index, triple in enumerate(self.triples)}
        starts = [position[(degree, 0, 0)] for degree in range(l_max + 1)]
        #: Positions of the functions of each degree.
        self.of_degree = [
            slice(*bounds) for bounds in zip(starts, [*starts[1:], len(position)], strict=True)
        ]
        self._parents: list[tuple[int, int]] = []
        for triple in self.triples[1:]:
            axis = next(axis for axis in range(3) if triple[axis])
            x, y, z = (power - (component == axis) for component, power in enumerate(triple))
            self._parents.append((position[(x, y, z)], axis))
        # ∂/∂x of (lx, ly, lz) is lx times (lx-1, ly, lz): conversely, every monomial of lower
        # degree appears once in the gradient of one monomial of each axis.
        lower_triples = angular_indices(l_max - 1) if l_max else []
        raised = [
            [_plus(triple, axis) for triple in lower_triples]
            for axis in ((1, 0, 0), (0, 1, 0), (0, 0, 1))
        ]
        self.register_buffer(
            "_raised",
            torch.tensor([[position[t] for t in row] for row in raised], dtype=torch.int64).view(
                3, -1
            ),
            persistent=False,
        )
        self.register_buffer(
            "_powers",
            torch.tensor([[float(t[axis]) for t in row] for axis, row in enumerate(raised)]).view(
                3, -1
            ),
            persistent=False,
        )

    def forward(self, unit: Tensor) -> Tensor:
        """Values for unit vectors (3, ...); functions are the first axis, (n_l, ...)."""
        values = [torch.ones_like(unit[0])]
        for parent, axis in self._parents:
            values.append(values[parent] * unit[axis] if parent else unit[axis])
        return torch.stack(values)

    def push_forward(self, values: Tensor, rate: Tensor) -> Tensor:
        """Return the rate of the values (n_l, ...) for a rate of the unit vectors (3, ...)."""
        lower = values[: self._raised.shape[1]]
        result = torch.zeros_like(values)
        for axis in range(3):
            powers = self._powers[axis].view(-1, *[1] * (values.dim() - 1))
            result.index_add_(0, self._raised[axis], powers * lower * rate[axis])
        return result

    def pull_back(self, values: Tensor, gradient: Tensor) -> Tensor:
        """Gradient with respect to the unit vectors (3, ...) from that of the values (n_l, ...)."""
        lower = values[: self._raised.shape[1]]
        powers = self._powers.view(3, -1, *[1] * (values.dim() - 1))
        return torch.stack(
            [
                (gradient[raised] * (power * lower)).sum(0)
                for raised, power in zip(self._raised, powers, strict=True)
            ]
        )


class Invariants(nn.Module):
    """Rotation-invariant polynomials of the neighbor sums, up to body order `nu_max` + 1.

    Parameters
    ----------
    l_max : int
        Largest degree of the angular functions.
    nu_max : int
        1 to 4.
    """

    def __init__(self, l_max: int, nu_max: int):
        super().__init__()
        triples = angular_indices(l_max)
        position = {triple: index for index, triple in enumerate(triples)}
        nu3 = [(a, b) for a in range(1, l_max) for b in range(a, l_max - a + 1) if nu_max >= 3]
        nu4 = [
            (a, b, d)
            for a in range(1, l_max)
            for b in range(a + 1, l_max)
            for d in range(1, l_max - b + 1)
            if nu_max >= 4
        ]
        # The tensors T^L_d in use, and the positions of their components after the sums.
        used = {(b, a) for a, b in nu3}
        used |= {(degree, d) for a, b, d in nu4 for degree in (a, b)}
        tensors = [(degree, d) for degree, rank in sorted(used) for d in _of_degree(rank)]
        row_of = {key: row for row, key in enumerate(tensors, start=len(triples))}

        def contractions(wanted: list[tuple[int, Triple]]) -> WeightedProducts:
            return WeightedProducts(
                [
                    (position[low], position[_plus(low, d)], row, _multiplicity(low))
                    for row, (degree, d) in enumerate(wanted)
                    for low in _of_degree(degree)
                ],
                len(wanted),
            )

        # The last step: products of a tensor with A or with another tensor, summed over d.
        products = [
            (position[d], row_of[(b, d)], row, _multiplicity(d))
            for row, (a, b) in enumerate(nu3)
            for d in _of_degree(a)
        ] + [
            (row_of[(a, d)], row_of[(b, d)], row, _multiplicity(d))
            for row, (a, b, rank) in enumerate(nu4, start=len(nu3))
            for d in _of_degree(rank)
        ]
        degrees = range(1, l_max + 1) if nu_max >= 2 else ()
        self.squares = contractions([(degree, (0, 0, 0)) for degree in degrees])
        self.tensors = contractions(tensors)
        self.products = WeightedProducts(products, len(nu3) + len(nu4))
        self.n_invariants = 1 + self.squares.n_rows + self.products.n_rows

    def forward(self, sums: Tensor) -> Tensor:
        """Return invariants (n_invariants, M) of neighbor sums (n_l, M)."""
        rows = torch.cat([sums, self.tensors(sums)])
        return torch.cat([sums[:1], self.squares(sums), self.products(rows)])


class AnalyticInvariants(Invariants):
    """Invariants with hand-written derivatives in both directions, for inference.

    Once differentiable.
    """

    def forward(self, sums: Tensor) -> Tensor:
        return _AnalyticInvariants.apply(sums, self)

    def values(self, sums: Tensor) -> Tensor:
        """Return invariants (n_invariants, M) of sums (n_l, M)."""
        rows = self._with_tensors(sums)
        values = sums.new_zeros(self.n_invariants, sums.shape[1])
        values[0] = sums[0]
        squares, products = self._parts(values)
        self.squares.add_values(squares, rows)
        self.products.add_values(products, rows)
        return values

    def push_forward(self, sums: Tensor, rate: Tensor) -> Tensor:
        """Return the rate of the invariants for a rate of the sums (n_l, M)."""
        rows = self._with_tensors(sums)
        rates = [*rate, *sums.new_zeros(self.tensors.n_rows, sums.shape[1])]
        self.tensors.add_rates(rates[len(sums) :], rows, rates)
        result = sums.new_zeros(self.n_invariants, sums.shape[1])
        result[0] = rate[0]
        squares, products = self._parts(result)
        self.squares.add_rates(squares, rows, rates)
        self.products.add_rates(products, rows, rates)
        return result

    def pull_back(self, sums: Tensor, gradient: Tensor) -> Tensor:
        """Gradient with respect to the sums (n_l, M) from that of the invariants."""
        rows = self._with_tensors(sums)
        squares, products = self._parts(gradient)
        result = torch.zeros_like(sums)
        result[0] = gradient[0]
        gradients = [*result, *sums.new_zeros(self.tensors.n_rows, sums.shape[1])]
        self.products.add_gradients(gradients, rows, products)
        self.tensors.add_gradients(gradients, rows, gradients[len(sums) :])
        self.squares.add_gradients(gradients, rows, squares)
        return result

    def _with_tensors(self, sums: Tensor) -> Rows:
        tensors = sums.new_zeros(self.tensors.n_rows, sums.shape[1]).unbind()
        self.tensors.add_values(tensors, sums.unbind())
        return [*sums.unbind(), *tensors]

    def _parts(self, invariants: Tensor) -> tuple[Rows, Rows]:
        """Rows of the invariants of second order, and of those of higher order."""
        first = 1 + self.squares.n_rows
        return invariants[1:first].unbind(), invariants[first:].unbind()


# Columns per block: a block and its products fit into the cache of one core.
_BLOCK = 16384


class _AnalyticInvariants(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, sums: Tensor, invariants: AnalyticInvariants) -> Tensor:
        ctx.invariants = invariants
        ctx.save_for_backward(sums)
        ctx.save_for_forward(sums)
        values = sums.new_empty(invariants.n_invariants, sums.shape[1])
        for start in range(0, sums.shape[1], _BLOCK):
            block = slice(start, start + _BLOCK)
            values[:, block] = invariants.values(sums[:, block])
        return values

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (sums,) = ctx.saved_tensors
        result = torch.empty_like(sums)
        for start in range(0, sums.shape[1], _BLOCK):
            block = slice(start, start + _BLOCK)
            result[:, block] = ctx.invariants.pull_back(sums[:, block], gradient[:, block])
        return result, None

    @staticmethod
    def jvp(ctx: Any, rate: Tensor, _: None) -> Tensor:
        (sums,) = ctx.saved_tensors
        result = sums.new_empty(ctx.invariants.n_invariants, sums.shape[1])
        for start in range(0, sums.shape[1], _BLOCK):
            block = slice(start, start + _BLOCK)
            result[:, block] = ctx.invariants.push_forward(sums[:, block], rate[:, block])
        return result

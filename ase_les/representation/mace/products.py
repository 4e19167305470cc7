r"""Equivariant polynomials of the neighbor sums, with weights that depend on the element.

.. math::
    P_{M c}(A_i) = \sum_{\nu} \sum_k W^{(\nu)}_{z_i k c}
        \sum_{\mathbf{m}} U^{(\nu)}_{M k \mathbf{m}} A_{i m_1 c} \cdots A_{i m_\nu c}

Arrays of atoms are (components, N, C): every operation runs along atoms and channels at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import forward_ad
from torch.autograd.function import once_differentiable

from ase_les.representation.mace.couplings import Monomial, monomials, polynomials
from ase_les.representation.mace.harmonics import constants

#: Atoms of each element: its row in the weights, and the indices of the atoms.
Groups = Sequence[tuple[int, Tensor]]

_Factors = Sequence[tuple[int, int]]


def atoms_by_element(elements: Tensor) -> Groups:
    """Atoms of each element from the element rows (N,) of all atoms."""
    found = torch.unique(elements).tolist()
    if len(found) == 1:
        return [(found[0], torch.arange(len(elements), device=elements.device))]
    return [(row, torch.nonzero(elements == row).squeeze(1)) for row in found]


def mixed_by_element(values: Tensor, weights: Tensor, groups: Groups) -> Tensor:
    """Values (m, N, C) times the weights (elements, C, C') of the element of every atom."""
    if len(groups) == 1:
        return values @ weights[groups[0][0]]
    result = values.new_zeros(*values.shape[:2], weights.shape[-1])
    for row, atoms in groups:
        result = result.index_copy(1, atoms, values.index_select(1, atoms) @ weights[row])
    return result


class Basis(nn.Module):
    """Coefficients of the equivariant polynomials, by degree of the result and order.

    Parameters
    ----------
    l_max, l_result, correlation : int
        Largest degree of the factors and of the results, largest order.
    stored_paths : sequence of sequence of int
        Numbers of polynomials by degree and order if they are part of the weights; empty if
        they are computed.
    """

    def __init__(
        self,
        l_max: int,
        l_result: int,
        correlation: int,
        stored_paths: Sequence[Sequence[int]] = (),
    ):
        super().__init__()
        self.l_max = l_max
        self.is_stored = bool(stored_paths)
        self.n_paths = [
            [self._computed(order, degree).shape[2] for order in range(1, correlation + 1)]
            for degree in range(l_result + 1)
        ]
        if not self.is_stored:
            return
        if [len(row) for row in stored_paths] != [correlation] * (l_result + 1):
            raise ValueError(
                f"`stored_paths` needs {correlation} numbers for each of {l_result + 1} degrees, "
                f"got {stored_paths}"
            )
        self.n_paths = [list(row) for row in stored_paths]
        for degree, row in enumerate(stored_paths):
            for order, count in enumerate(row, start=1):
                shape = (*self._computed(order, degree).shape[:2], count)
                self.register_buffer(_name(order, degree), torch.zeros(shape))

    def _computed(self, order: int, degree: int) -> Tensor:
        return polynomials(self.l_max, order, degree)

    @property
    def is_single_precision(self) -> bool:
        """Whether the coefficients come from a file in single precision.

        Such polynomials are equivariant only within the rounding of the file.
        """
        return self.is_stored and all(
            torch.equal(table.float().to(table.dtype), table) for table in self.buffers()
        )

    def coefficients(self, order: int, degree: int, like: Tensor) -> Tensor:
        """Coefficients (monomials, 2 L + 1, n) in the precision of a tensor."""
        if self.is_stored:
            return getattr(self, _name(order, degree))
        return constants(polynomials, self.l_max, order, degree, like=like)


def _name(order: int, degree: int) -> str:
    return f"order_{order}_degree_{degree}"


class Products(nn.Module):
    """Polynomials of all degrees up to `l_result`, followed by a linear map of the channels.

    Parameters
    ----------
    n_paths : sequence of sequence of int
        Of the basis.
    """

    def __init__(
        self,
        l_max: int,
        l_result: int,
        correlation: int,
        n_elements: int,
        channels: int,
        n_paths: Sequence[Sequence[int]],
    ):
        super().__init__()
        self.l_max, self.l_result, self.correlation = l_max, l_result, correlation
        self.weights = nn.ParameterList(
            torch.randn(count, n_elements, channels) / max(count, 1)
            for degree in range(l_result + 1)
            for count in n_paths[degree][:correlation]
        )
        self.linear = nn.Parameter(torch.randn(l_result + 1, channels, channels) / channels**0.5)
        self.monomials = MonomialProducts(l_max, correlation, range(l_result + 1))

    def weight(self, order: int, degree: int) -> Tensor:
        """Weights (n, elements, C) of the polynomials of an order and a degree."""
        return self.weights[degree * self.correlation + order - 1]

    def forward(self, sums: Tensor, elements: Tensor, basis: Basis) -> list[Tensor]:
        """Results (2 L + 1, N, C) of every degree L from sums (n_lm, N, C)."""
        values = self._coefficients(basis, sums) @ self.monomials(sums.flatten(1))
        results, start = [], 0
        for degree in range(self.l_result + 1):
            weights = torch.cat(
                [self.weight(order, degree) for order in range(1, self.correlation + 1)]
            )
            size, count = 2 * degree + 1, len(weights)
            own = values[start : start + size * count].view(size, count, *sums.shape[1:])
            start += size * count
            result = (own * weights.index_select(1, elements)).sum(1)
            results.append(result @ self.linear[degree])
        return results

    def _coefficients(self, basis: Basis, like: Tensor) -> Tensor:
        """Return the coefficients (Σ (2 L + 1) n, rows) of all polynomials by all monomials."""
        parts = []
        for degree in range(self.l_result + 1):
            own = []
            for order in range(1, self.correlation + 1):
                given = basis.coefficients(order, degree, like)
                table = given.new_zeros(self.monomials.n_rows, *given.shape[1:])
                table[self.monomials.rows_of(order, degree)] = given
                own.append(table)
            parts.append(torch.cat(own, dim=2).flatten(1))
        return torch.cat(parts, dim=1).T


class MonomialProducts(nn.Module):
    """All monomials that occur, each once: pairs from components, triples from pairs."""

    def __init__(self, l_max: int, correlation: int, degrees: Sequence[int]):
        super().__init__()
        self.n_components = (l_max + 1) ** 2
        self._wanted = {
            (order, degree): monomials(l_max, order, degree)
            for order in range(1, correlation + 1)
            for degree in degrees
        }
        triples = _union(self._wanted, 3)
        pairs = sorted({*_union(self._wanted, 2), *(triple[:2] for triple in triples)})
        # Rows of the components, then the pairs, then the triples.
        self._rows: dict[Monomial, int] = {(i,): i for i in range(self.n_components)}
        for product in (*pairs, *triples):
            self._rows[product] = len(self._rows)
        self.n_rows = len(self._rows)
        #: Factors of every row after the components, which are earlier rows.
        self.factors = [
            (self._rows[product[:-1]], self._rows[product[-1:]]) for product in (*pairs, *triples)
        ]

    def rows_of(self, order: int, degree: int) -> list[int]:
        """Return the rows of the monomials of an order in polynomials of a degree."""
        return [self._rows[product] for product in self._wanted[order, degree]]

    def forward(self, sums: Tensor) -> Tensor:
        """Monomials (n_rows, M) of sums (n_lm, M)."""
        if not has_tangent(sums):
            return _Monomials.apply(sums, self.factors)
        rows = list(sums.unbind())
        for a, b in self.factors:
            rows.append(rows[a] * rows[b])
        return torch.stack(rows)


class _Monomials(torch.autograd.Function):
    """Rows that are products of two earlier rows; twice differentiable."""

    @staticmethod
    def forward(ctx: Any, sums: Tensor, factors: _Factors) -> Tensor:
        ctx.factors = factors
        rows = sums.new_empty(len(sums) + len(factors), sums.shape[1])
        rows[: len(sums)] = sums
        row = rows.unbind()
        for target, (a, b) in zip(row[len(sums) :], factors, strict=True):
            torch.mul(row[a], row[b], out=target)
        ctx.save_for_backward(sums, rows)
        return rows

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        sums, rows = ctx.saved_tensors
        return _MonomialGradients.apply(sums, gradient, rows.detach(), ctx.factors), None


class _MonomialGradients(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, sums: Tensor, by_rows: Tensor, rows: Tensor, factors: _Factors) -> Tensor:
        ctx.factors = factors
        ctx.save_for_backward(by_rows, rows)
        return _pulled_back(by_rows, rows, factors)[: len(sums)].clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, rate: Tensor) -> tuple[Tensor, Tensor, None, None]:
        """Rates of all rows, and of the gradients, when the sums change at a rate."""
        by_rows, rows = ctx.saved_tensors
        n, factors = len(rate), ctx.factors
        n_pairs = 1 + max((a for a, _ in factors), default=0)
        rates = rows.new_empty(rows.shape)
        rates[:n] = rate
        row, moved = rows.unbind(), rates.unbind()
        for target, (a, b) in zip(moved[n:], factors, strict=True):
            torch.mul(moved[a], row[b], out=target).addcmul_(row[a], moved[b])
        total = _pulled_back(by_rows, rows, factors).unbind()
        changes = torch.zeros_like(rows)
        change = changes.unbind()
        for place in reversed(range(n, len(row))):
            a, b = factors[place - n]
            change[a].addcmul_(total[place], moved[b])
            change[b].addcmul_(total[place], moved[a])
            # Triples are not factors of other rows: their gradients do not change.
            if place < n_pairs:
                change[a].addcmul_(change[place], row[b])
                change[b].addcmul_(change[place], row[a])
        return changes[:n].clone(), rates, None, None


def _pulled_back(by_rows: Tensor, rows: Tensor, factors: _Factors) -> Tensor:
    """Return gradients with respect to all rows, including contributions from their products."""
    totals = by_rows.clone()
    row, total = rows.unbind(), totals.unbind()
    for place in reversed(range(len(row) - len(factors), len(row))):
        a, b = factors[place - len(row) + len(factors)]
        total[a].addcmul_(total[place], row[b])
        total[b].addcmul_(total[place], row[a])
    return totals


def has_tangent(values: Tensor) -> bool:
    """Return whether values carry a forward-mode derivative (no hand-written gradients)."""
    return forward_ad.unpack_dual(values).tangent is not None


def _union(wanted: dict[tuple[int, int], tuple[Monomial, ...]], order: int) -> list[Monomial]:
    return sorted({m for (own, _), products in wanted.items() if own == order for m in products})

r"""Equivariant polynomials of the neighbor sums, with weights that depend on the element.

.. math::
    P_{M c}(A_i) = \sum_{\nu} \sum_k W^{(\nu)}_{z_i k c}
        \sum_{\mathbf{m}} U^{(\nu)}_{M k \mathbf{m}} A_{i m_1 c} \cdots A_{i m_\nu c}

Arrays of atoms are (components, N, C): every operation runs along atoms and channels at once.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.autograd import forward_ad

from ase_les.representation.mace.couplings import Monomial, monomials, polynomials
from ase_les.representation.mace.harmonics import constants
from ase_les.representation.weighted_products import WeightedProducts

#: Atoms of each element: its row in the weights, and the indices of the atoms.
Groups = Sequence[tuple[int, Tensor]]


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
        Numbers of polynomials by degree and order where they belong to the weights; empty where
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
    l_max, l_result, correlation : int
    n_elements, channels : int
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
        products = self.monomials(sums.flatten(1))
        results = []
        for degree in range(self.l_result + 1):
            result = sums.new_zeros(2 * degree + 1, *sums.shape[1:])
            for order in range(1, self.correlation + 1):
                coefficients = basis.coefficients(order, degree, sums)
                values = coefficients.flatten(1).T @ products[order, degree]
                values = values.view(2 * degree + 1, -1, *sums.shape[1:])
                weight = self.weight(order, degree).index_select(1, elements)
                result = result + (values * weight).sum(1)
            results.append(result @ self.linear[degree])
        return results


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
        self.rows: dict[Monomial, int] = {(i,): i for i in range(self.n_components)}
        for product in (*pairs, *triples):
            self.rows[product] = len(self.rows)
        self.pairs = WeightedProducts(
            [(a, b, row, 1.0) for row, (a, b) in enumerate(pairs)], len(pairs)
        )
        self.triples = WeightedProducts(
            [(self.rows[a, b], c, row, 1.0) for row, (a, b, c) in enumerate(triples)],
            len(triples),
        )
        for (order, degree), products in self._wanted.items():
            index = torch.tensor([self.rows[product] for product in products], dtype=torch.int64)
            self.register_buffer(f"_rows_{order}_{degree}", index, persistent=False)

    def forward(self, sums: Tensor) -> dict[tuple[int, int], Tensor]:
        """Monomials (n, M) of sums (n_lm, M) by order and degree."""
        rows = torch.cat([sums, _products(self.pairs, sums)])
        if self.triples.n_rows:
            rows = torch.cat([rows, _products(self.triples, rows)])
        return {
            key: rows.index_select(0, getattr(self, f"_rows_{key[0]}_{key[1]}"))
            for key in self._wanted
        }


def has_tangent(values: Tensor) -> bool:
    """Return whether values carry a forward-mode derivative (no hand-written gradients)."""
    return forward_ad.unpack_dual(values).tangent is not None


def _products(products: WeightedProducts, rows: Tensor) -> Tensor:
    if not has_tangent(rows):
        return products(rows)
    index = [list(factors) for factors in zip(*(term[:2] for term in products.terms), strict=True)]
    return rows[index[0]] * rows[index[1]] if index else rows[:0]


def _union(wanted: dict[tuple[int, int], tuple[Monomial, ...]], order: int) -> list[Monomial]:
    return sorted({m for (own, _), products in wanted.items() if own == order for m in products})

"""Equivariant polynomials with hand-written gradients, for inference.

The basis computed here is sparse: few monomials per polynomial. Polynomials of a stored basis,
which is larger and linearly dependent, are expressed in it; the difference is the rounding of the
file.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from ase_les.kernels.library import Kernels
from ase_les.kernels.mace import COLUMNS, Polynomials
from ase_les.representation.mace.couplings import Monomial, monomials, polynomials
from ase_les.representation.mace.products import Basis, Products
from ase_les.representation.weighted_products import Rows, WeightedProducts

_NEGLIGIBLE = 1e-10

# Atoms per block, so that memory does not grow with the structure.
_BLOCK = 256


class _Layout(NamedTuple):
    """Rows (components, pairs, ones) and the terms of all polynomials, by degree and component."""

    pairs: WeightedProducts
    terms: WeightedProducts
    n_paths: list[int]


class AnalyticProducts(nn.Module):
    """Products of one layer with constant weights."""

    def __init__(self, products: Products, basis: Basis):
        super().__init__()
        self.l_result = products.l_result
        self.layout = _layout(products.l_max, products.correlation, products.l_result)
        self.n_components = (products.l_max + 1) ** 2
        self.linear = products.linear
        for degree in range(products.l_result + 1):
            weights = _weights(products, basis, degree)
            self.register_buffer(f"weights_{degree}", weights, persistent=False)
        self.kernels: Polynomials | None = None

    def use_kernels(self, kernels: Kernels) -> None:
        """Switch to kernels for the polynomials, if they support the number of channels."""
        if self.linear.shape[1] % COLUMNS:
            return
        self.kernels = Polynomials(
            kernels,
            self.n_components,
            [term[:2] for term in self.layout.pairs.terms],
            self.layout.terms.terms,
            [getattr(self, f"weights_{degree}") for degree in range(self.l_result + 1)],
        )

    def forward(self, sums: Tensor, elements: Tensor) -> list[Tensor]:
        """Results (2 L + 1, N, C) of every degree L from sums (n_lm, N, C)."""
        if self.kernels is not None:
            values = self.kernels(sums, elements)
        else:
            values = PolynomialValues.apply(sums, self, elements)
        sizes = [2 * degree + 1 for degree in range(self.l_result + 1)]
        return [part @ self.linear[n] for n, part in enumerate(values.split(sizes))]

    def of_elements(self, degree: int, elements: Tensor) -> Tensor:
        """Return the weights (n, n_atoms · C) of the polynomials of a degree."""
        return getattr(self, f"weights_{degree}").index_select(1, elements).flatten(1)

    def fill_pairs(self, rows: Sequence[Tensor]) -> None:
        """Compute the pairs among rows of components, pairs and ones."""
        pairs = rows[self.n_components : -1]
        for a, b, row, _ in self.layout.pairs.terms:
            torch.mul(rows[a], rows[b], out=pairs[row])

    def blocks(self, sums: Tensor) -> Iterator[tuple[slice, Tensor]]:
        """Blocks of atoms, each with its rows (n_rows, n · C): components, pairs and ones."""
        n_atoms, channels = sums.shape[1:]
        size = min(_BLOCK, n_atoms)
        n_rows = self.n_components + self.layout.pairs.n_rows + 1
        for start in range(0, n_atoms, size):
            block = slice(start, min(start + size, n_atoms))
            rows = sums.new_empty(n_rows, (block.stop - start) * channels)
            rows[: self.n_components] = sums[:, block].flatten(1)
            rows[-1] = 1.0
            self.fill_pairs(rows.unbind())
            yield block, rows


class PolynomialValues(torch.autograd.Function):
    """Weighted polynomials of all degrees, (Σ (2 L + 1), N, C), from sums (n_lm, N, C)."""

    @staticmethod
    def forward(ctx: Any, sums: Tensor, products: AnalyticProducts, elements: Tensor) -> Tensor:
        ctx.products = products
        ctx.save_for_backward(sums, elements)
        layout = products.layout
        result = sums.new_empty((products.l_result + 1) ** 2, *sums.shape[1:])
        for block, rows in products.blocks(sums):
            values = rows.new_zeros(layout.terms.n_rows, rows.shape[1])
            add_values(layout.terms, values.unbind(), rows.unbind())
            start, component = 0, 0
            for degree, count in enumerate(layout.n_paths):
                weights = products.of_elements(degree, elements[block])
                for _ in range(2 * degree + 1):
                    weighted = (values[start : start + count] * weights).sum(0)
                    result[component, block] = weighted.view(-1, sums.shape[2])
                    start, component = start + count, component + 1
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        products, (sums, elements) = ctx.products, ctx.saved_tensors
        layout, n = products.layout, products.n_components
        result = torch.empty_like(sums)
        for block, rows in products.blocks(sums):
            own = gradient[:, block].flatten(1)
            by_values: list[Tensor] = []
            component = 0
            for degree in range(len(layout.n_paths)):
                weights = products.of_elements(degree, elements[block])
                for _ in range(2 * degree + 1):
                    by_values += (weights * own[component]).unbind()
                    component += 1
            by_rows = torch.zeros_like(rows)
            gradients, given = by_rows.unbind(), rows.unbind()
            add_gradients(layout.terms, gradients, given, by_values)
            add_gradients(layout.pairs, gradients[:n], given[:n], gradients[n:-1])
            result[:, block] = by_rows[:n].view(n, -1, sums.shape[2])
        return result, None, None


def add_values(products: WeightedProducts, values: Rows, rows: Rows) -> None:
    """Add the sums of products of rows to values, all in one call."""
    if not products.terms:
        return
    first, second, targets, weights = zip(*products.terms, strict=True)
    torch._foreach_addcmul_(
        [values[row] for row in targets],
        [rows[row] for row in first],
        [rows[row] for row in second],
        list(weights),
    )


def add_gradients(
    products: WeightedProducts, gradients: Rows, rows: Rows, gradients_by_values: Rows
) -> None:
    """Add gradients with respect to the rows from those of the values, all in one call."""
    if not products.terms:
        return
    first, second, targets, weights = zip(*products.terms, strict=True)
    torch._foreach_addcmul_(
        [gradients[row] for row in (*first, *second)],
        [gradients_by_values[row] for row in (*targets, *targets)],
        [rows[row] for row in (*second, *first)],
        [*weights, *weights],
    )


def _layout(l_max: int, correlation: int, l_result: int) -> _Layout:
    n_components = (l_max + 1) ** 2
    triples = {
        factors
        for degree in range(l_result + 1)
        for factors in (monomials(l_max, 3, degree) if correlation == 3 else ())
    }
    pairs = sorted({factors[:2] for factors in triples})
    place: dict[Monomial, int] = {(n,): n for n in range(n_components)}
    place |= {pair: n_components + row for row, pair in enumerate(pairs)}
    ones = n_components + len(pairs)

    def factors_of(monomial: Monomial) -> tuple[int, int]:
        if len(monomial) == 1:
            return place[monomial], ones
        return place[monomial[:-1]], place[monomial[-1:]]

    terms, row, n_paths = [], 0, []
    for degree in range(l_result + 1):
        tables = [polynomials(l_max, order, degree) for order in range(1, correlation + 1)]
        for component in range(2 * degree + 1):
            for order, table in enumerate(tables, start=1):
                for path in range(table.shape[2]):
                    column = table[:, component, path].tolist()
                    for factors, value in zip(monomials(l_max, order, degree), column, strict=True):
                        if abs(value) > _NEGLIGIBLE:
                            terms.append((*factors_of(factors), row, value))
                    row += 1
        n_paths.append(sum(table.shape[2] for table in tables))
    products = [(a, b, number, 1.0) for number, (a, b) in enumerate(pairs)]
    return _Layout(WeightedProducts(products, len(pairs)), WeightedProducts(terms, row), n_paths)


def _weights(products: Products, basis: Basis, degree: int) -> Tensor:
    """Return weights (n, elements, C) of the polynomials of the computed basis."""
    parts = []
    for order in range(1, products.correlation + 1):
        given = products.weight(order, degree).detach()
        if basis.is_stored:
            stored = basis.coefficients(order, degree, given).detach().double().flatten(0, 1)
            own = polynomials(products.l_max, order, degree).to(stored.device).flatten(0, 1)
            change = torch.linalg.lstsq(own, stored).solution
            given = torch.einsum("nk,kec->nec", change, given.double()).to(given.dtype)
        parts.append(given)
    return torch.cat(parts)

"""Sums of products differentiate to any order, as training on forces and on Born charges asks."""

from __future__ import annotations

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

from ase_les.representation.weighted_products import WeightedProducts

# Squares, products of different rows, and two terms in one row of the result.
TERMS = [(0, 0, 0, 1.0), (1, 2, 0, -3.0), (2, 1, 1, 0.5), (3, 3, 1, 2.0), (0, 3, 2, 1.5)]


@pytest.fixture
def rows():
    generator = torch.Generator().manual_seed(3)
    return torch.randn(4, 5, generator=generator, dtype=torch.float64, requires_grad=True)


def test_every_row_is_the_sum_of_its_terms(rows):
    values = WeightedProducts(TERMS, 3)(rows)
    expected = torch.zeros(3, 5, dtype=torch.float64)
    for a, b, row, weight in TERMS:
        expected[row] += weight * rows[a] * rows[b]
    torch.testing.assert_close(values, expected, rtol=1e-14, atol=0)


def test_derivatives_are_those_of_finite_differences_up_to_the_third(rows):
    products = WeightedProducts(TERMS, 3)

    def slope(x):
        (gradient,) = torch.autograd.grad(products(x).pow(3).sum(), x, create_graph=True)
        return gradient

    assert gradcheck(products, rows)
    assert gradgradcheck(products, rows)
    assert gradgradcheck(slope, rows)


def test_products_without_terms_are_no_rows(rows):
    values = WeightedProducts([], 0)(rows)
    assert values.shape == (0, 5)
    assert torch.autograd.grad(values.sum(), rows)[0].abs().max() == 0

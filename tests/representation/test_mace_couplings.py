"""Harmonics, couplings and polynomials follow rotations as they must."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.stats import special_ortho_group

from ase_les.representation.mace import couplings
from ase_les.representation.mace.couplings import (
    coupled_degrees,
    gaunt,
    monomials,
    polynomials,
)
from ase_les.representation.mace.harmonics import SphericalHarmonics, of_degree

L_MAX = 3
DEGREES = of_degree(L_MAX)


def unit_vectors(n: int, seed: int = 0) -> torch.Tensor:
    vectors = torch.randn(3, n, generator=torch.Generator().manual_seed(seed)).double()
    return vectors / vectors.norm(dim=0)


def rotation(seed: int) -> torch.Tensor:
    return torch.tensor(special_ortho_group.rvs(3, random_state=seed))


def turned(degree: int, turn: torch.Tensor) -> torch.Tensor:
    """Matrix D with Y(R r) = D Y(r), solved from values of the harmonics."""
    points = unit_vectors(40)
    harmonics = SphericalHarmonics(L_MAX)
    before = harmonics(points)[DEGREES[degree]]
    after = harmonics(turn @ points)[DEGREES[degree]]
    return torch.linalg.lstsq(before.T, after.T).solution.T


def test_degree_one_is_the_vector_itself():
    points = unit_vectors(5)
    torch.testing.assert_close(SphericalHarmonics(1)(points)[1:], math.sqrt(3) * points)


def test_low_degrees_are_the_polynomials_of_the_literature():
    # Axis order y, z, x: the component m = 0 belongs to y.
    x, y, z = points = unit_vectors(7)
    values = SphericalHarmonics(3)(points)
    torch.testing.assert_close(values[4], math.sqrt(15) * x * z)
    torch.testing.assert_close(values[6], math.sqrt(5) / 2 * (3 * y**2 - 1))
    torch.testing.assert_close(values[8], math.sqrt(15) / 2 * (z**2 - x**2))
    torch.testing.assert_close(values[12], math.sqrt(7) / 2 * (5 * y**3 - 3 * y))


@pytest.mark.parametrize("degree", range(L_MAX + 1))
def test_squares_of_a_degree_sum_to_its_multiplicity(degree):
    values = SphericalHarmonics(L_MAX)(unit_vectors(6))[DEGREES[degree]]
    torch.testing.assert_close((values**2).sum(0), torch.full((6,), 2.0 * degree + 1).double())


def test_different_harmonics_are_orthogonal_on_the_sphere():
    heights, weights = np.polynomial.legendre.leggauss(12)
    angles = np.arange(24) * np.pi / 12
    height, angle = (grid.ravel() for grid in np.meshgrid(heights, angles, indexing="ij"))
    ring = np.sqrt(1 - height**2)
    points = torch.tensor(np.stack([ring * np.cos(angle), ring * np.sin(angle), height]))
    values = SphericalHarmonics(L_MAX)(points)
    overlap = (values * torch.tensor(np.repeat(weights, 24) / 48)) @ values.T
    torch.testing.assert_close(overlap, torch.eye(16).double(), atol=1e-13, rtol=0)


def test_derivatives_of_harmonics_are_those_of_automatic_differentiation():
    points = unit_vectors(4).requires_grad_(True)
    harmonics = SphericalHarmonics(L_MAX)
    weights = torch.randn(16, 4, generator=torch.Generator().manual_seed(1)).double()
    values = harmonics(points)
    (expected,) = torch.autograd.grad((weights * values).sum(), points)
    torch.testing.assert_close(harmonics.pull_back(values.detach(), weights), expected)
    rate = unit_vectors(4, seed=2)
    _, along = torch.autograd.functional.jvp(harmonics, (points.detach(),), (rate,))
    torch.testing.assert_close(harmonics.push_forward(values.detach(), rate), along)


@pytest.mark.parametrize("degrees", coupled_degrees(L_MAX, 2))
def test_couplings_follow_rotations_and_have_norm_one(degrees):
    turn = rotation(3)
    coupling = gaunt(*degrees)
    assert float(coupling.norm()) == pytest.approx(1.0)
    matrices = [turned(degree, turn) for degree in degrees]
    rotated = torch.einsum("abc,ia,jb,kc->ijk", coupling, *matrices)
    torch.testing.assert_close(rotated, coupling, atol=1e-12, rtol=0)


def test_degrees_of_unnatural_parity_do_not_couple():
    with pytest.raises(ValueError, match=r"degrees \(1, 1, 1\) do not couple"):
        gaunt(1, 1, 1)


def evaluated(order: int, degree: int, sums: torch.Tensor) -> torch.Tensor:
    """Polynomials (2 L + 1, n) of sums (16,)."""
    products = torch.stack([sums[list(m)].prod() for m in monomials(L_MAX, order, degree)])
    return torch.einsum("p,pmk->mk", products, polynomials(L_MAX, order, degree))


@pytest.mark.parametrize("degree", range(3))
@pytest.mark.parametrize("order", range(1, 4))
def test_polynomials_turn_as_their_degree(order, degree):
    turn = rotation(5)
    sums = torch.randn(16, generator=torch.Generator().manual_seed(order)).double()
    rotated = torch.cat([turned(n, turn) @ sums[DEGREES[n]] for n in range(L_MAX + 1)])
    torch.testing.assert_close(
        evaluated(order, degree, rotated),
        turned(degree, turn) @ evaluated(order, degree, sums),
        atol=1e-11,
        rtol=0,
    )


# Numbers of monomials of published U matrices once symmetrized (shared/MACE.md).
@pytest.mark.parametrize(
    ("degree", "order", "n_monomials"), [(0, 1, 1), (0, 2, 16), (0, 3, 77), (1, 1, 3), (1, 2, 35)]
)
def test_as_many_monomials_occur_as_in_published_models(degree, order, n_monomials):
    assert len(monomials(L_MAX, order, degree)) == n_monomials


def test_polynomials_of_order_two_are_one_for_every_pair_of_degrees_that_couples():
    for degree in range(3):
        pairs = [(a, b, c) for a, b, c in coupled_degrees(L_MAX, L_MAX) if c == degree and a <= b]
        assert polynomials(L_MAX, 2, degree).shape[2] == len(pairs)


def test_polynomials_are_linearly_independent():
    coefficients = polynomials(L_MAX, 3, 0).flatten(0, 1)
    assert torch.linalg.matrix_rank(coefficients) == coefficients.shape[1]


@pytest.mark.parametrize(("order", "degree"), [(2, 0), (3, 0), (3, 1)])
def test_polynomials_do_not_depend_on_the_eigenvectors_of_the_library(order, degree, monkeypatch):
    """Weights refer to one basis; libraries, processors and threads give different ones."""
    expected = polynomials(3, order, degree)
    eigenvectors = couplings.eigh
    random = np.random.default_rng(5)

    def turned(matrix):
        values, vectors = eigenvectors(matrix)
        space = values < 1e-10 * max(values[-1], 1.0)
        if (count := int(space.sum())) > 1:
            vectors[:, space] = vectors[:, space] @ special_ortho_group.rvs(
                count, random_state=random
            )
        return values, -vectors

    monkeypatch.setattr(couplings, "eigh", turned)
    found = couplings._polynomials.__wrapped__(3, order, degree)[1]
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)

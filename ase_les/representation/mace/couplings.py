r"""Couplings of spherical harmonics: Gaunt integrals and equivariant polynomials.

Three degrees of natural parity (:math:`l_1 + l_2 + l_3` even) couple by

.. math::
    C_{m_1 m_2 m_3} \propto \int Y_{l_1 m_1} Y_{l_2 m_2} Y_{l_3 m_3}\, \mathrm{d}\Omega,
    \qquad \sum C^2 = 1

Products of :math:`\nu` neighbor sums of degrees up to :math:`l_\mathrm{max}` are equivariant
polynomials: for every rotation :math:`R`,

.. math::
    P_M(D(R) A) = \sum_{M'} D^L_{M M'}(R)\, P_{M'}(A)

They are the null space of the generators of rotations, which act on the monomials of every
combination of degrees.
"""

from __future__ import annotations

from functools import cache
from itertools import combinations_with_replacement, groupby

import numpy as np
import torch
from scipy.linalg import eigh
from torch import Tensor

from ase_les.representation.mace.harmonics import SphericalHarmonics, of_degree

Monomial = tuple[int, ...]

# Exact for polynomials up to degree 2 · 8 − 1 in the polar direction: three degrees of 4 are 12.
_QUADRATURE = 8

# Coefficients smaller than this are round-off of the null space.
_ZERO = 1e-10

# Norm of the part of a projector's column, at most 1, that is not in the space of earlier ones:
# 0 within round-off, or a simple fraction.
_INDEPENDENT = 1e-4


@cache
def gaunt(first: int, second: int, third: int) -> Tensor:
    """Coupling (2 l₁ + 1, 2 l₂ + 1, 2 l₃ + 1) of three degrees, norm 1; float64."""
    degrees = (first, second, third)
    if sum(degrees) % 2 or 2 * max(degrees) > sum(degrees):
        raise ValueError(f"degrees {degrees} do not couple")
    values, weights = _on_sphere(max(degrees))
    parts = [values[of_degree(degree)[degree]] for degree in degrees]
    integral = torch.einsum("p,ap,bp,cp->abc", weights, *parts)
    return integral / integral.norm()


def _on_sphere(l_max: int) -> tuple[Tensor, Tensor]:
    """Return harmonics at quadrature points on the sphere, and the quadrature weights."""
    heights, of_height = np.polynomial.legendre.leggauss(_QUADRATURE)
    angles = np.arange(2 * _QUADRATURE) * np.pi / _QUADRATURE
    height, angle = (grid.ravel() for grid in np.meshgrid(heights, angles, indexing="ij"))
    radius = np.sqrt(1 - height**2)
    points = torch.from_numpy(np.stack([radius * np.cos(angle), radius * np.sin(angle), height]))
    weights = torch.from_numpy(np.repeat(of_height, len(angles)) / (2 * len(angles)))
    return SphericalHarmonics(l_max)(points), weights


def coupled_degrees(l_max: int, inputs: int) -> list[tuple[int, int, int]]:
    """All (l₁ ≤ `inputs`, l₂ ≤ `l_max`, l₃ ≤ `l_max`) that couple, by l₃, then l₁, then l₂."""
    return [
        (first, second, third)
        for third in range(l_max + 1)
        for first in range(inputs + 1)
        for second in range(l_max + 1)
        if (first + second + third) % 2 == 0 and abs(first - second) <= third <= first + second
    ]


@cache
def monomials(l_max: int, order: int, degree: int) -> tuple[Monomial, ...]:
    """Products of `order` components that occur in polynomials of a degree.

    Each is the sorted indices of its factors in the order of `SphericalHarmonics`.
    """
    return _polynomials(l_max, order, degree)[0]


def polynomials(l_max: int, order: int, degree: int) -> Tensor:
    """Coefficients (monomials, 2 L + 1, n) of a basis of equivariant polynomials; float64.

    Parameters
    ----------
    l_max : int
        Largest degree of the components.
    order : int
        Number of factors ν.
    degree : int
        Degree L of the result.
    """
    return _polynomials(l_max, order, degree)[1]


@cache
def _polynomials(l_max: int, order: int, degree: int) -> tuple[tuple[Monomial, ...], Tensor]:
    found: dict[Monomial, int] = {}
    columns = []
    for degrees in combinations_with_replacement(range(l_max + 1), order):
        if sum(degrees) % 2 != degree % 2:
            continue
        products, basis = _of_degrees(degrees, degree)
        for column in np.moveaxis(basis, -1, 0):
            used = np.flatnonzero(np.abs(column).max(axis=1) > _ZERO)
            for index in used:
                found.setdefault(products[index], len(found))
            columns.append([(products[index], column[index]) for index in used])
    order_of = {product: row for row, product in enumerate(sorted(found))}
    result = torch.zeros(len(order_of), 2 * degree + 1, len(columns), dtype=torch.float64)
    for number, column in enumerate(columns):
        for product, values in column:
            result[order_of[product], :, number] = torch.from_numpy(values)
    return tuple(order_of), result


def _of_degrees(degrees: tuple[int, ...], degree: int) -> tuple[list[Monomial], np.ndarray]:
    """Monomials of some degrees, and their equivariant combinations (monomials, 2 L + 1, n)."""
    products = _products(degrees)
    place = {product: index for index, product in enumerate(products)}
    n_monomials, size = len(products), 2 * degree + 1
    result = of_degree(degree)[degree]
    invariance = np.zeros((n_monomials * size, n_monomials * size))
    for axis in range(3):
        generator = _generator(max(*degrees, degree), axis)
        turn = np.zeros((n_monomials, n_monomials))
        for product, index in place.items():
            for position, component in enumerate(product):
                others = product[:position] + product[position + 1 :]
                for target in np.flatnonzero(generator[component]):
                    changed = tuple(sorted((*others, int(target))))
                    turn[place[changed], index] += generator[component, target]
        condition = np.kron(turn, np.eye(size)) - np.kron(
            np.eye(n_monomials), generator[result, result]
        )
        invariance += condition.T @ condition
    values, vectors = eigh(invariance)
    basis = canonical_basis(vectors[:, values < _ZERO * max(values[-1], 1.0)])
    return products, basis.reshape(n_monomials, size, -1)


def canonical_basis(vectors: np.ndarray) -> np.ndarray:
    """Return an orthonormal basis (n, k) of a space that depends only on the space.

    Eigenvectors of a degenerate eigenvalue depend on library, processor and number of threads. The
    projector on their space does not: its columns are orthonormalized in order, leaving out those
    that depend on earlier ones.

    Parameters
    ----------
    vectors : array, shape (n, k)
        Orthonormal basis of the space.
    """
    projector = vectors @ vectors.T
    basis = np.zeros((len(vectors), 0))
    for column in projector.T:
        if basis.shape[1] == vectors.shape[1]:
            break
        rest = column - basis @ (basis.T @ column)
        rest -= basis @ (basis.T @ rest)
        if np.linalg.norm(rest) > _INDEPENDENT:
            basis = np.column_stack([basis, rest / np.linalg.norm(rest)])
    return basis


def _products(degrees: tuple[int, ...]) -> list[Monomial]:
    """Sorted products with one component of each of the sorted degrees."""
    found: list[Monomial] = [()]
    for degree, group in groupby(degrees):
        components = range(degree**2, (degree + 1) ** 2)
        choices = list(combinations_with_replacement(components, len(list(group))))
        found = [(*product, *choice) for product in found for choice in choices]
    return found


@cache
def _generator(l_max: int, axis: int) -> np.ndarray:
    """Rate of change of all harmonics when the vector turns about an axis: Ẏ = G Y."""
    values, weights = _on_sphere(l_max)
    points = values[1:4] / 3**0.5 if l_max else torch.zeros(3, values.shape[1])
    about = torch.zeros(3, dtype=torch.float64)
    about[axis] = 1.0
    if not l_max:
        return np.zeros((1, 1))
    rate = torch.linalg.cross(about[:, None].expand_as(points), points, dim=0)
    rates = SphericalHarmonics(l_max).push_forward(values, rate)
    generator = torch.einsum("p,ap,bp->ab", weights, rates, values)
    return np.where(generator.abs() > _ZERO, generator.numpy(), 0.0)

r"""Preconditioning and initial values for metal charges in a sequence of geometries.

The matrix H of `ase_les.electrostatics.equilibration` changes little while atoms vibrate. Its
Cholesky factor of an approximate matrix, computed once,

.. math::
    H_{ij} \approx w\, G(\mathbf{r}_i - \mathbf{r}_j) + \eta_i \delta_{ij}

preconditions the conjugate gradients of all later geometries, which start from the last
charges. :math:`G` is the potential of a unit Gaussian charge under the boundary conditions of
the structure, tabulated on a mesh if there are periodic directions.

Neither affects convergence: the iteration ends when the residual potential, summed in full for
the current geometry, is below `TOLERANCE` times the driving potential. Charges depend on earlier
structures only within this tolerance, and the energy, which is stationary in them, by its square.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from ase_les.electrostatics.open_boundary import smeared_coulomb
from ase_les.electrostatics.particle_mesh import good_size
from ase_les.units import COULOMB_CONSTANT

# Relative to the driving potential, by precision of the network: a hundredth of its rounding.
TOLERANCE = {torch.float32: 1e-9, torch.float64: 1e-12}

# Maximum number of atoms for the factor, whose memory grows as its square, 64 MB here.
MOST_ATOMS = 4096

# Mesh points of the table per smearing width, and the fraction of the diagonal added to
# compensate interpolation errors.
_POINTS_PER_WIDTH, _SAFETY = 3.0, 0.01

# Relative change of the charges between geometries that belong to one trajectory.
_CLOSE = 0.3

# A factor is recomputed when it takes this many times more iterations than initially.
_AGED = 2

_MOST_ITERATIONS = 500

# Solutions with the same metal after which the inverse of H is computed, and its largest size: it
# costs as many sums as there are atoms. Fixed electrodes then need none.
_AT_REST, _MOST_INVERSE = 20, 1024

NO_MINIMUM = (
    "charge equilibration of the metal atoms failed: the energy of charges is not positive. "
    "Check for overlapping atoms and for the hardnesses of the model"
)
_ROWS = 256

Map = Callable[[Tensor], Tensor]


class Metal(NamedTuple):
    """Metal atoms of one structure.

    ``positions`` (M, 3) in Å; ``cell`` (3, 3) that the sum repeats, None in free space; ``normal``
    (3,) of a slab in that cell, None otherwise; ``hardness`` (M,) in eV/e². ``sums``: object that
    changes with the mesh and the box of the sums.
    """

    positions: Tensor
    cell: Tensor | None
    normal: Tensor | None
    hardness: Tensor
    sums: object = None

    def is_same(self, other: Metal | None) -> bool:
        """Return whether the matrix H is the same."""
        if other is None or self.sums is None or self.sums is not other.sums:
            return False
        # Sums of one plan have one cell.
        return torch.equal(self.positions, other.positions) and torch.equal(
            self.hardness, other.hardness
        )


class Solution(NamedTuple):
    """Charges (M,) in e that sum to zero, and the number of iterations."""

    charges: Tensor
    iterations: int


class WarmStart:
    """Solver for a sequence of structures; keeps the Cholesky factor and the last solutions.

    Parameters
    ----------
    smearing : float
        In Å.
    weight : float
        Weight of the long-range energy.
    tolerance : float
        Norm of the residual potential relative to the driving one.
    """

    def __init__(self, smearing: float, weight: float, tolerance: float):
        self._smearing, self._weight, self._tolerance = smearing, weight, tolerance
        self.reset()

    @staticmethod
    def applies(n_atoms: int, n_structures: int) -> bool:
        """Return whether this number of atoms and structures is supported."""
        return n_structures == 1 and n_atoms <= MOST_ATOMS

    def reset(self) -> None:
        """Discard the factor and the last charges: the next solution is that of a new solver."""
        self._factor: Tensor | None = None
        self._hardness: Tensor | None = None
        self._last: dict[str, tuple[Tensor, Tensor | None]] = {}
        self._iterations_when_new = 0
        self._metal: Metal | None = None
        self._inverse: Tensor | None = None
        self._repeats = 0

    def solve(self, metal: Metal, answer: Map, given: Tensor, series: str = "charges") -> Solution:
        """Return charges p with H p equal to `given` up to a constant.

        Parameters
        ----------
        metal : Metal
        answer : callable
            Function from charges (M,) to potentials H p (M,), exact for this geometry.
        given : Tensor, shape (M,)
            In V.
        series : str
            Solutions of one series are initial values of the next.

        Raises
        ------
        ArithmeticError
            If H is not positive.
        """
        if self._stays(metal, answer):
            assert self._inverse is not None
            charges = self._inverse @ (given - given.mean())
            return Solution(charges - charges.mean(), 0)
        same = self._hardness is not None and torch.equal(self._hardness, metal.hardness)
        if not same:
            self.reset()
        if self._factor is not None:
            try:
                return self._iterate(answer, given, series)
            except ArithmeticError:
                # The stored factor may belong to a very different structure.
                self.reset()
        self._factor = cholesky_factor(metal, self._smearing, self._weight)
        self._hardness = metal.hardness.clone()
        self._iterations_when_new = 0
        return self._iterate(answer, given, series)

    def _stays(self, metal: Metal, answer: Map) -> bool:
        """Return whether the inverse of H is known, because the metal has not moved for a while."""
        if not metal.is_same(self._metal):
            self._metal, self._inverse, self._repeats = metal, None, 0
            return False
        self._repeats += 1
        is_small = len(metal.hardness) <= _MOST_INVERSE
        if self._inverse is None and self._repeats >= _AT_REST and is_small:
            self._inverse = neutral_inverse(answer, metal.hardness)
        return self._inverse is not None

    def _iterate(self, answer: Map, given: Tensor, series: str) -> Solution:
        assert self._factor is not None
        solution = conjugate_gradients(
            answer, given, self._tolerance, _preconditioner(self._factor), self._start(series)
        )
        before = self._last[series][0] if series in self._last else None
        self._last[series] = solution.charges, before
        if not self._iterations_when_new:
            self._iterations_when_new = solution.iterations
        elif solution.iterations > _AGED * self._iterations_when_new:
            self._factor = None
        return solution

    def _start(self, series: str) -> Tensor | None:
        """Return charges extrapolated from the last two geometries, if these were close."""
        last, before = self._last.get(series, (None, None))
        if last is None or before is None:
            return last
        change = last - before
        is_close = float(change @ change) < _CLOSE**2 * float(last @ last)
        return last + change if is_close else last


def neutral_inverse(answer: Map, like: Tensor) -> Tensor:
    """Return the inverse (M, M) of H on neutral charges, from the potentials of all unit charges.

    Raises
    ------
    ArithmeticError
        If H is not positive.
    """
    n_atoms = len(like)
    units = torch.eye(n_atoms).to(like) - 1 / n_atoms
    matrix = torch.stack([answer(unit) for unit in units], dim=1)
    matrix = matrix - matrix.mean(0)
    # Decouple the total charge.
    matrix = 0.5 * (matrix + matrix.T) + matrix.diagonal().mean() / n_atoms
    factor, failed = torch.linalg.cholesky_ex(matrix)
    if failed:
        raise ArithmeticError(NO_MINIMUM)
    return torch.cholesky_inverse(factor)


def _preconditioner(factor: Tensor) -> Map:
    def solve(residual: Tensor) -> Tensor:
        single = residual.to(factor.dtype)[:, None]
        return torch.cholesky_solve(single, factor)[:, 0].to(residual.dtype)

    return solve


def conjugate_gradients(
    answer: Map,
    given: Tensor,
    tolerance: float,
    precondition: Map = lambda residual: residual,
    start: Tensor | None = None,
) -> Solution:
    """Return charges (M,) that sum to zero and produce a potential up to a constant.

    Parameters
    ----------
    answer : callable
        Function from charges (M,) to potentials (M,), a positive matrix for neutral charges.
    given : Tensor, shape (M,)
        In V.
    tolerance : float
        Norm of the residual relative to that of `given`.
    precondition : callable
        Approximate inverse of `answer`, positive.
    start : Tensor, shape (M,), or None
        Initial charges; None starts from zero.

    Raises
    ------
    ArithmeticError
        If the matrix is not positive, or after 500 iterations.
    """

    def neutral(values: Tensor) -> Tensor:
        return values - values.mean()

    enough = tolerance**2 * float((given**2).sum())
    if start is None:
        charges, left = torch.zeros_like(given), neutral(given)
    else:
        charges = neutral(start)
        left = neutral(given - answer(charges))
    direction = precondition(left)
    direction = neutral(direction)
    product = float(left @ direction)
    for iteration in range(_MOST_ITERATIONS):
        if float(left @ left) <= enough:
            return Solution(charges, iteration)
        image = neutral(answer(direction))
        curvature = float(direction @ image)
        if not curvature > 0 or not product > 0:
            break
        step = product / curvature
        charges, left = charges + step * direction, neutral(left - step * image)
        new = neutral(precondition(left))
        before, product = product, float(left @ new)
        direction = new + (product / before) * direction
    raise ArithmeticError(NO_MINIMUM)


def cholesky_factor(metal: Metal, smearing: float, weight: float) -> Tensor:
    """Return a Cholesky factor (M, M), float32, of an approximate H without its constant level."""
    matrix = weight * pair_potentials(metal, smearing)
    diagonal = matrix.diagonal()
    diagonal += metal.hardness.to(matrix) + _SAFETY * diagonal.abs()
    # The constant of the potential is arbitrary: it does not act on neutral charges.
    rows = matrix.mean(1)
    matrix = matrix - rows[:, None] - rows + rows.mean() + diagonal.abs().mean()
    factor, failed = torch.linalg.cholesky_ex(matrix)
    if failed:
        # Atoms in contact: precondition with the hardness alone.
        return torch.diag(metal.hardness.to(matrix).sqrt())
    return factor


def pair_potentials(metal: Metal, smearing: float) -> Tensor:
    """Return approximate potentials (M, M) in V of unit Gaussian charges at each other, float32."""
    positions = metal.positions
    if metal.cell is None:
        distances = torch.cdist(positions, positions).clamp_min(1e-6)
        return smeared_coulomb(distances, smearing).float()
    table = _table(metal.cell, smearing)
    fractional = positions @ torch.linalg.inv(metal.cell)
    pairs = [
        _interpolated(table, fractional[rows : rows + _ROWS, None] - fractional)
        for rows in range(0, len(fractional), _ROWS)
    ]
    matrix = torch.cat(pairs)
    matrix = 0.5 * (matrix + matrix.T)
    if metal.normal is not None:
        # The mean field is the largest contribution of copies along the normal.
        heights = positions @ metal.normal
        heights = (heights - heights.mean()).float()
        volume = float(torch.linalg.det(metal.cell).abs())
        matrix += (4 * math.pi * COULOMB_CONSTANT / volume) * heights[:, None] * heights
    return matrix


def _table(cell: Tensor, smearing: float) -> Tensor:
    """Return the potential of a unit Gaussian charge at the origin, on points of the cell."""
    lengths = torch.linalg.vector_norm(cell, dim=1).tolist()
    size = [good_size(_POINTS_PER_WIDTH * length / smearing) for length in lengths]
    reciprocal = 2 * math.pi * torch.linalg.inv(cell).T
    dtype, device = cell.dtype, cell.device
    indices = [torch.fft.fftfreq(n, 1 / n, dtype=dtype, device=device) for n in size[:2]]
    indices.append(torch.fft.rfftfreq(size[2], 1 / size[2], dtype=dtype, device=device))
    squared = torch.zeros(1, dtype=dtype, device=device)
    for component in reciprocal.T:
        x, y, z = (index * part for index, part in zip(indices, component, strict=True))
        squared = squared + ((x[:, None] + y)[..., None] + z) ** 2
    safe = torch.where(squared > 0, squared, 1.0)
    weights = torch.where(squared > 0, torch.exp(-0.5 * smearing**2 * safe) / safe, 0.0)
    weights *= 4 * math.pi * COULOMB_CONSTANT / float(torch.linalg.det(cell).abs())
    return torch.fft.irfftn(weights.to(torch.complex128), s=size, norm="forward").float()


def _interpolated(table: Tensor, fractional: Tensor) -> Tensor:
    """Return trilinear interpolations (...) of a periodic table at places (..., 3)."""
    size = torch.tensor(table.shape, device=table.device)
    places = torch.remainder(fractional, 1.0).float() * size
    low = torch.minimum(places.long(), size - 1)
    share = places - low
    high = torch.remainder(low + 1, size)
    flat, value = table.flatten(), torch.zeros_like(share[..., 0])
    for corner in range(8):
        at = [(corner >> axis) & 1 for axis in range(3)]
        x, y, z = (high[..., a] if up else low[..., a] for a, up in enumerate(at))
        weight = torch.ones_like(value)
        for axis, up in enumerate(at):
            weight = weight * (share[..., axis] if up else 1 - share[..., axis])
        value += weight * flat[(x * table.shape[1] + y) * table.shape[2] + z]
    return value

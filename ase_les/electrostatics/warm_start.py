r"""Preconditioning and initial values for metal charges in a sequence of geometries.

The matrix H of `ase_les.electrostatics.equilibration` changes little while atoms vibrate. The
approximate inverse B of `ase_les.electrostatics.metal_preconditioner`, factorized once, follows
the atoms to first order in their displacements. Conjugate gradients with B start from

.. math::
    \mathbf{p} = B \mathbf{v} + \mathbf{c}

with the driving potential :math:`\mathbf{v}` of the current geometry and :math:`\mathbf{c}`, the
error of :math:`B \mathbf{v}`, extrapolated from the last two geometries (more would amplify what
the tolerance leaves). It changes with the
positions of the metal only, which are slower than the atoms that drive it.

Neither affects convergence: the iteration ends when the residual potential, summed in full for
the current geometry, is below `TOLERANCE` times the driving potential. Charges depend on earlier
structures only within this tolerance, and the energy, which is stationary in them, by its square.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from ase_les.electrostatics.metal_preconditioner import Map, Metal, Preconditioner
from ase_les.electrostatics.wave_vectors import ReciprocalKernel

# Relative to the driving potential, by precision of the network: forces change by less than a tenth
# of the rounding of the network.
TOLERANCE = {torch.float32: 1e-7, torch.float64: 1e-12}

# Maximum number of atoms for the factor, whose memory grows as its square, 64 MB here.
MOST_ATOMS = 4096

# Weights of the last errors of the preconditioner, latest last: of a polynomial through them.
_EXTRAPOLATION = ((), (1,), (-1, 2))
_KEPT = len(_EXTRAPOLATION) - 1

# Iterations in excess of the fewest since the factorization, after which it is repeated: about as
# expensive as these.
_EXCESS = 8

_MOST_ITERATIONS = 500

# Solutions with the same metal after which the inverse of H is computed, and its largest size: it
# costs as many sums as there are atoms. Fixed electrodes then need none.
_AT_REST, _MOST_INVERSE = 20, 1024

NO_MINIMUM = (
    "charge equilibration of the metal atoms failed: the energy of charges is not positive. "
    "Check for overlapping atoms and for the hardnesses of the model"
)


class Answer(NamedTuple):
    """Potentials H p (M,) in V of charges, and their potential on the mesh of a sum, if any."""

    potentials: Tensor
    surface: Tensor | None = None


AnswerOf = Callable[[Tensor], Answer]


class Solution(NamedTuple):
    """Charges (M,) in e that sum to zero, iterations, and the potential on the mesh, if any."""

    charges: Tensor
    iterations: int
    surface: Tensor | None = None


class WarmStart:
    """Solver for a sequence of structures; keeps the preconditioner and the last solutions.

    Parameters
    ----------
    kernel : ReciprocalKernel
        Of the sums.
    weight : float
        Weight of the long-range energy.
    tolerance : float
        Norm of the residual potential relative to the driving one.
    """

    def __init__(self, kernel: ReciprocalKernel, weight: float, tolerance: float):
        self._kernel, self._weight, self._tolerance = kernel, weight, tolerance
        self.reset()

    @staticmethod
    def applies(n_atoms: int, n_structures: int) -> bool:
        """Return whether this number of atoms and structures is supported."""
        return n_structures == 1 and n_atoms <= MOST_ATOMS

    def reset(self) -> None:
        """Discard what is stored: the next solution is that of a new solver."""
        self._preconditioner: Preconditioner | None = None
        self._forget_solutions()
        self._metal: Metal | None = None
        self._inverse: Tensor | None = None
        self._repeats = 0

    def _forget_solutions(self) -> None:
        # The last errors of the preconditioner, and fewest iterations, by series.
        self._errors: dict[str, list[Tensor]] = {}
        self._fewest: dict[str, int] = {}
        self._excess = 0

    def solve(
        self, metal: Metal, answer: AnswerOf, given: Tensor, series: str = "charges"
    ) -> Solution:
        """Return charges p with H p equal to `given` up to a constant.

        Parameters
        ----------
        metal : Metal
        answer : callable
            Function from charges (M,) to `Answer`, exact for this geometry.
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
        if self._preconditioner is not None and self._preconditioner.covers(metal):
            try:
                return self._iterate(metal, answer, given, series)
            except ArithmeticError:
                # Too far from the geometry of the factorization.
                pass
        self._preconditioner = Preconditioner(metal, self._kernel, self._weight)
        self._forget_solutions()
        return self._iterate(metal, answer, given, series)

    def _stays(self, metal: Metal, answer: AnswerOf) -> bool:
        """Return whether the inverse of H is known, because the metal has not moved for a while."""
        if not metal.is_same(self._metal):
            self._metal, self._inverse, self._repeats = metal, None, 0
            return False
        self._repeats += 1
        is_small = len(metal.hardness) <= _MOST_INVERSE
        if self._inverse is None and self._repeats >= _AT_REST and is_small:
            self._inverse = neutral_inverse(answer, metal.hardness)
        return self._inverse is not None

    def _iterate(self, metal: Metal, answer: AnswerOf, given: Tensor, series: str) -> Solution:
        assert self._preconditioner is not None
        precondition = self._preconditioner.at(metal.positions)
        first = precondition(given)
        errors = self._errors.setdefault(series, [])
        start = first
        for weight, error in zip(_EXTRAPOLATION[len(errors)], errors, strict=True):
            start = start + weight * error
        solution = conjugate_gradients(answer, given, self._tolerance, precondition, start)
        errors.append(solution.charges - first)
        del errors[:-_KEPT]
        fewest = min(self._fewest.get(series, solution.iterations), solution.iterations)
        self._fewest[series] = fewest
        self._excess += solution.iterations - fewest
        if self._excess >= _EXCESS:
            self._preconditioner = None
        return solution


def neutral_inverse(answer: AnswerOf, like: Tensor) -> Tensor:
    """Return the inverse (M, M) of H on neutral charges, from the potentials of all unit charges.

    Raises
    ------
    ArithmeticError
        If H is not positive.
    """
    n_atoms = len(like)
    units = torch.eye(n_atoms).to(like) - 1 / n_atoms
    matrix = torch.stack([answer(unit).potentials for unit in units], dim=1)
    matrix = matrix - matrix.mean(0)
    # Decouple the total charge.
    matrix = 0.5 * (matrix + matrix.T) + matrix.diagonal().mean() / n_atoms
    factor, failed = torch.linalg.cholesky_ex(matrix)
    if failed:
        raise ArithmeticError(NO_MINIMUM)
    return torch.cholesky_inverse(factor)


def conjugate_gradients(
    answer: AnswerOf,
    given: Tensor,
    tolerance: float,
    precondition: Map = lambda residual: residual,
    start: Tensor | None = None,
) -> Solution:
    """Return charges (M,) that sum to zero and produce a potential up to a constant.

    Parameters
    ----------
    answer : callable
        Function from charges (M,) to `Answer`, a positive matrix for neutral charges.
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
        charges, left, surface = torch.zeros_like(given), neutral(given), None
    else:
        charges = neutral(start)
        potentials, surface = answer(charges)
        left = neutral(given - potentials)
    direction, product = torch.zeros_like(left), 1.0
    for iteration in range(_MOST_ITERATIONS):
        if float(left @ left) <= enough:
            return Solution(charges, iteration, surface)
        new = neutral(precondition(left))
        before, product = product, float(left @ new)
        direction = new + (product / before) * direction
        potentials, of_direction = answer(direction)
        image = neutral(potentials)
        curvature = float(direction @ image)
        if not curvature > 0 or not product > 0:
            break
        step = product / curvature
        charges, left = charges + step * direction, neutral(left - step * image)
        if surface is not None and of_direction is not None:
            surface = surface.add(of_direction, alpha=step)
    raise ArithmeticError(NO_MINIMUM)

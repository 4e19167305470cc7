"""Settings of a relaxation."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ase_les.arguments import require_integer, require_one_of, require_positive
from ase_les.simulation.degrees_of_freedom import CELLS
from ase_les.simulation.optimizers import OPTIMIZERS


@dataclass(frozen=True)
class RelaxationSettings:
    """Settings of a relaxation.

    Attributes
    ----------
    optimizer : str
        ``"bfgs"`` (fewest steps; its cost grows with the cube of the number of atoms),
        ``"lbfgs"`` (for more than a few hundred atoms) or ``"fire"`` (robust far from a minimum).
    fmax : float
        Convergence threshold of the largest force on a free atom, in eV/Å.
    smax_bar : float
        Convergence threshold of the largest deviation of a relaxed stress component from the
        pressure, in bar. For slabs the stress refers to the whole cell, including vacuum. No
        effect with a fixed cell.
    cell : str
        ``"fixed"``; ``"full"``: all six strains; ``"isotropic"``: only the volume;
        ``"in-plane"``: the two vectors along a slab, whose normal must be x, y or z.
        Fixed atoms follow the strain.
    pressure_bar : float
        External pressure in bar; positive compresses.
    symmetry : bool
        Symmetrize the structure within `symprec_A` and preserve its space group. Needs spglib.
    symprec_A : float
        Symmetry tolerance in Å.
    fix_below_A : float or None
        Fix the atoms with z below this value, in Å: the bottom of a slab.
    steps : int
        Maximum number of steps.
    checkpoint_stride : int
        Steps between checkpoints; a run that was killed repeats the steps since the last one.
    beyond_limits : bool
        Allow calculations beyond the limits of the model, see `ase_les.model_limits`.

    Raises
    ------
    ValueError
        If a value is invalid.
    """

    optimizer: str = "bfgs"
    fmax: float = 0.01
    smax_bar: float = 100.0
    cell: str = "fixed"
    pressure_bar: float = 0.0
    symmetry: bool = False
    symprec_A: float = 0.01
    fix_below_A: float | None = None
    steps: int = 500
    checkpoint_stride: int = 10
    beyond_limits: bool = False

    def __post_init__(self) -> None:
        require_one_of("optimizer", self.optimizer, OPTIMIZERS)
        require_one_of("cell", self.cell, CELLS)
        for name in ("fmax", "smax_bar", "symprec_A"):
            require_positive(name, getattr(self, name))
        if not math.isfinite(self.pressure_bar):
            raise ValueError(f"`pressure_bar` must be finite, got {self.pressure_bar}")
        if self.pressure_bar and self.cell not in ("full", "isotropic"):
            raise ValueError(
                f"`pressure_bar` = {self.pressure_bar:g} needs a cell that can relax: use "
                "cell='full' or 'isotropic'"
            )
        if self.fix_below_A is not None and not math.isfinite(self.fix_below_A):
            raise ValueError(f"`fix_below_A` must be finite, got {self.fix_below_A}")
        for name, minimum in (("steps", 0), ("checkpoint_stride", 1)):
            require_integer(name, getattr(self, name), minimum)

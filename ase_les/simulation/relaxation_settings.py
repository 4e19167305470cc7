"""How a structure is relaxed: what may be asked for."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from ase_les.simulation.degrees_of_freedom import CELLS
from ase_les.simulation.optimizers import OPTIMIZERS


@dataclass(frozen=True)
class RelaxationSettings:
    """How a structure is relaxed.

    Attributes
    ----------
    optimizer : str
        ``"bfgs"`` (fewest steps; its own cost grows with the cube of the number of atoms),
        ``"lbfgs"`` (for more than some hundred atoms) or ``"fire"`` (robust far from a minimum).
    fmax : float
        Converged when no force on a free atom is larger, in eV/Å, and
    smax_bar : float
        when no relaxed component of the stress differs by more from the pressure, in bar. For a
        slab the stress refers to the whole cell, vacuum included. Of no effect on a fixed cell.
    cell : str
        ``"fixed"``; ``"full"``: all six strains; ``"isotropic"``: the volume alone;
        ``"in-plane"``: the two vectors along a slab, whose normal must be x, y or z.
        Fixed atoms follow the strain.
    pressure_bar : float
        Outer pressure, in bar; positive compresses.
    symmetry : bool
        Make the structure exactly symmetric within `symprec_A`, and keep its space group. Needs
        spglib.
    symprec_A : float
        Tolerance of the symmetry, in Å.
    fix_below_A : float or None
        Hold the atoms with z below this, in Å: the bottom of a slab.
    steps : int
        Most steps to take.
    checkpoint_stride : int
        Steps between checkpoints; a run that was killed repeats the ones since the last.

    Raises
    ------
    ValueError
        If a value is impossible.
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

    def __post_init__(self) -> None:
        if self.optimizer not in OPTIMIZERS:
            raise ValueError(
                f"`optimizer` must be one of {tuple(OPTIMIZERS)}, got {self.optimizer!r}"
            )
        if self.cell not in CELLS:
            raise ValueError(f"`cell` must be one of {CELLS}, got {self.cell!r}")
        for name in ("fmax", "smax_bar", "symprec_A"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise ValueError(f"`{name}` must be positive and finite, got {value}")
        if not math.isfinite(self.pressure_bar):
            raise ValueError(f"`pressure_bar` must be finite, got {self.pressure_bar}")
        if self.pressure_bar and self.cell not in ("full", "isotropic"):
            raise ValueError(
                f"`pressure_bar` = {self.pressure_bar:g} acts on a cell that may relax: use "
                "cell='full' or 'isotropic'"
            )
        if self.fix_below_A is not None and not math.isfinite(self.fix_below_A):
            raise ValueError(f"`fix_below_A` must be finite, got {self.fix_below_A}")
        if not isinstance(self.steps, int) or self.steps < 0:
            raise ValueError(f"`steps` must be an integer of at least 0, got {self.steps!r}")
        if not isinstance(self.checkpoint_stride, int) or self.checkpoint_stride < 1:
            raise ValueError(
                f"`checkpoint_stride` must be an integer of at least 1, got "
                f"{self.checkpoint_stride!r}"
            )


def make_settings(**given: object) -> RelaxationSettings:
    """Settings from keywords; an unknown one is a ValueError that lists those there are."""
    known = [field.name for field in fields(RelaxationSettings)]
    unknown = sorted(set(given) - set(known))
    if unknown:
        raise ValueError(
            f"a relaxation has no setting {', '.join(unknown)}; it has {', '.join(known)}"
        )
    return RelaxationSettings(**given)

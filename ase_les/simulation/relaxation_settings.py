"""Settings of a relaxation."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

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
                f"`pressure_bar` = {self.pressure_bar:g} needs a cell that can relax: use "
                "cell='full' or 'isotropic'"
            )
        if self.fix_below_A is not None and not math.isfinite(self.fix_below_A):
            raise ValueError(f"`fix_below_A` must be finite, got {self.fix_below_A}")
        for name, minimum in (("steps", 0), ("checkpoint_stride", 1)):
            value = getattr(self, name)
            integer = isinstance(value, int | np.integer) and not isinstance(value, bool)
            if not integer or value < minimum:
                raise ValueError(
                    f"`{name}` must be an integer of at least {minimum}, got {value!r}"
                )


def make_settings(**given: Any) -> RelaxationSettings:
    """Return settings from keyword arguments."""
    known = [field.name for field in fields(RelaxationSettings)]
    unknown = sorted(set(given) - set(known))
    if unknown:
        raise ValueError(
            f"a relaxation has no setting {', '.join(unknown)}; settings are {', '.join(known)}"
        )
    return RelaxationSettings(**given)


def setting_differences(settings: RelaxationSettings, expected: Mapping[str, Any]) -> list[str]:
    """Return a phrase for every expected setting that differs."""
    make_settings(**expected)
    return [
        f"{name} is {getattr(settings, name)!r}, given {value!r}"
        for name, value in expected.items()
        if getattr(settings, name) != value
    ]

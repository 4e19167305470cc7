"""Structures that dynamics leads to.

A first model moves atoms to where it has no data. What it meets there is of use only as far as it
is still near to what can be: `CommitteeMD` stops where models trained apart begin to differ.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import ClassVar

import numpy as np
from ase import Atoms, units
from ase.calculators.abc import GetPropertiesMixin
from ase.constraints import FixAtoms, FixCom
from ase.md.langevin import Langevin

from ase_les.training.moves import bare, collision
from ase_les.training.selection import disagreements


@dataclass(frozen=True)
class Dynamics:
    """Langevin dynamics at each of several temperatures, from the structure itself.

    Parameters
    ----------
    temperatures_K : tuple of float
    structures : int
        At each temperature.
    timestep_fs : float
    stride : int
        Steps between structures that are kept, and before the first.
    friction_per_fs : float
    held : tuple of str
        Elements that stay where they are: a solid that the calculator does not know.
    """

    temperatures_K: tuple[float, ...] = (300.0, 600.0, 1200.0)
    structures: int = 10
    timestep_fs: float = 1.0
    stride: int = 50
    friction_per_fs: float = 0.02
    held: tuple[str, ...] = ()
    kind: ClassVar[str] = "dynamics"

    def __post_init__(self):
        object.__setattr__(self, "temperatures_K", tuple(self.temperatures_K))
        object.__setattr__(self, "held", tuple(self.held))

    def sampled(self, atoms, rng, calculator=None):
        """See `Move`; a temperature ends early where atoms collide or forces are lost."""
        if calculator is None:
            raise ValueError("dynamics need a calculator: a cheap one, or a first model")
        found = []
        for temperature in self.temperatures_K:
            moving = _on_the_way(atoms, temperature, self, rng, calculator)
            found += islice(moving, self.structures)
        return found


@dataclass(frozen=True)
class CommitteeMD:
    """Langevin dynamics until several models differ about the forces; keeps where they first do.

    Models trained apart on the same data agree where there are data. The first structure they
    dispute is new and can still be met; a few steps on, a model may be where nothing is.

    Parameters
    ----------
    models : tuple of str
        Shipped models by name, or model files; the first moves the atoms.
    temperatures_K : tuple of float
    runs : int
        At each temperature. One that ends undisputed has nothing to keep.
    disagreement_eV_per_A : float
        See `ase_les.training.selection.disagreements`.
    timestep_fs : float
    stride : int
        Steps between looks.
    steps : int
        Of a run at most.
    friction_per_fs : float
    held : tuple of str
        Elements that stay where they are.

    Raises
    ------
    ValueError
        If there are fewer than two models, or the disagreement is not positive.
    """

    models: tuple[str, ...]
    temperatures_K: tuple[float, ...] = (300.0, 600.0)
    runs: int = 1
    disagreement_eV_per_A: float = 0.5
    timestep_fs: float = 0.5
    stride: int = 10
    steps: int = 4000
    friction_per_fs: float = 0.02
    held: tuple[str, ...] = ()
    kind: ClassVar[str] = "explore"

    def __post_init__(self):
        for name in ("models", "temperatures_K", "held"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        if len(self.models) < 2:
            raise ValueError(f"`models` needs at least two to compare, got {list(self.models)}")
        if not self.disagreement_eV_per_A > 0:
            raise ValueError(
                f"`disagreement_eV_per_A` must be positive, got {self.disagreement_eV_per_A}"
            )

    def sampled(self, atoms, rng, calculator=None):
        """See `Move`; models of its own move the atoms, whatever the calculator."""
        from ase_les.calculator import LESCalculator

        committee = [LESCalculator(model) for model in self.models]
        # Refuses a start that one of the others does not cover.
        disagreements([bare(atoms)], committee)
        found = []
        for temperature in self.temperatures_K * self.runs:
            moving = _on_the_way(atoms, temperature, self, rng, committee[0])
            try:
                for met in islice(moving, self.steps // self.stride):
                    if disagreements([met], committee)[0] > self.disagreement_eV_per_A:
                        found.append(met)
                        break
            except ValueError:
                # One of the others says so when it is led where it was never meant to be.
                continue
        return found


def _on_the_way(
    atoms: Atoms,
    temperature_K: float,
    how: Dynamics | CommitteeMD,
    rng: np.random.Generator,
    calculator: GetPropertiesMixin,
) -> Iterator[Atoms]:
    """Structures of Langevin dynamics, one every stride; ends where atoms collide."""
    moving = bare(atoms)
    moving.calc = calculator
    still = [i for i, s in enumerate(moving.symbols) if s in how.held]
    moving.set_constraint(FixAtoms(still) if still else FixCom())
    spread = np.sqrt(moving.get_masses() * units.kB * temperature_K)
    moving.set_momenta(spread[:, None] * rng.standard_normal((len(moving), 3)))
    motion = Langevin(
        moving,
        how.timestep_fs * units.fs,
        temperature_K=temperature_K,
        friction=how.friction_per_fs / units.fs,
        fixcm=False,
        rng=rng,
    )
    # What a calculator cannot say of the start is a mistake, on the way it is the end of a run.
    moving.get_forces()
    while True:
        try:
            motion.run(how.stride)
        except ValueError:
            # A model says so when it is led where it was never meant to be.
            return
        if not np.isfinite(moving.positions).all() or collision(moving) is not None:
            return
        met = bare(moving)
        met.info["temperature_K"] = float(temperature_K)
        yield met

"""Sample structures by molecular dynamics.

Dynamics with a preliminary model reaches regions without training data, and may continue into
unphysical structures: `CommitteeMD` stops where independently trained models begin to disagree.
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
    """Langevin dynamics at several temperatures, each starting from the given structure.

    Parameters
    ----------
    temperatures_K : tuple of float
    structures : int
        Structures at each temperature.
    timestep_fs : float
    stride : int
        Steps before the first structure that is kept, and between them.
    friction_per_fs : float
    held : tuple of str
        Elements that are held fixed, such as those of a solid that the calculator does not cover.
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
        """See `Move`; a run ends early if atoms collide or the calculator fails."""
        if calculator is None:
            raise ValueError("dynamics need a calculator: a cheap one, or a preliminary model")
        found = []
        for temperature in self.temperatures_K:
            moving = _on_the_way(atoms, temperature, self, rng, calculator)
            found += islice(moving, self.structures)
        return found


@dataclass(frozen=True)
class CommitteeMD:
    """Langevin dynamics until a committee of models disagrees about the forces.

    Keeps the first structure of each run with a disagreement above the threshold (query by
    committee). Models trained independently on the same data agree where there are data; beyond
    the first disagreement, structures soon become unphysical.

    Parameters
    ----------
    models : tuple of str
        Shipped models by name, or model files; the first one drives the dynamics.
    temperatures_K : tuple of float
    runs : int
        Runs at each temperature. A run without disagreement gives no structure.
    disagreement_eV_per_A : float
        Threshold, see `ase_les.training.selection.disagreements`.
    timestep_fs : float
    stride : int
        Steps between evaluations of the disagreement.
    steps : int
        Maximum number of steps of a run.
    friction_per_fs : float
    held : tuple of str
        Elements that are held fixed.

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
        """Use the committee's first model for the dynamics; `calculator` is ignored."""
        from ase_les.calculator import LESCalculator

        committee = [LESCalculator(model) for model in self.models]
        # Raises an error if a model does not cover the initial structure.
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
                # Raised by another model of the committee outside its range of validity.
                continue
        return found


def _on_the_way(
    atoms: Atoms,
    temperature_K: float,
    how: Dynamics | CommitteeMD,
    rng: np.random.Generator,
    calculator: GetPropertiesMixin,
) -> Iterator[Atoms]:
    """Yield a structure of Langevin dynamics every stride until atoms collide."""
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
    # Errors for the initial structure are raised; later ones end the run.
    moving.get_forces()
    while True:
        try:
            motion.run(how.stride)
        except ValueError:
            # Raised by models outside their range of validity.
            return
        if not np.isfinite(moving.positions).all() or collision(moving) is not None:
            return
        met = bare(moving)
        met.info["temperature_K"] = float(temperature_K)
        yield met

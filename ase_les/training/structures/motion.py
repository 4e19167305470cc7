"""Sample structures by molecular dynamics.

Dynamics with a preliminary model reaches regions without training data, and may continue into
unphysical structures: `CommitteeMD` stops where independently trained models begin to disagree.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Annotated, Literal

import numpy as np
from ase import Atoms, units
from ase.calculators.abc import GetPropertiesMixin
from ase.constraints import FixAtoms, FixCom
from ase.md.langevin import Langevin

from ase_les.configuration import Count, Element, File, Interval, MinLen, Unit, configuration
from ase_les.training.structures.moves import Temperature, bare, collision
from ase_les.training.structures.selection import disagreements

Temperatures = Annotated[tuple[Temperature, ...], MinLen(1)]
Timestep = Annotated[float, Interval(gt=0, le=100), Unit("fs")]
Friction = Annotated[float, Interval(ge=0, le=10), Unit("1/fs")]


@configuration
class Dynamics:
    """Langevin dynamics at several temperatures, each starting from the given structure.

    Parameters
    ----------
    temperatures_K : tuple of float
        Temperatures.
    structures : int
        Structures at each temperature.
    timestep_fs : float
        Time step.
    stride : int
        Steps before the first structure that is kept, and between them.
    friction_per_fs : float
        Friction of the thermostat.
    held : tuple of str
        Elements that are held fixed, such as those of a solid that the calculator does not cover.
    """

    temperatures_K: Temperatures = (300.0, 600.0, 1200.0)
    structures: Count = 10
    timestep_fs: Timestep = 1.0
    stride: Count = 50
    friction_per_fs: Friction = 0.02
    held: tuple[Element, ...] = ()
    kind: Literal["dynamics"] = "dynamics"

    def sampled(self, atoms, rng, calculator=None):
        """See `Move`; a run ends early if atoms collide or the calculator fails."""
        if calculator is None:
            raise ValueError("dynamics need a calculator: a cheap one, or a preliminary model")
        found = []
        for temperature in self.temperatures_K:
            moving = _langevin_structures(atoms, temperature, self, rng, calculator)
            found += islice(moving, self.structures)
        return found


@configuration
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
        Temperatures.
    runs : int
        Runs at each temperature. A run without disagreement gives no structure.
    disagreement_eV_per_A : float
        Threshold, see `ase_les.training.structures.selection.disagreements`.
    timestep_fs : float
        Time step.
    stride : int
        Steps between evaluations of the disagreement.
    steps : int
        Maximum number of steps of a run.
    friction_per_fs : float
        Friction of the thermostat.
    held : tuple of str
        Elements that are held fixed.
    """

    models: Annotated[tuple[File, ...], MinLen(2)]
    temperatures_K: Temperatures = (300.0, 600.0)
    runs: Count = 1
    disagreement_eV_per_A: Annotated[float, Interval(gt=0, le=1000), Unit("eV/Å")] = 0.5
    timestep_fs: Timestep = 0.5
    stride: Count = 10
    steps: Count = 4000
    friction_per_fs: Friction = 0.02
    held: tuple[Element, ...] = ()
    kind: Literal["explore"] = "explore"

    def sampled(self, atoms, rng, calculator=None):
        """Use the committee's first model for the dynamics; `calculator` is ignored."""
        from ase_les.calculator import LESCalculator

        committee = [LESCalculator(model) for model in self.models]
        # Raises an error if a model does not cover the initial structure.
        disagreements([bare(atoms)], committee)
        found = []
        for temperature in self.temperatures_K * self.runs:
            moving = _langevin_structures(atoms, temperature, self, rng, committee[0])
            try:
                for structure in islice(moving, self.steps // self.stride):
                    if disagreements([structure], committee)[0] > self.disagreement_eV_per_A:
                        found.append(structure)
                        break
            except ValueError:
                # Raised by another model of the committee outside its range of validity.
                continue
        return found


def _langevin_structures(
    atoms: Atoms,
    temperature_K: float,
    settings: Dynamics | CommitteeMD,
    rng: np.random.Generator,
    calculator: GetPropertiesMixin,
) -> Iterator[Atoms]:
    """Yield a structure of Langevin dynamics every stride until atoms collide."""
    moving = bare(atoms)
    moving.calc = calculator
    fixed = [i for i, s in enumerate(moving.symbols) if s in settings.held]
    moving.set_constraint(FixAtoms(fixed) if fixed else FixCom())
    spread = np.sqrt(moving.get_masses() * units.kB * temperature_K)
    moving.set_momenta(spread[:, None] * rng.standard_normal((len(moving), 3)))
    motion = Langevin(
        moving,
        settings.timestep_fs * units.fs,
        temperature_K=temperature_K,
        friction=settings.friction_per_fs / units.fs,
        fixcm=False,
        rng=rng,
    )
    # Errors for the initial structure are raised; later ones end the run.
    moving.get_forces()
    while True:
        try:
            motion.run(settings.stride)
        except ValueError:
            # Raised by models outside their range of validity.
            return
        if not np.isfinite(moving.positions).all() or collision(moving) is not None:
            return
        structure = bare(moving)
        structure.info["temperature_K"] = float(temperature_K)
        yield structure

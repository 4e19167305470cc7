"""Contents of a ``plan.yml`` for active learning (`ase_les.training.active_learning.loop`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace
from pathlib import Path
from typing import Annotated, Any

from ase import Atoms

from ase_les.configuration import (
    Count,
    File,
    Fraction,
    Ge,
    Interval,
    MinLen,
    Name,
    Number,
    Positive,
    Seed,
    Unit,
    configuration,
    read_configuration,
)
from ase_les.reading import all_frames
from ase_les.simulation.ensembles import DynamicsSettings
from ase_les.training.engines.programs import EngineName, checked_settings
from ase_les.training.learning.fit_settings import FitSettings
from ase_les.training.learning.initial_model import ArchitectureConfig
from ase_les.training.structures.moves import bare, repeated
from ase_les.training.structures.sampling import SamplingRecipe
from ase_les.training.structures.selection import split

EXAMPLE = """\
# ase build -x rocksalt -a 5.64 --cubic NaCl nacl.traj     creates the initial structure
# ase-les learn plan.yml                                   learns; resumes when started again
start: nacl.traj
engine: ions                    # as in `ase-les label`: gpaw, tblite, module:function, les ...
settings: &ions
  charges: {Na: 1, Cl: -1}
  repulsion: {Na-Na: [424, 0.317], Na-Cl: [1256, 0.317], Cl-Cl: [3485, 0.317]}
sample:                         # structures of the first round
  calculator: {engine: ions, settings: *ions}
  moves:
    - {kind: rattle, structures: 10, stdev_A: 0.05}
    - {kind: rattle, structures: 10, stdev_A: 0.15}
    - {kind: dynamics, temperatures_K: [300, 600], structures: 5, timestep_fs: 2.0, stride: 50}
conditions:                     # under which the model must be stable
  - {temperature_K: 300, timestep_fs: 2.0}
  - {temperature_K: 500, timestep_fs: 2.0}
model:
  representation: {cutoff: 4.5, n_radial: 6, n_mixed: 4, n_embedding: 2, l_max: 2, nu_max: 3}
  long_range:
    charges: {formal_charges: {Na: 0.9, Cl: -0.9}}
    electrostatics: {smearing: 1.5}
fit: {epochs: 60, batch_size: 2}
refit: {epochs: 30}             # for later rounds, which start from the models of the previous one
committee: 3
explore: {runs: 4, picoseconds: 1.0, structures: 12, disagreement_eV_per_A: 0.3}
criterion:
  runs: 3
  picoseconds: 2.0
  repeat: [2, 1, 1]
  disagreement_eV_per_A: 0.3
  forces_rmse_meV_per_A: 50
rounds: 5
"""


@configuration
class Conditions:
    """Conditions of dynamics.

    Parameters
    ----------
    temperature_K : float
        Temperature.
    pressure_bar : float or None
        Pressure; None keeps the cell.
    timestep_fs : float
        Time step.
    """

    temperature_K: Annotated[Positive, Unit("K")]
    pressure_bar: Annotated[Number, Unit("bar")] | None = None
    timestep_fs: Annotated[Positive, Unit("fs")] = 0.5

    def settings(self, picoseconds: float) -> dict[str, Any]:
        """Return settings of `ase_les.simulation.run_dynamics`."""
        found: dict[str, Any] = {
            "ensemble": "nvt-langevin" if self.pressure_bar is None else "npt-isotropic",
            "temperature_K": self.temperature_K,
            "timestep_fs": self.timestep_fs,
            "steps": max(round(1000 * picoseconds / self.timestep_fs), 1),
        }
        if self.pressure_bar is not None:
            found["pressure_bar"] = self.pressure_bar
        return found

    def __str__(self) -> str:
        """Return temperature and pressure with units."""
        pressure = "" if self.pressure_bar is None else f", {self.pressure_bar:g} bar"
        return f"{self.temperature_K:g} K{pressure}"


@configuration
class Exploration:
    """Dynamics of the committee that finds new structures.

    Parameters
    ----------
    runs : int
        Number of runs in every round, cycling through starting structures and conditions.
    picoseconds : float
        Length of each run.
    structures : int
        Structures to label in every round: half evenly spaced in time, used to measure the errors
        of the criterion, half with the largest disagreement.
    disagreement_eV_per_A : float
        A run stops if the disagreement of the committee about the force on an atom exceeds this
        (``max_force_std_eV_per_A`` of dynamics).
    """

    runs: Count = 4
    picoseconds: Annotated[Positive, Unit("ps")] = 1.0
    structures: Annotated[Count, Ge(2)] = 20
    disagreement_eV_per_A: Annotated[Positive, Unit("eV/Å")] = 0.5


@configuration
class Criterion:
    """Criterion for a finished model: complete runs, and small errors in its own dynamics.

    Parameters
    ----------
    runs : int
        Number of runs from held-back structures, cycling through the conditions.
    picoseconds : float
        Length of each run.
    repeat : tuple of 3 int
        Repetitions of the held-back structures along periodic directions.
    disagreement_eV_per_A : float
        A run fails if the disagreement of the committee about the force on an atom exceeds this, or
        if an alarm stops it (temperature, distances, forces).
    forces_rmse_meV_per_A : float
        Largest error of force components on newly labeled structures of the dynamics, evenly
        spaced in time.
    """

    runs: Count = 3
    picoseconds: Annotated[Positive, Unit("ps")] = 2.0
    repeat: tuple[Count, Count, Count] = (2, 1, 1)
    disagreement_eV_per_A: Annotated[Positive, Unit("eV/Å")] = 0.5
    forces_rmse_meV_per_A: Annotated[Positive, Unit("meV/Å")] = 100.0

    def start(self, atoms: Atoms) -> Atoms:
        """Return a held-back structure, repeated."""
        return repeated(bare(atoms), self.repeat)


@configuration
class LearningPlan:
    """The contents of a ``plan.yml``.

    Parameters
    ----------
    start : str
        File of starting structures, relative to the folder of the plan. ``info["charge"]`` and
        ``info["spin"]`` are passed on to the samples.
    engine : str
        Labeling program, or ``package.module:function`` of a function that returns a calculator.
    sample : SamplingRecipe
        Moves that generate the structures of the first round.
    model : ArchitectureConfig
        Architecture of the models.
    conditions : tuple of Conditions
        Conditions under which the model must be stable.
    settings : mapping
        Settings of the engine.
    stress : bool
        Whether stresses are calculated; needed for constant pressure.
    held_back : str or float
        Structures from which the runs of the criterion start: a file, or the fraction of the
        samples of the first round, which are then not trained on.
    fit : FitSettings
        Settings of the fit of the first round.
    refit : mapping
        Entries of `fit` that differ in later rounds.
    committee : int
        Number of models, which differ by seed.
    explore : Exploration
        Dynamics that finds new structures.
    criterion : Criterion
        Criterion for a finished model.
    rounds : int
        Maximum number of rounds.
    seed : int
        All seeds derive from this one and the round.
    validation : float
        Fraction of the structures of each round used for validation.
    """

    start: File
    engine: EngineName
    sample: SamplingRecipe
    model: ArchitectureConfig
    conditions: Annotated[tuple[Conditions, ...], MinLen(1)]
    settings: Mapping[Name, object] = field(default_factory=dict)
    stress: bool = True
    held_back: File | Fraction = 0.2
    fit: FitSettings = field(default_factory=FitSettings)
    refit: Mapping[Name, object] = field(default_factory=dict)
    committee: Annotated[int, Interval(ge=2, le=100)] = 3
    explore: Exploration = field(default_factory=Exploration)
    criterion: Criterion = field(default_factory=Criterion)
    rounds: Count = 5
    seed: Seed = 0
    validation: Fraction = 0.1

    def __post_init__(self) -> None:
        pressures = [each.pressure_bar for each in self.conditions]
        if not self.stress and pressures != [None] * len(pressures):
            raise ValueError("conditions of constant pressure need `stress: true`")
        if self.fit.seed or "seed" in self.refit:
            raise ValueError("`seed` of the fit is not used: set the seed of the plan, `seed`")
        # Report invalid settings before the first label.
        checked_settings(self.engine, self.settings)
        try:
            self.fit_of(1)
        except ValueError as error:
            raise ValueError(f"`refit`: {error}") from None
        for each in self.conditions:
            DynamicsSettings(**each.settings(self.criterion.picoseconds))

    def fit_of(self, number: int) -> FitSettings:
        """Return the settings of the fit of a round."""
        if number == 0:
            return self.fit
        # Models that start from trained ones already have charges.
        return replace(self.fit, **{"bond_polarity": 0.0, **self.refit})  # type: ignore[arg-type]

    def structures(self, folder: Path) -> list[Atoms]:
        """Return the starting structures."""
        return all_frames(folder / self.start)

    def divided(self, samples: list[Atoms], folder: Path) -> tuple[list[Atoms], list[Atoms]]:
        """Return training structures and held-back structures."""
        if isinstance(self.held_back, str):
            return samples, all_frames(folder / self.held_back)
        kept, held = split(samples, self.held_back, "held_back")
        if not held:
            raise ValueError(
                f"`held_back: {self.held_back}` of {len(samples)} structures leaves none; "
                "increase it, or name a file"
            )
        return kept, held

    def quick(self) -> LearningPlan:
        """Return a short version that tests all steps; its models are poor."""
        return replace(
            self,
            fit=replace(self.fit, epochs=min(self.fit.epochs, 10)),
            refit={**self.refit, "epochs": 5},
            committee=2,
            explore=replace(self.explore, runs=2, picoseconds=0.1, structures=4),
            criterion=replace(self.criterion, runs=1, picoseconds=0.1),
            rounds=min(self.rounds, 2),
        )


def read_learning_plan(path: str | Path) -> tuple[LearningPlan, Path]:
    """Read a plan from YAML; return it with the folder that its paths refer to.

    Raises
    ------
    FileNotFoundError
        If the file does not exist.
    ValueError
        If it is not YAML, or an entry is unknown, missing or invalid.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(
            f"no plan at '{path}'; `ase-les learn --example` prints one to start from"
        )
    return read_configuration(LearningPlan, path), path.parent

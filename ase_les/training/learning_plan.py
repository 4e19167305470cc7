"""Contents of a ``plan.yml`` for active learning (`ase_les.training.learning`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import prod
from pathlib import Path
from typing import Any

from ase import Atoms

from ase_les.configuration import from_mapping, read_yaml
from ase_les.reading import all_frames
from ase_les.simulation.ensembles import DynamicsSettings
from ase_les.training.dataset import split
from ase_les.training.fit_settings import FitSettings
from ase_les.training.initial_model import ArchitectureConfig
from ase_les.training.moves import bare
from ase_les.training.sampling import SamplingRecipe

EXAMPLE = """\
# ase build -x rocksalt -a 5.64 --cubic NaCl nacl.traj     makes the structure to start from
# ase-les learn plan.yml                                   learns; started again, it goes on
start: nacl.traj
engine: ions                    # as of `ase-les label`: gpaw, tblite, module:function, les ...
settings: &ions
  charges: {Na: 1, Cl: -1}
  repulsion: {Na-Na: [424, 0.317], Na-Cl: [1256, 0.317], Cl-Cl: [3485, 0.317]}
sample:                         # structures of the first round
  calculator: {engine: ions, settings: *ions}
  moves:
    - {kind: rattle, structures: 10, stdev_A: 0.05}
    - {kind: rattle, structures: 10, stdev_A: 0.15}
    - {kind: dynamics, temperatures_K: [300, 600], structures: 5, timestep_fs: 2.0, stride: 50}
conditions:                     # that the model has to hold under
  - {temperature_K: 300, timestep_fs: 2.0}
  - {temperature_K: 500, timestep_fs: 2.0}
model:
  representation: {cutoff: 4.5, n_radial: 6, n_mixed: 4, n_embedding: 2, l_max: 2, nu_max: 3}
  long_range:
    charges: {formal_charges: {Na: 0.9, Cl: -0.9}}
    electrostatics: {smearing: 1.5}
fit: {epochs: 60, batch_size: 2}
refit: {epochs: 30}             # of later rounds, which start from the models of the one before
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


@dataclass(frozen=True)
class Conditions:
    """Conditions of dynamics.

    Parameters
    ----------
    temperature_K : float
    pressure_bar : float or None
        None keeps the cell.
    timestep_fs : float
    """

    temperature_K: float
    pressure_bar: float | None = None
    timestep_fs: float = 0.5

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


@dataclass(frozen=True)
class Exploration:
    """Dynamics of the committee that finds new structures.

    Parameters
    ----------
    runs : int
        In every round; starting structures and conditions in turn.
    picoseconds : float
        Of each run.
    structures : int
        Structures to label in every round: one half evenly spaced in time, on which the errors
        of the criterion are measured, the other half those of the largest disagreement.
    disagreement_eV_per_A : float
        A run stops where the committee disagrees by more about the force on an atom
        (``max_force_std_eV_per_A`` of dynamics).
    """

    runs: int = 4
    picoseconds: float = 1.0
    structures: int = 20
    disagreement_eV_per_A: float = 0.5

    def __post_init__(self) -> None:
        _check_positive(self, "runs", "picoseconds", "disagreement_eV_per_A")
        if self.structures < 2:
            raise ValueError(f"`structures` must be at least 2, got {self.structures}")


@dataclass(frozen=True)
class Criterion:
    """When a model holds: all runs are complete and the errors of its own dynamics are small.

    Parameters
    ----------
    runs : int
        From held-back structures, conditions in turn.
    picoseconds : float
        Of each run.
    repeat : tuple of 3 int
        Repetitions of the held-back structures along periodic directions.
    disagreement_eV_per_A : float
        A run fails where the committee disagrees by more about the force on an atom, or where an
        alarm of dynamics stops it (temperature, distances, forces).
    forces_rmse_meV_per_A : float
        Largest error of force components on newly labeled structures of the dynamics, evenly
        spaced in time.
    """

    runs: int = 3
    picoseconds: float = 2.0
    repeat: tuple[int, int, int] = (2, 1, 1)
    disagreement_eV_per_A: float = 0.5
    forces_rmse_meV_per_A: float = 100.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "repeat", tuple(self.repeat))
        _check_positive(
            self, "runs", "picoseconds", "disagreement_eV_per_A", "forces_rmse_meV_per_A"
        )

    def start(self, atoms: Atoms) -> Atoms:
        """Return a held-back structure, repeated."""
        repeat = [n if periodic else 1 for n, periodic in zip(self.repeat, atoms.pbc, strict=True)]
        start = bare(atoms).repeat(repeat)
        start.info["charge"] = atoms.info.get("charge", 0) * prod(repeat)
        return start


@dataclass(frozen=True)
class LearningPlan:
    """The contents of a ``plan.yml``.

    Parameters
    ----------
    start : str
        File of starting structures, relative to the folder of the plan. ``info["charge"]`` and
        ``info["spin"]`` are those of their samples.
    engine : str
        See `ase_les.training.engines.ENGINES`, or ``package.module:function``.
    sample : mapping
        Sampling recipe of the first round (`ase_les.training.sampling.SamplingRecipe`).
    model : ArchitectureConfig
    conditions : tuple of Conditions
    settings : mapping
        Of the engine.
    stress : bool
        Whether stresses are calculated; needed for constant pressure.
    held_back : str or float
        Structures from which the runs of the criterion start: a file, or the fraction of the
        samples of the first round, which are then not trained on.
    fit : FitSettings
        Of the first round.
    refit : mapping
        Entries of `fit` that differ in later rounds.
    committee : int
        Models, which differ by seed.
    explore : Exploration
    criterion : Criterion
    rounds : int
        Most rounds.
    seed : int
        All seeds derive from this one and the round.
    validation : float
        Fraction of the structures of each round that chooses the best epoch.
    """

    start: str
    engine: str
    sample: Mapping[str, object]
    model: ArchitectureConfig
    conditions: tuple[Conditions, ...]
    settings: Mapping[str, object] = field(default_factory=dict)
    stress: bool = True
    held_back: str | float = 0.2
    fit: FitSettings = field(default_factory=FitSettings)
    refit: Mapping[str, object] = field(default_factory=dict)
    committee: int = 3
    explore: Exploration = field(default_factory=Exploration)
    criterion: Criterion = field(default_factory=Criterion)
    rounds: int = 5
    seed: int = 0
    validation: float = 0.1

    def __post_init__(self) -> None:
        object.__setattr__(self, "conditions", tuple(self.conditions))
        if not self.conditions:
            raise ValueError("`conditions` needs at least one entry, such as {temperature_K: 300}")
        if self.committee < 2:
            raise ValueError(f"`committee` needs at least 2 models, got {self.committee}")
        _check_positive(self, "rounds")
        pressures = [each.pressure_bar for each in self.conditions]
        if not self.stress and pressures != [None] * len(pressures):
            raise ValueError("conditions of constant pressure need `stress: true`")
        # Errors of settings appear before the first label.
        SamplingRecipe.from_dict(self.sample)
        self.fit_of(1)
        for each in self.conditions:
            DynamicsSettings(**each.settings(self.criterion.picoseconds))

    def fit_of(self, number: int) -> FitSettings:
        """Return the settings of the fit of a round."""
        if number == 0:
            return self.fit
        unknown = sorted(set(self.refit) - set(vars(self.fit)))
        if unknown:
            raise ValueError(f"`refit` has unknown entries {unknown}; it takes those of `fit`")
        # Models that start from trained ones have their charges already.
        return replace(self.fit, **{"bond_polarity": 0.0, **self.refit})  # type: ignore[arg-type]

    def structures(self, folder: Path) -> list[Atoms]:
        """Return the starting structures."""
        return all_frames(folder / self.start)

    def divided(self, samples: list[Atoms], folder: Path) -> tuple[list[Atoms], list[Atoms]]:
        """Return structures to train on, and those held back."""
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
        """Return a short version, as a trial of everything: its models are poor."""
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
    given = read_yaml(path)
    if not isinstance(given, Mapping):
        raise ValueError(f"'{path}' needs a mapping of settings, got {given!r}")
    conditions = given.get("conditions", ())
    if isinstance(conditions, Mapping):
        conditions = [conditions]
    built = tuple(
        from_mapping(Conditions, each, f"conditions: {number}")
        for number, each in enumerate(conditions)
    )
    return from_mapping(LearningPlan, {**given, "conditions": built}), path.parent


def _check_positive(settings: object, *names: str) -> None:
    for name in names:
        if not getattr(settings, name) > 0:
            raise ValueError(f"`{name}` must be positive, got {getattr(settings, name)}")

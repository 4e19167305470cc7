"""What ensemble is sampled and how: the settings of a run, and the stages it is made of."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import NamedTuple

import numpy as np
from ase import units

from ase_les.simulation.observations import canonical_observations, with_default_strides

ENSEMBLES = (
    "nvt-bussi",
    "nvt-langevin",
    "nvt-nose-hoover",
    "nve",
    "npt-isotropic",
    "npt-anisotropic",
    "npt-in-plane",
)
WITHOUT_CONSERVED_QUANTITY = (
    "nvt-langevin",
    "npt-isotropic",
    "npt-anisotropic",
    "npt-in-plane",
)
BAR = 1e5 * units.Pascal
"""eV/Å³ per bar."""

Ramp = float | Sequence[float]


class Targets(NamedTuple):
    """What temperature, pressure and field should be at one step; None where nothing is asked."""

    temperature_K: float | None
    pressure_bar: float
    field_V_per_A: tuple[float, float, float] | None


@dataclass(frozen=True)
class Stage:
    """A part of a run: one ensemble, targets that stay or change evenly from start to end.

    What is None is as in the settings of the run (:class:`DynamicsSettings`).

    Attributes
    ----------
    name : str or None
        To be called by in messages and summary.
    steps : int
    ensemble : str
    temperature_K, pressure_bar : float or pair of floats
        A pair is a ramp: value at the start and at the end of the stage.
    field_V_per_A : three floats, or pair of three floats
        Uniform electric field; needs a calculator with an attribute of that name. None leaves
        the calculator's field alone. While it is ramped each step costs a second force call.
    thermostat_time_fs, barostat_time_fs, compressibility_per_bar : float
    observe : mapping or sequence
    """

    name: str | None = None
    steps: int | None = None
    ensemble: str | None = None
    temperature_K: Ramp | None = None
    pressure_bar: Ramp | None = None
    field_V_per_A: Sequence | None = None
    thermostat_time_fs: float | None = None
    barostat_time_fs: float | None = None
    compressibility_per_bar: float | None = None
    observe: Mapping | None = None

    def __post_init__(self) -> None:
        for name in ("temperature_K", "pressure_bar", "field_V_per_A"):
            object.__setattr__(self, name, _frozen(getattr(self, name)))
        if self.observe is not None:
            object.__setattr__(self, "observe", canonical_observations(self.observe))

    def targets(self, fraction: float) -> Targets:
        """What is aimed at when this fraction of the stage is done."""
        return Targets(
            _between(self.temperature_K, fraction, 0),
            _between(self.pressure_bar, fraction, 0),
            _between(self.field_V_per_A, fraction, 1),
        )

    @property
    def ramped(self) -> tuple[str, ...]:
        """Names of the targets that change."""
        depths = {"temperature_K": 0, "pressure_bar": 0, "field_V_per_A": 1}
        return tuple(
            name
            for name, depth in depths.items()
            if getattr(self, name) is not None and np.ndim(getattr(self, name)) > depth
        )

    @property
    def conserves(self) -> bool:
        """Whether there is a conserved quantity all the while."""
        if self.ensemble in WITHOUT_CONSERVED_QUANTITY or "field_V_per_A" in self.ramped:
            return False
        return not (self.ensemble == "nvt-nose-hoover" and self.ramped)

    @property
    def barostatted(self) -> bool:
        return self.ensemble.startswith("npt")


@dataclass(frozen=True)
class DynamicsSettings:
    """How the atoms move; what the summary records and a resumed run goes by.

    Attributes
    ----------
    ensemble : str
        =====================  ================================================================
        ``"nvt-bussi"``        stochastic velocity rescaling [1]_
        ``"nvt-langevin"``     Langevin dynamics [2]_; the only one for every ASE constraint
        ``"nvt-nose-hoover"``  chain of three thermostats [3]_; free atoms or FixAtoms
        ``"nve"``              velocity Verlet
        ``"npt-isotropic"``    stochastic rescaling of cell [4]_ and velocities, shape kept
        ``"npt-anisotropic"``  each lattice vector has a length of its own, angles are kept
        ``"npt-in-plane"``     slabs: the two periodic vectors, each for itself; vacuum kept
        =====================  ================================================================

        The constant-pressure ensembles need the stress at every step, and free atoms or FixAtoms
        (fixed within the cell). ASE's Martyna–Tobias–Klein classes refuse any constraint, even
        a held centre of mass, and are not used.
    temperature_K : float, pair of floats or None
        Of the thermostat, and of the Maxwell–Boltzmann distribution where the structure has no
        velocities. May be None for NVE when it has. A pair is a ramp from start to end.
    timestep_fs : float
        About 0.5 with hydrogen, 1 to 2 without.
    steps : int
        Steps in all, those before a restart included.
    thermostat_time_fs : float
        Relaxation time of the kinetic energy (Bussi, Nosé–Hoover), inverse friction (Langevin).
        Bussi hardly disturbs the dynamics; Langevin slows diffusion when this time is short.
    seed : int
        Of the velocities and of the thermostat's noise.
    trajectory_stride, log_stride, checkpoint_stride : int
        Steps between frames, log lines and checkpoints. A crash costs at most one checkpoint
        stride of computing, never data.
    max_temperature_K : float
        Above it the run stops: the time step was too long, or the atoms have left the region
        the calculator can describe.
    pressure_bar : float or pair of floats
        Of the barostat. A slab's is per volume of its cell as given, vacuum included: keep 0.
    barostat_time_fs, compressibility_per_bar : float
        Relaxation time of the volume if the compressibility is this one (water's by default).
        Neither changes what is sampled.
    field_V_per_A : three floats, pair of three floats, or None
        See :class:`Stage`.
    observe : mapping or sequence
        What to measure while running: ``{"current": 4, "dipole": 5}``, stride by name, a mapping
        of ``stride`` and options, or names alone; see ``ase_les.simulation.observations``.
    max_temperature_jump_K : float
        Largest believable change of temperature within one step.
    min_distance_A : float or None
        Atoms closer than this stop the run. None: 0.85 times the closest contact the model was
        trained on, if its card says, else half the sum of the covalent radii.
    max_force_eV_per_A : float or None
        Forces beyond it stop the run. None: twice the largest force in the training data, if
        the model's card says, else no limit.
    max_dipole_change_eA : float or None
        An observed dipole that moves away from its first value by more stops the run.
    alarm_stride : int
        Steps between looks at distances and forces; the temperature is watched at each.
    trajectory_properties : sequence of str or None
        What each frame holds beside positions and velocities, calculated if need be. None:
        whatever the step has calculated anyway.
    stages : sequence of Stage
        Parts of a staged run, one after another; none is one stage of these settings.

    Raises
    ------
    ValueError
        If a value is impossible or a needed one is missing.

    References
    ----------
    .. [1] G. Bussi, D. Donadio, M. Parrinello, J. Chem. Phys. 126, 014101 (2007).
    .. [2] E. Vanden-Eijnden, G. Ciccotti, Chem. Phys. Lett. 429, 310 (2006).
    .. [3] G. J. Martyna, M. L. Klein, M. E. Tuckerman, J. Chem. Phys. 97, 2635 (1992).
    .. [4] M. Bernetti, G. Bussi, J. Chem. Phys. 153, 114107 (2020).
    """

    ensemble: str = "nvt-bussi"
    temperature_K: Ramp | None = None
    timestep_fs: float = 0.5
    steps: int = 1000
    thermostat_time_fs: float = 100.0
    seed: int = 0
    trajectory_stride: int = 10
    log_stride: int = 10
    checkpoint_stride: int = 200
    max_temperature_K: float = 20_000.0
    pressure_bar: Ramp = 0.0
    barostat_time_fs: float = 1000.0
    compressibility_per_bar: float = 4.6e-5
    field_V_per_A: Sequence | None = None
    observe: Mapping = field(default_factory=dict)
    max_temperature_jump_K: float = 5_000.0
    min_distance_A: float | None = None
    max_force_eV_per_A: float | None = None
    max_dipole_change_eA: float | None = None
    alarm_stride: int = 10
    trajectory_properties: Sequence[str] | None = None
    stages: Sequence[Stage] = ()

    def __post_init__(self) -> None:
        for name in ("temperature_K", "pressure_bar", "field_V_per_A", "trajectory_properties"):
            object.__setattr__(self, name, _frozen(getattr(self, name)))
        for name in ("timestep_fs", "max_temperature_K", "max_temperature_jump_K"):
            _positive(name, getattr(self, name))
        observe = with_default_strides(canonical_observations(self.observe), self.timestep_fs)
        object.__setattr__(self, "observe", observe)
        stages = tuple(_with_strides(_as_stage(each), self.timestep_fs) for each in self.stages)
        object.__setattr__(self, "stages", stages)
        for name in ("min_distance_A", "max_force_eV_per_A", "max_dipole_change_eA"):
            if getattr(self, name) is not None:
                _positive(name, getattr(self, name))
        for name, least in (
            ("seed", 0),
            ("trajectory_stride", 1),
            ("log_stride", 1),
            ("checkpoint_stride", 1),
            ("alarm_stride", 1),
        ):
            _integer(name, getattr(self, name), least)
        for stage in self.protocol:
            try:
                self._check(stage)
            except ValueError as error:
                if not self.stages:
                    raise
                raise ValueError(f"{stage.name}: {error}") from error
        _same_options(self.protocol)

    @property
    def protocol(self) -> tuple[Stage, ...]:
        """The stages with nothing left open."""
        shared = {entry.name: getattr(self, entry.name, None) for entry in fields(Stage)}
        return tuple(
            replace(
                stage,
                **{name: shared[name] for name in shared if getattr(stage, name) is None},
            )
            for stage in _named(self.stages)
        )

    @property
    def total_steps(self) -> int:
        return sum(stage.steps for stage in self.protocol)

    @property
    def observed(self) -> dict[str, dict[str, object]]:
        """Options of all that is observed in any stage, by name."""
        return {name: dict(how) for stage in self.protocol for name, how in stage.observe.items()}

    def lengthened(self, steps: int) -> DynamicsSettings:
        """With another total number of steps, done in the last stage.

        Raises
        ------
        ValueError
            If the last stage has a ramp, whose past would change, or began later than that.
        """
        if steps == self.total_steps:
            return self
        last = self.protocol[-1]
        if last.ramped:
            raise ValueError(
                f"a stage that ramps {', '.join(last.ramped)} cannot be given another number of "
                "steps: what it did already would change. Start a new run from its last frame"
            )
        if not self.stages:
            return replace(self, steps=steps)
        rest = steps - (self.total_steps - last.steps)
        if rest < 0:
            raise ValueError(f"`steps` = {steps} would end before the last stage begins")
        return replace(self, stages=(*self.stages[:-1], replace(self.stages[-1], steps=rest)))

    def _check(self, stage: Stage) -> None:
        if stage.ensemble not in ENSEMBLES:
            raise ValueError(f"`ensemble` must be one of {ENSEMBLES}, got {stage.ensemble!r}")
        _integer("steps", stage.steps, 0)
        for name in ("thermostat_time_fs", "barostat_time_fs", "compressibility_per_bar"):
            _positive(name, getattr(stage, name))
        self._check_temperature(stage)
        if not np.isfinite(_ends(stage.pressure_bar, "pressure_bar")).all():
            raise ValueError(f"`pressure_bar` must be finite, got {stage.pressure_bar}")
        if stage.field_V_per_A is not None:
            values = _array(stage.field_V_per_A, "field_V_per_A")
            if values.shape not in ((3,), (2, 3)) or not np.isfinite(values).all():
                raise ValueError(
                    "`field_V_per_A` must be three finite numbers, or a pair of such for a ramp, "
                    f"got {stage.field_V_per_A!r}"
                )
        if stage.ensemble == "nvt-langevin" and stage.thermostat_time_fs < 10 * self.timestep_fs:
            raise ValueError(
                f"`thermostat_time_fs` = {stage.thermostat_time_fs} is too short for Langevin "
                f"dynamics with `timestep_fs` = {self.timestep_fs}: the integrator expands in "
                "their ratio. Use at least 10 time steps"
            )

    def _check_temperature(self, stage: Stage) -> None:
        if stage.temperature_K is None:
            if stage.ensemble != "nve":
                raise ValueError(f"ensemble '{stage.ensemble}' needs `temperature_K`")
            return
        for temperature in _ends(stage.temperature_K, "temperature_K"):
            from_rest = temperature == 0 and stage.ensemble == "nve"
            if not (math.isfinite(temperature) and (temperature > 0 or from_rest)):
                raise ValueError(
                    f"`temperature_K` must be positive and finite, got {stage.temperature_K}"
                )
            if temperature >= self.max_temperature_K:
                raise ValueError(
                    f"`temperature_K` = {temperature} is not below `max_temperature_K` = "
                    f"{self.max_temperature_K}, where a run stops; raise the latter"
                )


def _named(stages: Sequence[Stage]) -> tuple[Stage, ...]:
    """Stages without a name are called by their number; no stages are one."""
    if not stages:
        return (Stage(name="run"),)
    return tuple(
        replace(stage, name=stage.name or f"stage {number}")
        for number, stage in enumerate(stages, start=1)
    )


def _as_stage(given: Stage | Mapping) -> Stage:
    if isinstance(given, Stage):
        return given
    known = [entry.name for entry in fields(Stage)]
    if not isinstance(given, Mapping) or not set(given) <= set(known):
        unknown = sorted(set(given) - set(known)) if isinstance(given, Mapping) else given
        raise ValueError(f"a stage has no {unknown}; it has {', '.join(known)}")
    return Stage(**given)


def _with_strides(stage: Stage, timestep_fs: float) -> Stage:
    if stage.observe is None:
        return stage
    return replace(stage, observe=with_default_strides(stage.observe, timestep_fs))


def _same_options(stages: Sequence[Stage]) -> None:
    """What is observed in several stages ends in one file: only its stride may change."""
    seen: dict[str, dict] = {}
    for stage in stages:
        for name, how in stage.observe.items():
            options = {key: value for key, value in how.items() if key != "stride"}
            if seen.setdefault(name, options) != options:
                raise ValueError(
                    f"`observe` has different options of '{name}' in different stages "
                    f"({seen[name]} and {options}); only the stride may differ"
                )


def _frozen(value: object) -> object:
    """The same value with tuples for lists, so that it equals itself after a trip through JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, Sequence | np.ndarray):
        return tuple(_frozen(each) for each in value)
    return value


def _between(ends: Ramp | Sequence | None, fraction: float, depth: int):
    if ends is None or np.ndim(ends) == depth:
        return ends
    first, last = (np.asarray(end, dtype=float) for end in ends)
    value = first + fraction * (last - first)
    return tuple(value.tolist()) if depth else float(value)


def _array(value: object, name: str) -> np.ndarray:
    try:
        return np.array(value, dtype=float)
    except (TypeError, ValueError):
        raise ValueError(f"`{name}` must hold numbers, got {value!r}") from None


def _ends(value: Ramp, name: str) -> tuple[float, ...]:
    values = _array(value, name)
    if values.shape not in ((), (2,)):
        raise ValueError(f"`{name}` must be a number, or a pair of them for a ramp, got {value!r}")
    return tuple(values.ravel().tolist())


def _positive(name: str, value: float) -> None:
    if not (math.isfinite(value) and value > 0):
        raise ValueError(f"`{name}` must be positive and finite, got {value}")


def _integer(name: str, value: int, least: int) -> None:
    if not isinstance(value, int) or value < least:
        raise ValueError(f"`{name}` must be an integer of at least {least}, got {value!r}")

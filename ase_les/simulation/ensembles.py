"""Settings of a dynamics run: ensemble, targets and the stages of a run."""

from __future__ import annotations

import math
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, NamedTuple

import numpy as np
from ase import units

from ase_les.arguments import require_integer, require_one_of, require_positive, settings_of
from ase_les.simulation.numbers import (
    Ramp,
    as_array,
    as_tuples,
    ends_of,
    interpolated,
)
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
#: Range of plausible time steps in fs; values in other units differ by powers of ten.
SHORTEST_TIMESTEP_FS, LONGEST_TIMESTEP_FS = 1e-4, 100.0
#: Largest plausible field in V/Å.
LARGEST_FIELD_V_PER_A = 10.0
#: eV/Å³ per bar.
BAR = 1e5 * units.Pascal

#: Targets that may be ramped, and the number of dimensions of a constant value.
_TARGET_DIMENSIONS = {"temperature_K": 0, "pressure_bar": 0, "field_V_per_A": 1}


class Targets(NamedTuple):
    """Target values of temperature, pressure and field at one step; None if not applicable."""

    temperature_K: float | None
    pressure_bar: float
    field_V_per_A: tuple[float, float, float] | None


def random_seed() -> int:
    """Return a seed that differs from run to run."""
    return secrets.randbelow(2**31)


@dataclass(frozen=True)
class Stage:
    """Part of a run in one ensemble, with targets that are constant or ramped linearly.

    Fields that are None are taken from the settings of the run (:class:`DynamicsSettings`).

    Attributes
    ----------
    name : str or None
        Name in messages and in the summary.
    steps : int
    ensemble : str
    temperature_K, pressure_bar : float or pair of floats
        A pair is a ramp: the values at the start and at the end of the stage.
    field_V_per_A : three floats, or pair of three floats
        Uniform electric field; needs a calculator with an attribute of that name. With None, the
        field of the calculator is not changed. A ramp of the field needs two force calls per
        step.
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
        for name in _TARGET_DIMENSIONS:
            object.__setattr__(self, name, as_tuples(getattr(self, name)))
        if self.observe is not None:
            object.__setattr__(self, "observe", canonical_observations(self.observe))

    def targets(self, fraction: float) -> Targets:
        """Return the targets when this fraction of the stage is completed."""
        values = (
            interpolated(getattr(self, name), fraction, dimensions)
            for name, dimensions in _TARGET_DIMENSIONS.items()
        )
        return Targets(*values)

    @property
    def ramped(self) -> tuple[str, ...]:
        """Names of the targets that are ramped."""
        return tuple(
            name
            for name, dimensions in _TARGET_DIMENSIONS.items()
            if getattr(self, name) is not None and np.ndim(getattr(self, name)) > dimensions
        )


@dataclass(frozen=True)
class ResolvedStage(Stage):
    """Stage in which all fields are set; see :attr:`DynamicsSettings.protocol`."""

    name: str = "run"
    steps: int = 0
    ensemble: str = "nve"
    pressure_bar: Ramp = 0.0
    thermostat_time_fs: float = 100.0
    barostat_time_fs: float = 1000.0
    compressibility_per_bar: float = 4.6e-5
    observe: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def conserves(self) -> bool:
        """Return whether a conserved quantity exists during the whole stage."""
        if self.ensemble in WITHOUT_CONSERVED_QUANTITY or "field_V_per_A" in self.ramped:
            return False
        return not (self.ensemble == "nvt-nose-hoover" and self.ramped)

    @property
    def barostatted(self) -> bool:
        """Return whether the cell changes."""
        return self.ensemble.startswith("npt")


@dataclass(frozen=True)
class DynamicsSettings:
    """Settings of a dynamics run, recorded in its summary and checkpoint.

    Attributes
    ----------
    ensemble : str
        =====================  ================================================================
        ``"nvt-bussi"``        stochastic velocity rescaling [1]_
        ``"nvt-langevin"``     Langevin dynamics [2]_; supports every ASE constraint
        ``"nvt-nose-hoover"``  chain of three thermostats [3]_; free atoms or FixAtoms
        ``"nve"``              velocity Verlet
        ``"npt-isotropic"``    stochastic rescaling of cell [4]_ and velocities, constant shape
        ``"npt-anisotropic"``  independent lengths of the lattice vectors, constant angles
        ``"npt-in-plane"``     slabs: independent lengths of the two periodic vectors
        =====================  ================================================================

        The constant-pressure ensembles need the stress at every step, and free atoms or FixAtoms
        (fixed fractional coordinates). ASE's Martyna–Tobias–Klein classes do not support
        constraints, including a fixed center of mass, and are not used.
    temperature_K : float, pair of floats or None
        Temperature of the thermostat, and of the Maxwell–Boltzmann distribution if the structure
        has no velocities. May be None for NVE with velocities. A pair is a ramp from start to
        end.
    timestep_fs : float
        About 0.5 with hydrogen, 1 to 2 without.
    steps : int
        Total number of steps, including those before a restart.
    thermostat_time_fs : float
        Relaxation time of the kinetic energy (Bussi, Nosé–Hoover), inverse friction (Langevin).
        Bussi hardly disturbs the dynamics; Langevin slows diffusion if this time is short.
    seed : int or None
        Random seed of velocities and thermostat noise. None: a random seed, which is recorded.
    trajectory_stride, log_stride, checkpoint_stride : int
        Steps between frames, log lines and checkpoints. After a crash, at most one checkpoint
        stride is computed again; no data are lost.
    max_temperature_K : float
        The run stops above this temperature: the time step is too long, or the structure has left
        the domain of the calculator.
    pressure_bar : float or pair of floats
        Pressure of the barostat. For slabs it refers to the volume of the whole cell, including
        vacuum; use 0.
    barostat_time_fs, compressibility_per_bar : float
        Relaxation time of the volume for this compressibility (by default that of water). Neither
        changes the sampled ensemble.
    field_V_per_A : three floats, pair of three floats, or None
        See :class:`Stage`.
    observe : mapping or sequence
        Quantities to measure during the run: ``{"current": 4, "dipole": 5}``, strides by name, a
        mapping of ``stride`` and options, or names only; see ``ase_les.simulation.observations``.
    max_temperature_jump_K : float
        The run stops if the temperature rises by more than this within one step.
    min_distance_A : float or None
        The run stops if two atoms are closer than this. None: 0.85 times the closest contact in
        the training data, if the model card contains it, else half the sum of the covalent radii.
    max_force_eV_per_A : float or None
        The run stops above this force. None: twice the largest force in the training data, if the
        model card contains it, else no limit.
    max_force_std_eV_per_A : float or None
        The run stops if the members of a committee disagree about the force on an atom by more
        than this: the root of the summed variances of its components.
    max_dipole_change_eA : float or None
        The run stops if an observed dipole differs by more than this from its first value.
    alarm_stride : int
        Steps between checks of distances and forces; the temperature is checked at every step.
    trajectory_properties : sequence of str or None
        Properties in each frame besides positions and velocities, calculated if necessary. None:
        those that the step has calculated.
    stages : sequence of Stage
        Parts of the run in order; empty for one stage with these settings.
    beyond_limits : bool
        Allow calculations beyond the limits of the model, see `ase_les.model_limits`.

    Raises
    ------
    ValueError
        If a value is invalid or missing.

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
    seed: int | None = None
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
    max_force_std_eV_per_A: float | None = None
    max_dipole_change_eA: float | None = None
    alarm_stride: int = 10
    trajectory_properties: Sequence[str] | None = None
    stages: Sequence[Stage] = ()
    beyond_limits: bool = False

    def __post_init__(self) -> None:
        if self.seed is None:
            object.__setattr__(self, "seed", random_seed())
        for name in (*_TARGET_DIMENSIONS, "trajectory_properties"):
            object.__setattr__(self, name, as_tuples(getattr(self, name)))
        for name in ("timestep_fs", "max_temperature_K", "max_temperature_jump_K"):
            require_positive(name, getattr(self, name))
        if not SHORTEST_TIMESTEP_FS <= self.timestep_fs <= LONGEST_TIMESTEP_FS:
            raise ValueError(
                f"`timestep_fs` must be between {SHORTEST_TIMESTEP_FS:g} and "
                f"{LONGEST_TIMESTEP_FS:g} fs, got {self.timestep_fs}; the unit is fs (1e-15 s)"
            )
        observe = with_default_strides(canonical_observations(self.observe), self.timestep_fs)
        object.__setattr__(self, "observe", observe)
        stages = tuple(_with_strides(_as_stage(each), self.timestep_fs) for each in self.stages)
        object.__setattr__(self, "stages", stages)
        for name in (
            *("min_distance_A", "max_force_eV_per_A", "max_force_std_eV_per_A"),
            "max_dipole_change_eA",
        ):
            if getattr(self, name) is not None:
                require_positive(name, getattr(self, name))
        strides = ("trajectory_stride", "log_stride", "checkpoint_stride", "alarm_stride")
        for name, minimum in (("seed", 0), *((stride, 1) for stride in strides)):
            require_integer(name, getattr(self, name), minimum)
        for stage in self.protocol:
            try:
                self._check(stage)
            except ValueError as error:
                if not self.stages:
                    raise
                raise ValueError(f"{stage.name}: {error}") from error
        _require_same_options(self.protocol)

    @property
    def protocol(self) -> tuple[ResolvedStage, ...]:
        """Stages in which all fields are set."""
        names = [entry.name for entry in fields(Stage)]
        shared = {name: getattr(self, name) for name in names if name != "name"}
        return tuple(
            ResolvedStage(
                **{
                    **shared,
                    "name": f"stage {number}" if self.stages else "run",
                    **{
                        name: value for name in names if (value := getattr(stage, name)) is not None
                    },
                }
            )
            for number, stage in enumerate(self.stages or (Stage(),), start=1)
        )

    @property
    def total_steps(self) -> int:
        """Number of steps of all stages."""
        return sum(stage.steps for stage in self.protocol)

    @property
    def observed(self) -> dict[str, dict[str, Any]]:
        """Options of all observables of any stage, by name."""
        return {
            name: dict(options)
            for stage in self.protocol
            for name, options in stage.observe.items()
        }

    def lengthened(self, steps: int) -> DynamicsSettings:
        """Return these settings with a different total number of steps; the last stage changes.

        Raises
        ------
        ValueError
            If the last stage has a ramp, whose completed part would change, or starts later.
        """
        if steps == self.total_steps:
            return self
        last = self.protocol[-1]
        if last.ramped:
            raise ValueError(
                f"the number of steps of a stage with a ramp ({', '.join(last.ramped)}) cannot be "
                "changed, because its completed part would change. Start a new run from the last "
                "frame"
            )
        if not self.stages:
            return replace(self, steps=steps)
        rest = steps - (self.total_steps - last.steps)
        if rest < 0:
            raise ValueError(f"`steps` = {steps} is before the start of the last stage")
        return replace(self, stages=(*self.stages[:-1], replace(self.stages[-1], steps=rest)))

    def _check(self, stage: ResolvedStage) -> None:
        require_one_of("ensemble", stage.ensemble, ENSEMBLES)
        require_integer("steps", stage.steps, 0)
        for name in ("thermostat_time_fs", "barostat_time_fs", "compressibility_per_bar"):
            require_positive(name, getattr(stage, name))
        self._check_temperature(stage)
        if not np.isfinite(ends_of(stage.pressure_bar, "pressure_bar")).all():
            raise ValueError(f"`pressure_bar` must be finite, got {stage.pressure_bar}")
        if stage.field_V_per_A is not None:
            values = as_array(stage.field_V_per_A, "field_V_per_A")
            if values.shape not in ((3,), (2, 3)) or not np.isfinite(values).all():
                raise ValueError(
                    "`field_V_per_A` must be three finite numbers, or a pair of them for a ramp, "
                    f"got {stage.field_V_per_A!r}"
                )
            if np.linalg.norm(values, axis=-1).max() > LARGEST_FIELD_V_PER_A:
                raise ValueError(
                    f"`field_V_per_A` must be at most {LARGEST_FIELD_V_PER_A:g} V/Å, got "
                    f"{stage.field_V_per_A!r}; 1 V/m is 1e-10 V/Å"
                )
        if stage.ensemble == "nvt-langevin" and stage.thermostat_time_fs < 10 * self.timestep_fs:
            raise ValueError(
                f"`thermostat_time_fs` = {stage.thermostat_time_fs} is too short for Langevin "
                f"dynamics with `timestep_fs` = {self.timestep_fs}: the integrator expands in "
                "their ratio. Use at least 10 time steps"
            )

    def _check_temperature(self, stage: ResolvedStage) -> None:
        if stage.temperature_K is None:
            if stage.ensemble != "nve":
                raise ValueError(f"ensemble '{stage.ensemble}' needs `temperature_K`")
            return
        for temperature in ends_of(stage.temperature_K, "temperature_K"):
            from_rest = temperature == 0 and stage.ensemble == "nve"
            if not (math.isfinite(temperature) and (temperature > 0 or from_rest)):
                raise ValueError(
                    f"`temperature_K` must be positive and finite, got {stage.temperature_K}"
                )
            if temperature >= self.max_temperature_K:
                raise ValueError(
                    f"`temperature_K` = {temperature} is not below `max_temperature_K` = "
                    f"{self.max_temperature_K}, at which the run stops; increase the latter"
                )


def _as_stage(given: Stage | Mapping) -> Stage:
    if isinstance(given, Stage):
        return given
    if not isinstance(given, Mapping):
        raise ValueError(f"a stage is a mapping of settings, got {given!r}")
    return settings_of(Stage, given, "a stage")


def _with_strides(stage: Stage, timestep_fs: float) -> Stage:
    if stage.observe is None:
        return stage
    return replace(stage, observe=with_default_strides(stage.observe, timestep_fs))


def _require_same_options(stages: Sequence[ResolvedStage]) -> None:
    """Refuse different options of one observable: all stages share a file; strides may differ."""
    seen: dict[str, dict] = {}
    for stage in stages:
        for name, observed in stage.observe.items():
            options = {key: value for key, value in observed.items() if key != "stride"}
            if seen.setdefault(name, options) != options:
                raise ValueError(
                    f"`observe` has different options for '{name}' in different stages "
                    f"({seen[name]} and {options}); only the stride may differ"
                )

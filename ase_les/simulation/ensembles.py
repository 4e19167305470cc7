"""What ensemble is sampled and how: the settings of a run, and the integrator they mean."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from ase import Atoms, units
from ase.md.bussi import Bussi
from ase.md.langevin import Langevin
from ase.md.md import MolecularDynamics
from ase.md.verlet import VelocityVerlet

ENSEMBLES = ("nvt-bussi", "nvt-langevin", "nve")


@dataclass(frozen=True)
class DynamicsSettings:
    """How the atoms move; what the summary records and a resumed run goes by.

    Attributes
    ----------
    ensemble : str
        ``"nvt-bussi"`` (stochastic velocity rescaling [1]_), ``"nvt-langevin"`` [2]_ or
        ``"nve"`` (velocity Verlet).
    temperature_K : float or None
        Of the thermostat, and of the Maxwell–Boltzmann distribution where the structure has no
        velocities. May be None for NVE when it has.
    timestep_fs : float
        About 0.5 with hydrogen, 1 to 2 without.
    steps : int
        Steps in all, those before a restart included.
    thermostat_time_fs : float
        Relaxation time of the kinetic energy (Bussi), inverse friction (Langevin). Bussi hardly
        disturbs the dynamics; Langevin slows diffusion when this time is short.
    seed : int
        Of the velocities and of the thermostat's noise.
    trajectory_stride, log_stride, checkpoint_stride : int
        Steps between frames, log lines and checkpoints. A crash costs at most one checkpoint
        stride of computing, never data.
    max_temperature_K : float
        Above it the run stops: the time step was too long, or the atoms have left the region
        the calculator can describe.

    Raises
    ------
    ValueError
        If a value is impossible or a needed one is missing.

    References
    ----------
    .. [1] G. Bussi, D. Donadio, M. Parrinello, J. Chem. Phys. 126, 014101 (2007).
    .. [2] E. Vanden-Eijnden, G. Ciccotti, Chem. Phys. Lett. 429, 310 (2006).
    """

    ensemble: str = "nvt-bussi"
    temperature_K: float | None = None
    timestep_fs: float = 0.5
    steps: int = 1000
    thermostat_time_fs: float = 100.0
    seed: int = 0
    trajectory_stride: int = 10
    log_stride: int = 10
    checkpoint_stride: int = 100
    max_temperature_K: float = 20_000.0

    def __post_init__(self) -> None:
        if self.ensemble not in ENSEMBLES:
            raise ValueError(f"`ensemble` must be one of {ENSEMBLES}, got {self.ensemble!r}")
        for name in ("timestep_fs", "thermostat_time_fs", "max_temperature_K"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise ValueError(f"`{name}` must be positive and finite, got {value}")
        for name, least in (
            ("steps", 0),
            ("seed", 0),
            ("trajectory_stride", 1),
            ("log_stride", 1),
            ("checkpoint_stride", 1),
        ):
            value = getattr(self, name)
            if not isinstance(value, int) or value < least:
                raise ValueError(f"`{name}` must be an integer of at least {least}, got {value!r}")
        self._check_temperature()
        if self.ensemble == "nvt-langevin" and self.thermostat_time_fs < 10 * self.timestep_fs:
            raise ValueError(
                f"`thermostat_time_fs` = {self.thermostat_time_fs} is too short for Langevin "
                f"dynamics with `timestep_fs` = {self.timestep_fs}: the integrator expands in "
                "their ratio. Use at least 10 time steps"
            )

    def _check_temperature(self) -> None:
        if self.temperature_K is None:
            if self.ensemble != "nve":
                raise ValueError(f"ensemble '{self.ensemble}' needs `temperature_K`")
            return
        from_rest = self.temperature_K == 0 and self.ensemble == "nve"
        if not (math.isfinite(self.temperature_K) and (self.temperature_K > 0 or from_rest)):
            raise ValueError(
                f"`temperature_K` must be positive and finite, got {self.temperature_K}"
            )
        if self.temperature_K >= self.max_temperature_K:
            raise ValueError(
                f"`temperature_K` = {self.temperature_K} is not below `max_temperature_K` = "
                f"{self.max_temperature_K}, where a run stops; raise the latter"
            )


def make_integrator(
    atoms: Atoms, settings: DynamicsSettings, rng: np.random.Generator, degrees_of_freedom: int
) -> MolecularDynamics:
    """ASE's integrator for these settings.

    Parameters
    ----------
    atoms : Atoms
        Moved in place by the integrator.
    settings : DynamicsSettings
    rng : numpy.random.Generator
        Source of the thermostat's noise.
    degrees_of_freedom : int
        That share the kinetic energy at the temperature asked for.
    """
    timestep = settings.timestep_fs * units.fs
    relaxation_time = settings.thermostat_time_fs * units.fs
    if settings.ensemble == "nve":
        return VelocityVerlet(atoms, timestep)
    if settings.ensemble == "nvt-langevin":
        # The centre of mass is held by a constraint: `fixcm=True` samples slightly wrongly.
        return Langevin(
            atoms,
            timestep,
            temperature_K=settings.temperature_K,
            friction=1 / relaxation_time,
            fixcm=False,
            rng=rng,
        )
    bussi = Bussi(atoms, timestep, settings.temperature_K, relaxation_time, rng=rng)
    # ASE subtracts constraints only; a molecule that does not rotate would be run too hot.
    bussi.ndof = degrees_of_freedom
    bussi.target_kinetic_energy = 0.5 * bussi.temp * degrees_of_freedom
    return bussi

"""ASE's integrators with targets that can be ramped and a state for exact restarts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, TypeVar

import numpy as np
from ase import Atoms, units
from ase.constraints import FixAtoms, FixCom
from ase.md.bussi import Bussi
from ase.md.langevin import Langevin
from ase.md.nose_hoover_chain import NoseHooverChainNVT
from ase.md.verlet import VelocityVerlet

from ase_les.simulation.cell_rescaling import StochasticCellRescaling
from ase_les.simulation.ensembles import BAR, Stage, Targets
from ase_les.simulation.states import Stateless

T = TypeVar("T")
SCALED_VECTORS = {
    "npt-isotropic": np.ones((1, 3), dtype=bool),
    "npt-anisotropic": np.eye(3, dtype=bool),
}


class Integrator(Protocol):
    """Integrator of the equations of motion."""

    def step(self, forces: np.ndarray | None = None) -> np.ndarray | None:
        """Advance by one time step.

        Take the forces at the current positions, if known, and return those at the new ones:
        requesting them from the calculator again would compare all atoms.
        """
        ...

    def todict(self) -> dict: ...

    def set_targets(self, targets: Targets) -> None:
        """Set the targets, which a ramp changes at every step."""
        ...

    def given_energy(self) -> float:
        """Return the energy received from the thermostat in eV.

        Total energy minus this is conserved; nan if no such quantity exists.
        """
        ...

    def state(self) -> dict[str, np.ndarray]:
        """Return the state that the next step depends on, besides atoms and random numbers."""
        ...

    def restore(self, state: Mapping[str, np.ndarray]) -> None: ...


class ConstantEnergy(Stateless, VelocityVerlet):
    """Velocity Verlet."""

    def set_targets(self, targets: Targets) -> None:
        pass

    def given_energy(self) -> float:
        return 0.0


class VelocityRescaling(Bussi):
    """Bussi's thermostat for a given number of degrees of freedom."""

    def __init__(self, atoms: Atoms, degrees_of_freedom: int, **settings: Any) -> None:
        # ASE subtracts constraints only: a molecule without rotation would become too hot. It
        # does not support symmetry constraints.
        constraints = atoms.constraints
        atoms.set_constraint()
        super().__init__(atoms, **settings)
        atoms.set_constraint(constraints)
        self.ndof = degrees_of_freedom

    def set_targets(self, targets: Targets) -> None:
        self.temp = _given(targets.temperature_K) * units.kB
        self.target_kinetic_energy = 0.5 * self.temp * self.ndof

    def given_energy(self) -> float:
        return self.transferred_energy

    def state(self) -> dict[str, np.ndarray]:
        return {"given_energy": np.array(self.transferred_energy)}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        self.transferred_energy = float(state["given_energy"])


class LangevinNoise(Stateless, Langevin):
    """Langevin dynamics, without a conserved quantity."""

    def set_targets(self, targets: Targets) -> None:
        self.set_temperature(temperature_K=_given(targets.temperature_K))

    def given_energy(self) -> float:
        return np.nan


class NoseHooverChain(NoseHooverChainNVT):
    """ASE's Nosé–Hoover chain for a given number of degrees of freedom.

    ASE's class always assumes 3N degrees of freedom, so that a system with constraints becomes
    too hot.
    """

    def __init__(self, atoms: Atoms, degrees_of_freedom: int, **settings: Any) -> None:
        _allow_only_fixed_atoms(atoms, "Nosé–Hoover dynamics")
        super().__init__(atoms, **settings)
        self._degrees_of_freedom = degrees_of_freedom
        # ASE uses this number only to compute the degrees of freedom, 3N.
        self._thermostat._num_atoms_global = degrees_of_freedom / 3  # type: ignore[assignment]

    def set_targets(self, targets: Targets) -> None:
        thermostat = self._thermostat
        thermostat._kT = _given(targets.temperature_K) * units.kB
        thermostat._Q[:] = thermostat._kT * thermostat._tdamp**2
        thermostat._Q[0] *= self._degrees_of_freedom

    def step(  # type: ignore[override]  # ASE passes no forces
        self, forces: np.ndarray | None = None
    ) -> np.ndarray:
        r"""Advance by one time step, with one force call.

        .. math::
            e^{L_\mathrm{NHC}\Delta t/2}\, e^{L_p \Delta t/2}\, e^{L_q \Delta t}\,
            e^{L_p \Delta t/2}\, e^{L_\mathrm{NHC}\Delta t/2}

        as in ASE's class, which sets the positions again before each half of the momenta: a fixed
        center of mass then moves them by 1e-15 Å, and the calculator is called twice. Momenta
        are constrained before the thermostat sees them: fixed atoms have no kinetic energy.

        Parameters
        ----------
        forces : array of shape (N, 3) or None
            Forces at the current positions (``md=True``); calculated if None.

        Returns
        -------
        array of shape (N, 3)
            Forces at the new positions.
        """
        atoms, half = self.atoms, 0.5 * self.dt
        if forces is None:
            forces = atoms.get_forces(md=True)
        atoms.set_momenta(self._thermostat.integrate_nhc(atoms.get_momenta(), half) + half * forces)
        atoms.set_positions(atoms.positions + self.dt * atoms.get_momenta() / self.masses)
        forces = atoms.get_forces(md=True)
        atoms.set_momenta(atoms.get_momenta() + half * forces)
        atoms.set_momenta(self._thermostat.integrate_nhc(atoms.get_momenta(), half))
        return forces

    def given_energy(self) -> float:
        return -self._thermostat.get_thermostat_energy()

    def state(self) -> dict[str, np.ndarray]:
        return {"eta": self._thermostat._eta, "p_eta": self._thermostat._p_eta}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        self._thermostat._eta[:] = state["eta"]
        self._thermostat._p_eta[:] = state["p_eta"]


class CellRescaling(StochasticCellRescaling):
    """Stochastic rescaling of cell and velocities for a given number of degrees of freedom."""

    def __init__(self, atoms: Atoms, degrees_of_freedom: int, **settings: Any) -> None:
        _allow_only_fixed_atoms(atoms, "constant pressure")
        super().__init__(atoms, **settings)
        self.ndof = degrees_of_freedom

    def set_targets(self, targets: Targets) -> None:
        self.temp = _given(targets.temperature_K) * units.kB
        self.target_kinetic_energy = 0.5 * self.temp * self.ndof
        self.pressure_au = targets.pressure_bar * BAR

    def given_energy(self) -> float:
        return np.nan

    def state(self) -> dict[str, np.ndarray]:
        return {"start_volume": np.array(self.start_volume)}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        self.start_volume = float(state["start_volume"])


def make_integrator(
    atoms: Atoms,
    stage: Stage,
    timestep_fs: float,
    rng: np.random.Generator,
    degrees_of_freedom: int,
) -> Integrator:
    """Return the integrator of a stage.

    Parameters
    ----------
    atoms : Atoms
        Moved in place by the integrator.
    stage : Stage
        With all values set.
    rng : numpy.random.Generator
        Source of the noise.
    degrees_of_freedom : int
        Number of degrees of freedom with kinetic energy.
    """
    timestep = timestep_fs * units.fs
    relaxation_time = _given(stage.thermostat_time_fs) * units.fs
    integrator: Integrator
    if stage.ensemble == "nve":
        return ConstantEnergy(atoms, timestep)
    first = stage.targets(0.0)
    if stage.ensemble == "nvt-langevin":
        # The center of mass is fixed by a constraint: `fixcm=True` has a sampling error.
        integrator = LangevinNoise(
            atoms,
            timestep,
            temperature_K=_given(first.temperature_K),
            friction=1 / relaxation_time,
            fixcm=False,
            rng=rng,
        )
    elif stage.ensemble == "nvt-nose-hoover":
        integrator = NoseHooverChain(
            atoms,
            degrees_of_freedom,
            timestep=timestep,
            temperature_K=_given(first.temperature_K),
            tdamp=relaxation_time,
        )
    elif stage.ensemble == "nvt-bussi":
        integrator = VelocityRescaling(
            atoms,
            degrees_of_freedom,
            timestep=timestep,
            temperature_K=_given(first.temperature_K),
            taut=relaxation_time,
            rng=rng,
        )
    else:
        integrator = CellRescaling(
            atoms,
            degrees_of_freedom,
            timestep=timestep,
            temperature_K=_given(first.temperature_K),
            taut=relaxation_time,
            pressure_au=first.pressure_bar * BAR,
            taup=_given(stage.barostat_time_fs) * units.fs,
            compressibility_au=_given(stage.compressibility_per_bar) / BAR,
            scaled=_scaled_vectors(atoms, _given(stage.ensemble)),
            rng=rng,
        )
    integrator.set_targets(first)
    return integrator


def _scaled_vectors(atoms: Atoms, ensemble: str) -> np.ndarray:
    """Return the lattice vectors scaled by each barostat variable."""
    if ensemble == "npt-in-plane":
        if atoms.pbc.sum() != 2 or atoms.cell.rank != 3:
            raise ValueError(
                f"'npt-in-plane' is for slabs: two periodic directions and a third cell vector "
                f"that defines the volume of the stress; pbc is {atoms.pbc.tolist()}, the "
                f"cell {atoms.cell.tolist()}. Set `atoms.pbc`, and for example "
                "`atoms.center(vacuum=10, axis=2)`"
            )
        return np.eye(3, dtype=bool)[atoms.pbc]
    if not atoms.pbc.all():
        raise ValueError(
            f"'{ensemble}' needs three periodic directions, pbc is {atoms.pbc.tolist()}; for a "
            "slab use 'npt-in-plane', for a molecule a constant-volume ensemble"
        )
    return SCALED_VECTORS[ensemble]


def _given(value: T | None) -> T:
    """Return a value that validated settings always contain."""
    if value is None:
        raise ValueError("a stage lacks a value that its ensemble needs")
    return value


def _allow_only_fixed_atoms(atoms: Atoms, what: str) -> None:
    refused = [
        type(each).__name__ for each in atoms.constraints if not isinstance(each, FixAtoms | FixCom)
    ]
    if refused:
        raise ValueError(
            f"{what} supports free atoms and FixAtoms only, the structure has "
            f"{', '.join(refused)}; use 'nvt-langevin' or 'nvt-bussi'"
        )

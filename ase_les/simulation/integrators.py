"""ASE's integrators with what a run asks of them: targets that move, and a state to go on from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np
from ase import Atoms, units
from ase.constraints import FixAtoms, FixCom
from ase.md.bussi import Bussi
from ase.md.langevin import Langevin
from ase.md.nose_hoover_chain import NoseHooverChainNVT
from ase.md.verlet import VelocityVerlet

from ase_les.simulation.cell_rescaling import StochasticCellRescaling
from ase_les.simulation.ensembles import BAR, Stage, Targets

SCALED_VECTORS = {
    "npt-isotropic": np.ones((1, 3), dtype=bool),
    "npt-anisotropic": np.eye(3, dtype=bool),
}


class Integrator(Protocol):
    """Moves atoms by one time step after another."""

    def step(self, forces: np.ndarray | None = None) -> np.ndarray | None:
        """Move on; take the forces on the atoms as they are, and give those after, if known.

        Asking the calculator again costs a comparison of all atoms.
        """
        ...

    def todict(self) -> dict: ...

    def aim(self, targets: Targets) -> None:
        """Take the values a ramp has reached."""
        ...

    def given_energy(self) -> float:
        """Energy the atoms have received, in eV; total energy minus this is conserved.

        nan where nothing is.
        """
        ...

    def state(self) -> dict[str, np.ndarray]:
        """What the next step depends on, beside the atoms and the random numbers."""
        ...

    def restore(self, state: Mapping[str, np.ndarray]) -> None: ...


class ConstantEnergy(VelocityVerlet):
    """Velocity Verlet."""

    def aim(self, targets: Targets) -> None:
        pass

    def given_energy(self) -> float:
        return 0.0

    def state(self) -> dict[str, np.ndarray]:
        return {}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        pass


class VelocityRescaling(Bussi):
    """Bussi's thermostat, for the degrees of freedom that there are."""

    def __init__(self, atoms: Atoms, degrees_of_freedom: int, **settings: object) -> None:
        super().__init__(atoms, **settings)
        # ASE subtracts constraints only; a molecule that does not rotate would be run too hot.
        self.ndof = degrees_of_freedom

    def aim(self, targets: Targets) -> None:
        self.temp = targets.temperature_K * units.kB
        self.target_kinetic_energy = 0.5 * self.temp * self.ndof

    def given_energy(self) -> float:
        return self.transferred_energy

    def state(self) -> dict[str, np.ndarray]:
        return {"given_energy": np.array(self.transferred_energy)}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        self.transferred_energy = float(state["given_energy"])


class LangevinNoise(Langevin):
    """Langevin dynamics; heat from the noise is not accounted for."""

    def aim(self, targets: Targets) -> None:
        self.set_temperature(temperature_K=targets.temperature_K)

    def given_energy(self) -> float:
        return np.nan

    def state(self) -> dict[str, np.ndarray]:
        return {}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        pass


class NoseHooverChain(NoseHooverChainNVT):
    """ASE's Nosé–Hoover chain, for the degrees of freedom that there are.

    ASE's class couples all 3N of them to the first thermostat; held ones would be paid for by
    the others.
    """

    def __init__(self, atoms: Atoms, degrees_of_freedom: int, **settings: object) -> None:
        _allow_only_held_atoms(atoms, "Nosé–Hoover dynamics")
        super().__init__(atoms, **settings)
        self._degrees_of_freedom = degrees_of_freedom
        # ASE reads this number as a third of the degrees of freedom, and nothing else.
        self._thermostat._num_atoms_global = degrees_of_freedom / 3

    def aim(self, targets: Targets) -> None:
        thermostat = self._thermostat
        thermostat._kT = targets.temperature_K * units.kB
        thermostat._Q[:] = thermostat._kT * thermostat._tdamp**2
        thermostat._Q[0] *= self._degrees_of_freedom

    def step(self, forces: np.ndarray | None = None) -> np.ndarray:
        r"""Advance by one time step, with one force call.

        .. math::
            e^{L_\mathrm{NHC}\Delta t/2}\, e^{L_p \Delta t/2}\, e^{L_q \Delta t}\,
            e^{L_p \Delta t/2}\, e^{L_\mathrm{NHC}\Delta t/2}

        as in ASE's class, which sets the positions again before each half of the momenta: a held
        center of mass then moves them by 1e-15 Å, and the calculator is called twice. Momenta
        are constrained before the thermostat sees them: held atoms have no kinetic energy.

        Parameters
        ----------
        forces : array of shape (N, 3) or None
            On the present positions (``md=True``); None asks the calculator.

        Returns
        -------
        array of shape (N, 3)
            Forces on the new positions.
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
    """Stochastic rescaling of cell and velocities, for the degrees of freedom that there are."""

    def __init__(self, atoms: Atoms, degrees_of_freedom: int, **settings: object) -> None:
        _allow_only_held_atoms(atoms, "constant pressure")
        super().__init__(atoms, **settings)
        self.ndof = degrees_of_freedom

    def aim(self, targets: Targets) -> None:
        self.temp = targets.temperature_K * units.kB
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
    """The integrator of a stage.

    Parameters
    ----------
    atoms : Atoms
        Moved in place by the integrator.
    stage : Stage
        With nothing left open.
    timestep_fs : float
    rng : numpy.random.Generator
        Source of the noise.
    degrees_of_freedom : int
        That share the kinetic energy at the temperature asked for.

    Raises
    ------
    ValueError
        If the ensemble cannot be sampled with these atoms.
    """
    timestep = timestep_fs * units.fs
    relaxation_time = stage.thermostat_time_fs * units.fs
    if stage.ensemble == "nve":
        return ConstantEnergy(atoms, timestep)
    first = stage.targets(0.0)
    if stage.ensemble == "nvt-langevin":
        # The centre of mass is held by a constraint: `fixcm=True` samples slightly wrongly.
        integrator = LangevinNoise(
            atoms,
            timestep,
            temperature_K=first.temperature_K,
            friction=1 / relaxation_time,
            fixcm=False,
            rng=rng,
        )
    elif stage.ensemble == "nvt-nose-hoover":
        integrator = NoseHooverChain(
            atoms,
            degrees_of_freedom,
            timestep=timestep,
            temperature_K=first.temperature_K,
            tdamp=relaxation_time,
        )
    elif stage.ensemble == "nvt-bussi":
        integrator = VelocityRescaling(
            atoms,
            degrees_of_freedom,
            timestep=timestep,
            temperature_K=first.temperature_K,
            taut=relaxation_time,
            rng=rng,
        )
    else:
        integrator = CellRescaling(
            atoms,
            degrees_of_freedom,
            timestep=timestep,
            temperature_K=first.temperature_K,
            taut=relaxation_time,
            pressure_au=first.pressure_bar * BAR,
            taup=stage.barostat_time_fs * units.fs,
            compressibility_au=stage.compressibility_per_bar / BAR,
            scaled=_scaled_vectors(atoms, stage.ensemble),
            rng=rng,
        )
    integrator.aim(first)
    return integrator


def _scaled_vectors(atoms: Atoms, ensemble: str) -> np.ndarray:
    """For each variable of the barostat, the lattice vectors it scales."""
    if ensemble == "npt-in-plane":
        if atoms.pbc.sum() != 2 or atoms.cell.rank != 3:
            raise ValueError(
                f"'npt-in-plane' is for slabs: two periodic directions and a third cell vector "
                f"that says what volume the stress refers to; pbc is {atoms.pbc.tolist()}, the "
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


def _allow_only_held_atoms(atoms: Atoms, what: str) -> None:
    refused = [
        type(each).__name__ for each in atoms.constraints if not isinstance(each, FixAtoms | FixCom)
    ]
    if refused:
        raise ValueError(
            f"{what} works with free atoms and FixAtoms only, the structure has "
            f"{', '.join(refused)}; use 'nvt-langevin' or 'nvt-bussi'"
        )

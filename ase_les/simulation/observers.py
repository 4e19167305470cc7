"""Observers of a run: log, trajectory, and the interface of all others."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator
from ase.constraints import FixCom, FixConstraint, FixSymmetry
from ase.io.trajectory import TrajectoryWriter

from ase_les.runs.growing_files import writing
from ase_les.simulation.states import Stateless


class Thermodynamics(NamedTuple):
    """Thermodynamic state at one step.

    ``conserved_eV_per_atom`` is nan if the ensemble has no conserved quantity, ``volume_A3`` is
    the cell volume, nan without three cell vectors or without periodicity, ``pressure_bar``
    includes virial and kinetic parts and is nan if it was not calculated.
    """

    step: int
    time_ps: float
    potential_energy_eV: float
    kinetic_energy_eV: float
    total_energy_eV: float
    temperature_K: float
    conserved_eV_per_atom: float
    volume_A3: float
    pressure_bar: float = math.nan


class Observer(Protocol):
    """Receiver of the state of a run at regular intervals, with a state for exact restarts."""

    def observe(self, state: Thermodynamics, atoms: Atoms) -> None:
        """Record one step."""
        ...

    def state(self) -> dict[str, np.ndarray]:
        """Return the state that later observations depend on, besides the growing files."""
        ...

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Restore a state returned by `state`."""
        ...

    def write_results(self, final: bool) -> None:
        """Update the result files; unless `final`, only if enough data were added."""
        ...

    def close(self) -> None:
        """Close all files."""
        ...


class StatelessObserver(Stateless):
    """Observer without a state that files do not already contain."""

    def write_results(self, final: bool) -> None:
        """Do nothing: every observation is written at once."""


class ThermodynamicLog(StatelessObserver):
    """Log with one line per observation and units in the header; existing files are continued."""

    HEADER = (
        f"{'# step':>10} {'time[ps]':>14} {'Epot[eV]':>18} {'Ekin[eV]':>16} {'Etot[eV]':>18} "
        f"{'T[K]':>12} {'conserved[eV/atom]':>22} {'P[bar]':>14} {'V[A^3]':>18}\n"
    )

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = open(path, "a", encoding="utf-8", buffering=1)  # noqa: SIM115
        if self._file.tell() == 0:
            self._file.write(self.HEADER)

    def observe(self, state: Thermodynamics, atoms: Atoms) -> None:
        """Append a line."""
        line = (
            f"{state.step:10d} {state.time_ps:14.6f} {state.potential_energy_eV:18.8f} "
            f"{state.kinetic_energy_eV:16.8f} {state.total_energy_eV:18.8f} "
            f"{state.temperature_K:12.4f} {state.conserved_eV_per_atom:22.12f} "
            f"{state.pressure_bar:14.3f} {state.volume_A3:18.6f}\n"
        )
        with writing(self._path):
            self._file.write(line)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class TrajectoryFrames(StatelessObserver):
    """ASE trajectory of frames with velocities and results; existing files are continued.

    Parameters
    ----------
    stride : int
        Steps between frames, stored in the header.
    description : mapping
        Description of integrator or optimizer, stored in the header.
    properties : sequence of str or None
        Properties in each frame besides positions and velocities; None: those that the calculator
        has already calculated.
    """

    def __init__(
        self,
        path: Path,
        stride: int,
        description: Mapping[str, object],
        properties: Sequence[str] | None = None,
    ) -> None:
        self._path = path
        self._properties = properties
        self._writer = TrajectoryWriter(
            path, mode="a", properties=None if properties is None else list(properties)
        )
        self._writer.set_description({**description, "interval": stride})

    def observe(self, state: Thermodynamics, atoms: Atoms) -> None:
        """Append a frame."""
        self.write(atoms)

    def write(self, atoms: Atoms) -> None:
        """Append a frame."""
        frame = without_constraints(atoms)
        # Each property requested from a calculator costs a comparison of all atoms.
        has_results = self._properties is None and hasattr(atoms.calc, "results")
        frame.calc = _CalculatedResults(atoms.calc) if has_results else atoms.calc
        frame.info |= _further_results(getattr(atoms.calc, "results", {}))
        with writing(self._path):
            self._writer.write(frame)

    def close(self) -> None:
        """Close the file."""
        self._writer.close()


def _further_results(results: Mapping[str, Any]) -> dict[str, Any]:
    """Return committee spreads and charges of electrodes, as entries of ``info``.

    ASE's trajectories store no additional arrays: for the forces, only the largest spread is
    stored.
    """
    found: dict[str, Any] = {}
    if "electrode_charges" in results:
        found["electrode_charges"] = np.array(results["electrode_charges"])
    if "energy_std" in results:
        found["energy_std"] = float(results["energy_std"])
    if "forces_std" in results:
        largest = np.linalg.norm(results["forces_std"], axis=1).max()
        found["largest_force_std"] = float(largest)
    return found


class _CalculatedResults:
    """Results of the last calculation, provided without comparing the atoms again."""

    def __init__(self, calculator: Calculator) -> None:
        self.name = calculator.name
        self.todict = calculator.todict
        self._results = calculator.results

    def get_property(self, name: str, atoms: Atoms, allow_calculation: bool = True) -> Any:
        return self._results.get(name)


def without_constraints(
    atoms: Atoms, kinds: tuple[type[FixConstraint], ...] = (FixCom, FixSymmetry)
) -> Atoms:
    """Return a copy without constraints on center of mass and symmetry.

    For frames: outside of dynamics, ASE applies a fixed center of mass with masses as weights,
    which would change the forces; a symmetry constraint would be determined again.
    """
    kept = [each for each in atoms.constraints if type(each) not in kinds]
    copy = atoms.copy()
    # Keep the original constraint objects: with copies, the trajectory would repeat its header.
    copy.set_constraint(kept)
    return copy


@dataclass(frozen=True)
class ThermodynamicSeries:
    """Columns of the log of a run, one entry per line, see :class:`Thermodynamics`."""

    step: np.ndarray
    time_ps: np.ndarray
    potential_energy_eV: np.ndarray
    kinetic_energy_eV: np.ndarray
    total_energy_eV: np.ndarray
    temperature_K: np.ndarray
    conserved_eV_per_atom: np.ndarray
    pressure_bar: np.ndarray
    volume_A3: np.ndarray

    def between(self, first: int, last: int) -> ThermodynamicSeries:
        """Return the lines with ``first <= step <= last``."""
        chosen = (self.step >= first) & (self.step <= last)
        return ThermodynamicSeries(*(getattr(self, each.name)[chosen] for each in fields(self)))


def read_log(path: Path) -> ThermodynamicSeries:
    """Read a log written by :class:`ThermodynamicLog`."""
    step, *columns = np.loadtxt(path, ndmin=2, unpack=True)
    return ThermodynamicSeries(step.astype(int), *columns)


def last_logged_step(path: Path) -> int:
    """Return the step of the last complete line of a log; 0 if there is none."""
    if not path.exists():
        return 0
    complete = path.read_text(encoding="utf-8").split("\n")[:-1]
    steps = [line for line in complete if line.strip() and not line.startswith("#")]
    return int(steps[-1].split()[0]) if steps else 0

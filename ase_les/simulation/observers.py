"""What is written down while atoms move: one small class each, each with its own stride."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator
from ase.constraints import FixCom
from ase.io.trajectory import TrajectoryWriter


class Thermodynamics(NamedTuple):
    """The state of a run at one step."""

    step: int
    time_ps: float
    potential_energy_eV: float
    kinetic_energy_eV: float
    total_energy_eV: float
    temperature_K: float
    conserved_eV_per_atom: float
    """nan where the ensemble has no conserved quantity."""
    volume_A3: float
    """Of the cell as it is given; nan where it has none, or where nothing repeats."""
    pressure_bar: float = math.nan
    """A third of the trace, virial and kinetic; nan where it was not asked for."""


class Observer(Protocol):
    """Something that looks at the atoms now and then, and knows what it would need to go on."""

    def observe(self, state: Thermodynamics, atoms: Atoms) -> None: ...

    def state(self) -> dict[str, np.ndarray]: ...

    def restore(self, state: Mapping[str, np.ndarray]) -> None: ...

    def finish(self) -> None:
        """Bring what has been measured so far into the form people read."""
        ...

    def close(self) -> None: ...


class Stateless:
    """Of observers whose files are all there is to go on from."""

    def state(self) -> dict[str, np.ndarray]:
        return {}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        pass

    def finish(self) -> None:
        pass


class ThermodynamicLog(Stateless):
    """One line per observation, units in the header; an existing file is continued."""

    HEADER = (
        f"{'# step':>10} {'time[ps]':>14} {'Epot[eV]':>18} {'Ekin[eV]':>16} {'Etot[eV]':>18} "
        f"{'T[K]':>12} {'conserved[eV/atom]':>22} {'P[bar]':>14} {'V[A^3]':>18}\n"
    )

    def __init__(self, path: Path) -> None:
        self._file = open(path, "a", encoding="utf-8", buffering=1)  # noqa: SIM115
        if self._file.tell() == 0:
            self._file.write(self.HEADER)

    def observe(self, state: Thermodynamics, atoms: Atoms) -> None:
        self._file.write(
            f"{state.step:10d} {state.time_ps:14.6f} {state.potential_energy_eV:18.8f} "
            f"{state.kinetic_energy_eV:16.8f} {state.total_energy_eV:18.8f} "
            f"{state.temperature_K:12.4f} {state.conserved_eV_per_atom:22.12f} "
            f"{state.pressure_bar:14.3f} {state.volume_A3:18.6f}\n"
        )

    def close(self) -> None:
        self._file.close()


class TrajectoryFrames(Stateless):
    """Frames with velocities and results; an existing file is continued.

    Parameters
    ----------
    path : Path
        The ASE trajectory.
    stride : int
        Steps between frames, for the header.
    description : mapping
        Kept in the header: how the frames came about.
    properties : sequence of str or None
        What each frame holds beside positions and velocities; None is whatever the calculator
        has calculated anyway.
    """

    def __init__(
        self,
        path: Path,
        stride: int,
        description: Mapping[str, object],
        properties: Sequence[str] | None = None,
    ) -> None:
        self._properties = properties
        self._writer = TrajectoryWriter(
            path, mode="a", properties=None if properties is None else list(properties)
        )
        self._writer.set_description({**description, "interval": stride})

    def observe(self, state: Thermodynamics, atoms: Atoms) -> None:
        self.write(atoms)

    def write(self, atoms: Atoms) -> None:
        frame = without_held_center(atoms)
        # Asked property by property, a calculator compares all atoms each time.
        ready = self._properties is None and hasattr(atoms.calc, "results")
        frame.calc = _Results(atoms.calc) if ready else atoms.calc
        self._writer.write(frame)

    def close(self) -> None:
        self._writer.close()


class _Results:
    """What a calculator has just calculated, given out without another look at the atoms."""

    def __init__(self, calculator: Calculator) -> None:
        self.name = calculator.name
        self.todict = calculator.todict
        self._results = calculator.results

    def get_property(self, name: str, atoms: Atoms, allow_calculation: bool = True) -> object:
        return self._results.get(name)


def without_held_center(atoms: Atoms) -> Atoms:
    """A copy free of the centre-of-mass condition, which belongs to the run.

    Left in place it would alter the forces of whoever reads the frame: away from dynamics, ASE
    projects them with masses.
    """
    copy = atoms.copy()
    # The constraint objects themselves, or the trajectory would repeat its header in each frame.
    copy.set_constraint([each for each in atoms.constraints if type(each) is not FixCom])
    return copy


@dataclass(frozen=True)
class ThermodynamicSeries:
    """The log of a run, read back; every array has one entry per line."""

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
        """The lines with ``first <= step <= last``."""
        chosen = (self.step >= first) & (self.step <= last)
        return ThermodynamicSeries(*(getattr(self, each.name)[chosen] for each in fields(self)))


def read_log(path: Path) -> ThermodynamicSeries:
    """Read a log written by :class:`ThermodynamicLog`."""
    step, *columns = np.loadtxt(path, ndmin=2, unpack=True)
    return ThermodynamicSeries(step.astype(int), *columns)

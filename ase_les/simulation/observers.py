"""What is written down while atoms move: one small class each, each with its own stride."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
from ase import Atoms
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


class Observer(Protocol):
    """Something that looks at every `stride`-th step."""

    stride: int

    def observe(self, state: Thermodynamics, atoms: Atoms) -> None: ...

    def close(self) -> None: ...


class ThermodynamicLog:
    """One line per observation, units in the header; an existing file is continued."""

    HEADER = (
        f"{'# step':>10} {'time[ps]':>14} {'Epot[eV]':>18} {'Ekin[eV]':>16} {'Etot[eV]':>18} "
        f"{'T[K]':>12} {'conserved[eV/atom]':>22}\n"
    )

    def __init__(self, path: Path, stride: int) -> None:
        self.stride = stride
        self._file = open(path, "a", encoding="utf-8", buffering=1)  # noqa: SIM115
        if self._file.tell() == 0:
            self._file.write(self.HEADER)

    def observe(self, state: Thermodynamics, atoms: Atoms) -> None:
        self._file.write(
            f"{state.step:10d} {state.time_ps:14.6f} {state.potential_energy_eV:18.8f} "
            f"{state.kinetic_energy_eV:16.8f} {state.total_energy_eV:18.8f} "
            f"{state.temperature_K:12.4f} {state.conserved_eV_per_atom:22.12f}\n"
        )

    def close(self) -> None:
        self._file.close()


class TrajectoryFrames:
    """Frames with velocities and everything just calculated; an existing file is continued.

    Parameters
    ----------
    path : Path
        The ASE trajectory.
    stride : int
        Steps between frames.
    description : mapping
        Kept in the header: how the frames came about.
    """

    def __init__(self, path: Path, stride: int, description: Mapping[str, object]) -> None:
        self.stride = stride
        self._writer = TrajectoryWriter(path, mode="a")
        self._writer.set_description({**description, "interval": stride})

    def observe(self, state: Thermodynamics, atoms: Atoms) -> None:
        self.write(atoms)

    def write(self, atoms: Atoms) -> None:
        frame = without_held_center(atoms)
        frame.calc = atoms.calc
        self._writer.write(frame)

    def close(self) -> None:
        self._writer.close()


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


def read_log(path: Path) -> ThermodynamicSeries:
    """Read a log written by :class:`ThermodynamicLog`."""
    step, *columns = np.loadtxt(path, ndmin=2, unpack=True)
    return ThermodynamicSeries(step.astype(int), *columns)

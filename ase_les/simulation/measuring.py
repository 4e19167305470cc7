"""Observers of quantities: series that grow on the disk, and averages that are kept in mind."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import combinations_with_replacement
from pathlib import Path
from typing import Protocol

import numpy as np
from ase import Atoms

from ase_les.simulation.charge_motion import (
    Current,
    ItinerantDipole,
    Measured,
    electronic_dielectric,
)
from ase_les.simulation.observations import SERIES
from ase_les.simulation.observers import Observer, Thermodynamics
from ase_les.simulation.series import SeriesRecord, read_record

SERIES_GROWTH = 1.25
"""The readable file is renewed at a checkpoint when the record is longer by this factor: the
effort stays in proportion to the length of the run."""

DEFAULT_MAX_LAG_FS = 5000.0


class Accumulator(Protocol):
    """Something that averages over configurations."""

    def add(self, atoms: Atoms) -> None: ...

    def state(self) -> dict[str, np.ndarray]: ...

    def restore(self, state: Mapping[str, np.ndarray]) -> None: ...

    def result(self) -> object: ...


class RecordedSeries:
    """A measured quantity at each observation, with volume and temperature beside it.

    The volume is nan unless three directions repeat: that of a slab or a molecule is mostly the
    vacuum someone chose, and no property of a bulk may be divided by it.

    Parameters
    ----------
    measured : Measured
    dielectric : (3, 3) array or None
        See `Series`.
    raw, readable : Path
        The growing record, and the ``.npz`` made of it.
    """

    def __init__(
        self, measured: Measured, dielectric: np.ndarray | None, raw: Path, readable: Path
    ) -> None:
        self.measured = measured
        self.first: np.ndarray | None = None
        self.last: np.ndarray | None = None
        self._readable = readable
        columns = {**measured.columns, "volume_A3": (), "temperature_K": ()}
        self._record = SeriesRecord(raw, columns, dielectric)
        self._length_read = 0

    def observe(self, state: Thermodynamics, atoms: Atoms) -> None:
        self.last = self.measured.measure(atoms)
        if self.first is None:
            self.first = self.last
        volume = state.volume_A3 if atoms.pbc.all() else math.nan
        self._record.append(state.time_ps * 1e3, self.last, volume, state.temperature_K)

    def state(self) -> dict[str, np.ndarray]:
        length = self._record.path.stat().st_size
        if length > SERIES_GROWTH * self._length_read:
            self.finish()
        return self.measured.state() | ({} if self.first is None else {"first": self.first})

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        self.measured.restore(state)
        self.first = state.get("first")

    def finish(self) -> None:
        self._length_read = self._record.path.stat().st_size
        read_record(self._record.path).save(self._readable)

    def close(self) -> None:
        self._record.close()


class Averages:
    """Accumulators fed with the atoms at each observation; their state is in the checkpoint.

    Parameters
    ----------
    accumulators : mapping of str to Accumulator
        By the ending of their files' stem.
    file : callable
        The path to an ending.
    """

    def __init__(
        self, accumulators: Mapping[str, Accumulator], file: Callable[[str], Path]
    ) -> None:
        self._accumulators = accumulators
        self._file = file
        self.seen = 0

    def observe(self, state: Thermodynamics, atoms: Atoms) -> None:
        for accumulator in self._accumulators.values():
            accumulator.add(atoms)
        self.seen += 1

    def state(self) -> dict[str, np.ndarray]:
        state = {"seen": np.array(self.seen)}
        for name, accumulator in self._accumulators.items():
            state |= {f"{name}/{key}": value for key, value in accumulator.state().items()}
        return state

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        self.seen = int(state["seen"])
        for name, accumulator in self._accumulators.items():
            start = f"{name}/"
            accumulator.restore(
                {key[len(start) :]: state[key] for key in state if key.startswith(start)}
            )

    def finish(self) -> None:
        if self.seen == 0:
            return
        for name, accumulator in self._accumulators.items():
            result = accumulator.result()
            result.save(self._file(f"-{name}.npz"))
            result.save_figure(self._file(f"-{name}.png"))

    def summary(self) -> dict[str, object]:
        """What the averages come to, by name."""
        if self.seen == 0:
            return {}
        return {
            name: accumulator.result().summary() for name, accumulator in self._accumulators.items()
        }

    def close(self) -> None:
        pass


def make_observer(
    name: str,
    options: Mapping[str, object],
    atoms: Atoms,
    timestep_fs: float,
    file: Callable[[str], Path],
) -> Observer:
    """The observer of that name.

    Raises
    ------
    ValueError
        If atoms or calculator do not allow it, or an option is unknown.
    """
    if name in SERIES:
        measured = Current(atoms) if name == "current" else ItinerantDipole(atoms)
        files = (file(f"-{name}{ending}") for ending in (".raw", ".npz"))
        return RecordedSeries(measured, electronic_dielectric(atoms), *files)
    return Averages(make_accumulators(name, options, atoms, timestep_fs), file)


def check_observable(
    name: str, options: Mapping[str, object], atoms: Atoms, timestep_fs: float
) -> None:
    """Refuse what cannot be observed with these atoms, before any file is opened.

    Raises
    ------
    ValueError
        See :func:`make_observer`.
    """
    if name == "current":
        Current(atoms)
    elif name == "dipole":
        ItinerantDipole(atoms)
    elif name == "pressure":
        if "stress" not in getattr(atoms.calc, "implemented_properties", ()):
            raise ValueError(f"the pressure needs the stress, which {_name(atoms)} does not give")
    else:
        make_accumulators(name, options, atoms, timestep_fs)


def make_accumulators(
    name: str, options: Mapping[str, object], atoms: Atoms, timestep_fs: float
) -> dict[str, Accumulator]:
    """Accumulators by the ending of their files.

    Options are the arguments of the accumulator's class; radial distributions take ``pairs``, such
    as ``["O-O", "O-H"]``, all pairs of elements by default.
    """
    from ase_les.simulation import accumulators

    given = {key: value for key, value in options.items() if key != "stride"}
    try:
        if name == "rdf":
            pairs = given.pop("pairs", None) or _pairs(atoms)
            names = [pairs] if isinstance(pairs, str) else list(pairs)
            each = accumulators.RadialDistribution.of_pairs(
                [tuple(name.split("-")) for name in names], **given
            )
            return {f"rdf-{name}": one for name, one in zip(names, each, strict=True)}
        if name == "profile":
            return {"profile": accumulators.AxisProfile(**given)}
        if "axes" in given:
            given["axes"] = tuple(given["axes"])
        given.setdefault("max_lag_fs", DEFAULT_MAX_LAG_FS)
        interval_fs = options["stride"] * timestep_fs
        return {"msd": accumulators.MeanSquareDisplacement(interval_fs, **given)}
    except TypeError as error:
        raise ValueError(f"`observe` {name}: {error}") from error


def _pairs(atoms: Atoms) -> Sequence[str]:
    elements = sorted(set(atoms.get_chemical_symbols()))
    return [f"{one}-{other}" for one, other in combinations_with_replacement(elements, 2)]


def _name(atoms: Atoms) -> str:
    return type(atoms.calc).__name__


def cell_volume(atoms: Atoms) -> float:
    """In Å³, with a slab's vacuum; nan for a cell that has none, or in which nothing repeats."""
    has_volume = atoms.pbc.any() and atoms.cell.rank == 3
    return float(atoms.cell.volume) if has_volume else math.nan

"""Observers of physical quantities: recorded time series, and averages kept in memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from itertools import combinations_with_replacement
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from ase_les.calculator_extensions import supports
from ase_les.runs.output import write_arrays
from ase_les.simulation.accumulators import (
    Accumulator,
    AccumulatorResult,
    AxisProfile,
    MeanSquareDisplacement,
    RadialDistribution,
    SumFrequency,
)
from ase_les.simulation.charge_motion import (
    Current,
    ItinerantDipole,
    Measured,
    Polarizability,
    electronic_dielectric,
)
from ase_les.simulation.committee_spread import CommitteeSpread
from ase_les.simulation.electrode_charges import ElectrodeCharges
from ase_les.simulation.layer_currents import LayerCurrents
from ase_les.simulation.observations import SERIES
from ase_les.simulation.observers import Observer, Thermodynamics
from ase_les.simulation.series import Series, SeriesRecord, read_record
from ase_les.simulation.states import packed, unpacked
from ase_les.simulation.surface_layers import LayeredMolecules, SurfaceLayers

#: At checkpoints, the ``.npz`` file of a series is updated if the record has grown by this
#: factor, so that the total effort remains proportional to the length of the run.
SERIES_GROWTH = 1.25

DEFAULT_MAX_LAG_FS = 5000.0

_MEASURED: Mapping[str, Callable[[Atoms], Measured]] = {
    "current": Current,
    "dipole": ItinerantDipole,
    "polarizability": Polarizability,
    "spread": CommitteeSpread,
    "electrodes": ElectrodeCharges,
}


class RecordedSeries:
    """Time series of a quantity with volume and temperature.

    The volume is nan unless there are three periodic directions: for slabs and molecules it
    depends on the vacuum, and bulk properties must not be divided by it.

    Parameters
    ----------
    dielectric : array, shape (3, 3), or None
        See `Series`.
    record, arrays : Path
        Growing record, and the ``.npz`` file made from it.
    """

    def __init__(
        self, measured: Measured, dielectric: np.ndarray | None, record: Path, arrays: Path
    ) -> None:
        self.measured = measured
        self.first: np.ndarray | None = None
        self.last: np.ndarray | None = None
        self._arrays = arrays
        columns = {**measured.columns, "volume_A3": (), "temperature_K": ()}
        self._record = SeriesRecord(record, columns, dielectric)
        self._length_written = 0

    def observe(self, state: Thermodynamics, atoms: Atoms) -> None:
        """Measure the quantity and append it to the record."""
        self.last = self.measured.measure(atoms)
        if self.first is None:
            self.first = self.last
        volume = state.volume_A3 if atoms.pbc.all() else math.nan
        self._record.append(state.time_ps * 1e3, self.last, volume, state.temperature_K)

    def state(self) -> dict[str, np.ndarray]:
        """Return the first value and the state of the measured quantity."""
        return self.measured.state() | ({} if self.first is None else {"first": self.first})

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Restore a state returned by `state`."""
        self.measured.restore(state)
        self.first = state.get("first")

    def write_results(self, final: bool) -> None:
        """Update the ``.npz`` file; unless `final`, only after growth by `SERIES_GROWTH`."""
        length = self._record.path.stat().st_size
        if final or length > SERIES_GROWTH * self._length_written:
            self._length_written = length
            self.series().save(self._arrays)

    def series(self) -> Series:
        """Return the quantities recorded since the start of the run, at every recorded step."""
        return read_record(self._record.path)

    def close(self) -> None:
        """Close the record."""
        self._record.close()


class Averages:
    """Accumulators to which the configuration is added at each observation.

    Parameters
    ----------
    accumulators : mapping of str to Accumulator
        By name, which is also the ending of their file names.
    file : callable
        Returns the path of a file with a given ending.
    """

    def __init__(
        self, accumulators: Mapping[str, Accumulator], file: Callable[[str], Path]
    ) -> None:
        self._accumulators = accumulators
        self._file = file
        self.seen = 0

    def observe(self, state: Thermodynamics, atoms: Atoms) -> None:
        """Add the configuration to all accumulators."""
        for accumulator in self._accumulators.values():
            accumulator.add(atoms)
        self.seen += 1

    def state(self) -> dict[str, np.ndarray]:
        """Return the states of all accumulators."""
        parts = {name: each.state() for name, each in self._accumulators.items()}
        return {"seen": np.array(self.seen), **packed(parts, "/")}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Restore a state returned by `state`."""
        self.seen = int(state["seen"])
        for name, accumulator in self._accumulators.items():
            accumulator.restore(unpacked(state, name, "/"))

    def write_results(self, final: bool) -> None:
        """Write the arrays of all averages at the end of the run."""
        if final:
            for name, result in self.results().items():
                write_arrays(self._file(f"-{name}.npz"), result.arrays())

    def results(self) -> dict[str, AccumulatorResult]:
        """Return the averages by name, without those that need a longer run."""
        if self.seen == 0:
            return {}
        return {
            name: accumulator.result()
            for name, accumulator in self._accumulators.items()
            if accumulator.has_result
        }

    def close(self) -> None:
        """Do nothing: there is no open file."""


def make_observer(
    name: str,
    options: Mapping[str, Any],
    atoms: Atoms,
    timestep_fs: float,
    file: Callable[[str], Path],
) -> Observer:
    """Return the observer of an observable."""
    if name in SERIES:
        measured = make_measured(name, options, atoms)
        files = (file(f"-{name}{ending}") for ending in (".raw", ".npz"))
        return RecordedSeries(measured, electronic_dielectric(atoms), *files)
    return Averages(make_accumulators(name, options, atoms, timestep_fs), file)


def check_observable(
    name: str, options: Mapping[str, Any], atoms: Atoms, timestep_fs: float
) -> None:
    """Check that an observable can be measured, before any file is opened."""
    if name in SERIES:
        make_measured(name, options, atoms)
    elif name == "pressure":
        if not supports(atoms.calc, "stress"):
            raise ValueError(
                f"the pressure needs the stress, which {type(atoms.calc).__name__} does not provide"
            )
    else:
        make_accumulators(name, options, atoms, timestep_fs)


def make_measured(name: str, options: Mapping[str, Any], atoms: Atoms) -> Measured:
    """Return the quantity of a series; options of ``layers`` are those of `SurfaceLayers`."""
    if name != "layers":
        return _MEASURED[name](atoms)
    layers, others = surface_layers(options)
    if others:
        raise ValueError(f"`observe` layers: there is no option {', '.join(sorted(others))}")
    return LayerCurrents(atoms, layers)


def surface_layers(options: Mapping[str, Any]) -> tuple[SurfaceLayers, dict[str, Any]]:
    """Return the layers that options describe, and the options that are left."""
    given = {key: value for key, value in options.items() if key != "stride"}
    names = {field.name for field in fields(SurfaceLayers)} & set(given)
    chosen = {name: given.pop(name) for name in names}
    if "edges_A" in chosen:
        edges = chosen["edges_A"]
        chosen["edges_A"] = edges if isinstance(edges, list | tuple) else (edges,)
    return SurfaceLayers(**chosen), given


def make_accumulators(
    name: str, options: Mapping[str, Any], atoms: Atoms, timestep_fs: float
) -> dict[str, Accumulator]:
    """Return the accumulators of an observable, by the ending of their files.

    Options are the arguments of the accumulator's class; radial distributions have ``pairs``, such
    as ``["O-O", "O-H"]``, by default all pairs of elements.
    """
    given = {key: value for key, value in options.items() if key != "stride"}
    try:
        if name == "rdf":
            pairs = given.pop("pairs", None) or _pairs(atoms)
            names = [pairs] if isinstance(pairs, str) else list(pairs)
            each = RadialDistribution.of_pairs([_elements(name) for name in names], **given)
            return {f"rdf-{name}": one for name, one in zip(names, each, strict=True)}
        if name == "profile":
            return {"profile": AxisProfile(**given)}
        if name == "sfg":
            layers, others = surface_layers(given)
            if "polarizability" in others:
                raise ValueError(
                    "`observe` sfg uses bonds; a polarizability is a function, for "
                    "`sum_frequency_of_trajectory` with the trajectory of the run"
                )
            accumulator = SumFrequency(options["stride"] * timestep_fs, layers=layers, **others)
            LayeredMolecules(layers, atoms)
            return {"sfg": accumulator}
        if "axes" in given:
            given["axes"] = tuple(given["axes"])
        given.setdefault("max_lag_fs", DEFAULT_MAX_LAG_FS)
        interval_fs = options["stride"] * timestep_fs
        return {"msd": MeanSquareDisplacement(interval_fs, **given)}
    except TypeError as error:
        raise ValueError(f"`observe` {name}: {error}") from error


def _elements(pair: str) -> tuple[str, str]:
    first, _, second = pair.partition("-")
    return first, second


def _pairs(atoms: Atoms) -> Sequence[str]:
    elements = sorted(set(atoms.get_chemical_symbols()))
    return [f"{one}-{other}" for one, other in combinations_with_replacement(elements, 2)]


def cell_volume(atoms: Atoms) -> float:
    """Return the volume of the cell in Å³, nan without three cell vectors or periodicity."""
    has_volume = atoms.pbc.any() and atoms.cell.rank == 3
    return float(atoms.cell.volume) if has_volume else math.nan

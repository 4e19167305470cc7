r"""Correlation functions of sum-frequency generation, accumulated during a run.

.. math::
    C_{abc}(t) = \Big\langle \sum_{ij} g(z_i)\, \theta(r_t - r_{ij})\,
        \dot\mu_{c,i}(0)\, \dot\alpha_{ab,j}(t) \Big\rangle

===============================  ===================================================================
Symbol                           Meaning
===============================  ===================================================================
:math:`i, j`                     O–H bonds, or molecules (`ase_les.simulation.surface_sources`)
:math:`g(z)`                     1 above the film's middle and −1 below it, times a factor that
                                 falls to 0 between `outer_A` and `inner_A`: the inversion-symmetric
                                 liquid cancels, and both faces add up
:math:`r_t`                      cutoff of cross-correlations at time 0; 0 keeps only i = j, 1.5 Å
                                 also the two bonds of a molecule
:math:`a, b, c`                  xxz: (xxz + yyz)/2, seen with ssp polarization; xzx: (xzx + yzy)/2,
                                 with sps; zzz. z is the normal and points to the vapor
===============================  ===================================================================

Layers divide the first factor: the sum over the layers is the whole.

References
----------
.. [1] T. Ohto, K. Usui, T. Hasegawa, M. Bonn, Y. Nagata, J. Chem. Phys. 143, 124702 (2015).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from ase import Atoms
from scipy.sparse import csr_array, identity

from ase_les.pairs import pairs_within
from ase_les.simulation.slab_geometry import AXES, area_A2
from ase_les.simulation.states import (
    packed,
    refuse_other_arguments,
    refuse_other_atoms,
    unpacked,
)
from ase_les.simulation.surface_layers import LayeredMolecules, SurfaceLayers, surface_frame
from ase_les.simulation.surface_sources import (
    BondSource,
    ModelSource,
    Polarizability,
    SurfaceSample,
    SurfaceSource,
)
from ase_les.statistics import BlockedMean

ELEMENTS = ("xxz", "xzx", "zzz")
#: Blocks of the run that are kept for errors.
MAX_BLOCKS = 32


@dataclass(frozen=True)
class SumFrequencyCorrelation:
    """Correlation functions of layers, per configuration with both faces of the film.

    Attributes
    ----------
    correlation : array, shape (layers, 3, n_lags)
        Elements as in `ELEMENTS`; Å²/fs² for bonds (per e and Å²), else e Å⁴/fs or e Å⁴/fs².
    blocks : array, shape (n_blocks, layers, 3, n_lags)
        Means of blocks of equal length.
    interval_fs : float
        Time between lags.
    layers : tuple of str
    molecules : array, shape (layers,)
        Mean number of molecules.
    area_A2, temperature_K : float
    is_rate : bool
        Whether the polarizability is a rate.
    longest_bond_A : float
        Longest O–H bond that occurred; nan for a model.
    n_configurations : int
    """

    correlation: np.ndarray
    blocks: np.ndarray
    interval_fs: float
    layers: tuple[str, ...]
    molecules: np.ndarray
    area_A2: float
    temperature_K: float
    is_rate: bool
    longest_bond_A: float
    n_configurations: int

    def summary(self) -> dict[str, object]:
        """Return the main results in plain containers."""
        return {
            "layers": {
                name: float(count) for name, count in zip(self.layers, self.molecules, strict=True)
            },
            "longest_lag_fs": self.interval_fs * (self.correlation.shape[-1] - 1),
            "interval_fs": self.interval_fs,
            "area_A2": self.area_A2,
            "temperature_K": self.temperature_K,
            "longest_bond_A": self.longest_bond_A,
            "configurations": self.n_configurations,
        }

    def arrays(self) -> dict[str, np.ndarray]:
        """Return all values by name, to be stored as ``.npz``."""
        return {
            "correlation": self.correlation,
            "blocks": self.blocks,
            "interval_fs": np.array(self.interval_fs),
            "layers": np.array(self.layers),
            "molecules": self.molecules,
            "area_A2": np.array(self.area_A2),
            "temperature_K": np.array(self.temperature_K),
            "is_rate": np.array(self.is_rate),
            "longest_bond_A": np.array(self.longest_bond_A),
            "n_configurations": np.array(self.n_configurations),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> SumFrequencyCorrelation:
        """Return the result stored by `arrays`."""
        return cls(
            correlation=np.array(arrays["correlation"]),
            blocks=np.array(arrays["blocks"]),
            interval_fs=float(arrays["interval_fs"]),
            layers=tuple(str(name) for name in arrays["layers"]),
            molecules=np.array(arrays["molecules"]),
            area_A2=float(arrays["area_A2"]),
            temperature_K=float(arrays["temperature_K"]),
            is_rate=bool(arrays["is_rate"]),
            longest_bond_A=float(arrays["longest_bond_A"]),
            n_configurations=int(arrays["n_configurations"]),
        )


class _Begun(NamedTuple):
    """What the first configuration determines."""

    first: Atoms
    molecules: LayeredMolecules
    source: SurfaceSource
    # Dipole velocities at the last times: (n_lags, 3, layers, n), a ring.
    history: np.ndarray
    correlation: BlockedMean
    means: BlockedMean


class SumFrequency:
    """Correlation functions of dipole velocities and polarizabilities at the faces of a film.

    Memory: the dipole velocities of the last `max_lag_fs`, 0.1 MB for each water molecule, lag of
    1 ps at 2 fs, and three layers.

    Parameters
    ----------
    interval_fs : float
        Time between the configurations that are added.
    max_lag_fs : float
        Longest lag; determines the finest resolution.
    cutoff_A : float
        Cutoff :math:`r_t` of cross-correlations, of the distance between bond centers.
    perpendicular : float
        See `BondSource`. With 1 the elements are xxz = zzz and xzx = 0.
    inner_A, outer_A : float
        Distance from the middle of the film below which molecules do not count, and above which
        they count fully.
    polarizability : Polarizability, optional
        Use currents and polarizabilities of a model instead of bonds.

    Raises
    ------
    ValueError
        If a setting is invalid.
    """

    def __init__(
        self,
        interval_fs: float,
        max_lag_fs: float = 1000.0,
        layers: SurfaceLayers | None = None,
        cutoff_A: float = 1.5,
        perpendicular: float = 1.0,
        inner_A: float = 0.5,
        outer_A: float = 2.5,
        polarizability: Polarizability | None = None,
    ) -> None:
        if not (interval_fs > 0 and max_lag_fs >= interval_fs):
            raise ValueError(
                f"`max_lag_fs` must be at least the interval of {interval_fs} fs, got {max_lag_fs}"
            )
        if not (cutoff_A >= 0 and 0 <= inner_A < outer_A):
            raise ValueError(
                "`cutoff_A` must not be negative, and `inner_A` must lie between 0 and `outer_A`; "
                f"got {cutoff_A}, {inner_A} and {outer_A}"
            )
        self.interval_fs, self.cutoff_A = float(interval_fs), float(cutoff_A)
        self.n_lags = 1 + math.floor(max_lag_fs / interval_fs + 1e-9)
        self.layers = SurfaceLayers() if layers is None else layers
        self.perpendicular = float(perpendicular)
        self.inner_A, self.outer_A = float(inner_A), float(outer_A)
        self._polarizability = polarizability
        self._begun: _Begun | None = None
        self._count = 0

    def __repr__(self) -> str:
        source = "bonds" if self._polarizability is None else "model"
        return (
            f"SumFrequency({self.interval_fs}, n_lags={self.n_lags}, {self.layers}, cutoff_A="
            f"{self.cutoff_A}, perpendicular={self.perpendicular}, inner_A={self.inner_A}, "
            f"outer_A={self.outer_A}, {source})"
        )

    def add(self, atoms: Atoms) -> None:
        """Add a configuration with velocities."""
        if self._begun is None:
            molecules, source = self._sources(atoms)
            sample = source.sample(atoms)
            self._begun = self._begin(atoms, molecules, source, len(sample.polarizability))
        else:
            refuse_other_atoms(self._begun.first.numbers, atoms.numbers)
            sample = self._begun.source.sample(atoms)
        begun = self._begun
        placement = begun.molecules.place(atoms)
        frame = surface_frame(atoms, begun.molecules.axis)
        weights = placement.masks * placement.side * self._switched(np.abs(placement.heights_A))
        rates = np.einsum("ca,ia->ci", frame, sample.dipole_rate)
        early = rates[:, None] * weights[None, :, sample.molecule]
        now = self._count % self.n_lags
        begun.history[now] = self._paired(early, sample, atoms)
        self._count += 1
        begun.means.add(
            np.array(
                [
                    atoms.get_temperature(),
                    area_A2(atoms, AXES[begun.molecules.axis]),
                    *placement.masks.sum(axis=1),
                ]
            )
        )
        if self._count >= self.n_lags:
            tensors = np.einsum("ca,iab,db->cdi", frame, sample.polarizability, frame)
            begun.correlation.add(self._products(begun.history, tensors, now))

    def _sources(self, atoms: Atoms) -> tuple[LayeredMolecules, SurfaceSource]:
        """Return the molecules of the first configuration, and their sources."""
        molecules = LayeredMolecules(self.layers, atoms)
        if self._polarizability is None:
            return molecules, BondSource(atoms, molecules.label, self.perpendicular)
        return molecules, ModelSource(molecules.label, self._polarizability)

    def _begin(
        self, atoms: Atoms, molecules: LayeredMolecules, source: SurfaceSource, n: int
    ) -> _Begun:
        """Return buffers for `n` sources of the first configuration."""
        n_layers = len(self.layers.names)
        first = atoms.copy()
        first.set_constraint()
        return _Begun(
            first,
            molecules,
            source,
            np.zeros((self.n_lags, 3, n_layers, n)),
            BlockedMean((n_layers, len(ELEMENTS), self.n_lags), MAX_BLOCKS),
            BlockedMean((2 + n_layers,), max_blocks=2),
        )

    def _switched(self, distance_A: np.ndarray) -> np.ndarray:
        """Return the factor of g(z) at distances from the middle."""
        t = np.clip((distance_A - self.inner_A) / (self.outer_A - self.inner_A), 0.0, 1.0)
        return np.sin(0.5 * np.pi * t) ** 2

    def _paired(self, early: np.ndarray, sample: SurfaceSample, atoms: Atoms) -> np.ndarray:
        """Return dipole velocities (3, layers, k) summed over the partners of each source."""
        n = len(sample.points)
        if len(sample.polarizability) != n:
            return early.sum(axis=2, keepdims=True)
        partners = identity(n, format="csr")
        if self.cutoff_A > 0:
            first, second, _ = pairs_within(
                sample.points, atoms.cell.array, atoms.pbc, self.cutoff_A
            )
            near = csr_array((np.ones(len(first)), (first, second)), shape=(n, n)) + partners
            # A pair counts once, however many of its images are near.
            partners = (near > 0).astype(float)
        return (partners @ early.reshape(-1, n).T).T.reshape(early.shape)

    def _products(self, history: np.ndarray, tensors: np.ndarray, now: int) -> np.ndarray:
        """Return the products (layers, 3, n_lags) of the present with all stored times."""
        across = np.stack([0.5 * (tensors[0, 0] + tensors[1, 1]), tensors[2, 2]], axis=1)
        xxz, zzz = np.moveaxis(history[:, 2] @ across, 2, 0)
        xzx = 0.5 * (history[:, 0] @ tensors[0, 2] + history[:, 1] @ tensors[1, 2])
        products = np.stack([xxz, xzx, zzz], axis=2)
        lags = (now - np.arange(self.n_lags)) % self.n_lags
        return np.moveaxis(products[lags], 0, 2)

    def state(self) -> dict[str, np.ndarray]:
        """Return the state to store in a checkpoint."""
        state = {"arguments": np.array(repr(self)), "count": np.array(self._count)}
        if self._begun is not None:
            begun = self._begun
            first = begun.first
            parts = {
                "source": begun.source.state(),
                "correlation": begun.correlation.state(),
                "means": begun.means.state(),
            }
            state |= {
                "numbers": first.numbers,
                "positions": first.positions,
                "cell": first.cell.array,
                "pbc": first.pbc,
                "masses": first.get_masses(),
                "history": begun.history.copy(),
                **packed(parts),
            }
        return state

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Restore the state of an accumulator with the same arguments."""
        refuse_other_arguments(repr(self), state["arguments"])
        self._count, self._begun = int(state["count"]), None
        if "history" not in state:
            return
        names = ("numbers", "positions", "cell", "pbc", "masses")
        first = Atoms(**{name: state[name] for name in names})
        history = state["history"]
        begun = self._begin(first, *self._sources(first), history.shape[-1])
        begun.history[:] = history
        begun.source.restore(unpacked(state, "source"))
        begun.correlation.restore(unpacked(state, "correlation"))
        begun.means.restore(unpacked(state, "means"))
        self._begun = begun

    @property
    def has_result(self) -> bool:
        """Whether there are enough configurations for the longest lag."""
        return self._count >= self.n_lags

    def result(self) -> SumFrequencyCorrelation:
        """Return the correlation functions so far."""
        if self._begun is None or not self.has_result:
            raise ValueError(
                f"correlations up to {(self.n_lags - 1) * self.interval_fs:g} fs need "
                f"{self.n_lags} configurations, got {self._count}: run longer, or reduce "
                "`max_lag_fs`"
            )
        begun = self._begun
        temperature, area, *molecules = begun.means.mean
        return SumFrequencyCorrelation(
            correlation=begun.correlation.mean,
            blocks=begun.correlation.blocks,
            interval_fs=self.interval_fs,
            layers=self.layers.names,
            molecules=np.array(molecules, dtype=float),
            area_A2=float(area),
            temperature_K=float(temperature),
            is_rate=begun.source.gives_rate,
            longest_bond_A=begun.source.longest_A,
            n_configurations=self._count,
        )

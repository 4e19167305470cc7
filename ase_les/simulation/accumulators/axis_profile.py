"""Profiles of densities and molecular orientation along an axis, for films and interfaces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from ase import Atoms, units
from ase.calculators.calculator import PropertyNotImplementedError
from ase.data import chemical_symbols
from ase.geometry import find_mic

from ase_les.arguments import require_one_of, require_positive
from ase_les.simulation.slab_geometry import center_fraction
from ase_les.simulation.states import (
    packed,
    refuse_other_arguments,
    refuse_other_atoms,
    unpacked,
)
from ase_les.simulation.surface_layers import oxygen_hydrogen_bonds
from ase_les.statistics import BlockedMean, standard_error

QUANTITIES = ("number", "mass", "charge", "orientation")

#: Conversion from u/Å³ to g/cm³.
G_PER_CM3 = 1e24 / units.mol


def number_of_bins(height_A: float, bin_A: float) -> int:
    """Return the number of bins of about `bin_A` that divide a height; insensitive to round-off."""
    return max(1, round(round(height_A / bin_A, 6)))


@dataclass(frozen=True)
class AxisProfileResult:
    """Averaged profiles along an axis, with one value per bin.

    Attributes
    ----------
    axis : int
        Index of the cell vector along the profile; the other two span the averaged planes.
    position_A : array, shape (bins,)
        Center of each bin along the normal of these planes, relative to the origin or to the
        center of the group `center_on`. If the cell changes, positions refer to the mean
        cell.
    curves, standard_errors : mapping of str to array, shape (bins,)
        Names include the unit: ``number_O_per_A3``, ``mass_g_per_cm3``, ``charge_e_per_A3``,
        ``orientation_cosine``. Standard errors are from block averages, nan for fewer than 16
        configurations. Without molecules, the orientation is nan.
    outside : float
        Mean number of atoms outside the cell along an axis that is not periodic.
    n_configurations : int
    """

    axis: int
    position_A: np.ndarray
    curves: Mapping[str, np.ndarray]
    standard_errors: Mapping[str, np.ndarray]
    outside: float
    n_configurations: int

    def summary(self) -> dict[str, object]:
        """Return the range of the axis and the largest value of each curve."""
        return {
            "axis": "abc"[self.axis],
            "bins": len(self.position_A),
            "bin_A": float(np.ptp(self.position_A) / max(len(self.position_A) - 1, 1)),
            "configurations": self.n_configurations,
            "mean_atoms_outside": self.outside,
            "largest": {
                name: float(np.nanmax(curve)) if np.isfinite(curve).any() else None
                for name, curve in self.curves.items()
            },
        }

    def arrays(self) -> dict[str, np.ndarray]:
        """Return all arrays by name, with units in the names."""
        errors = {f"{name}_standard_error": error for name, error in self.standard_errors.items()}
        return {
            "axis": np.array(self.axis),
            "position_A": self.position_A,
            "outside": np.array(self.outside),
            "n_configurations": np.array(self.n_configurations),
            **self.curves,
            **errors,
        }


class AxisProfile:
    r"""Profiles along the normal of two cell vectors.

    .. math::
        \rho(z) = \left\langle \frac{1}{A\,\Delta z} \sum_{i: z_i \in \Delta z} w_i \right\rangle,
        \qquad
        \langle \cos\theta \rangle(z) = \frac{\langle \sum_m \hat{\boldsymbol{\mu}}_m \cdot
        \hat{\mathbf{n}} \rangle}{\langle \sum_m 1 \rangle}

    =================================  =====================================================
    Symbol                             Meaning
    =================================  =====================================================
    :math:`w_i`                        1, mass or charge of atom i
    :math:`A`                          area of the plane, :math:`|\mathbf{a} \times \mathbf{b}|`
    :math:`\hat{\boldsymbol{\mu}}_m`   from the oxygen of water molecule m between its hydrogens:
                                       the direction of its dipole; located at the oxygen
    :math:`\hat{\mathbf{n}}`           normal, in the direction of the cell vector `axis`
    =================================  =====================================================

    The number of bins is determined by the first configuration; bins scale with the cell.

    Parameters
    ----------
    axis : int
        0, 1 or 2: the cell vector along the profile. It may be nonperiodic, and need not be normal
        to the others, but must not be zero.
    bin_A : float
        Width of the bins in Å, rounded to a fraction of the cell.
    quantities : sequence of str
        ``"number"`` (by element), ``"mass"``, ``"charge"`` (of the calculator) and
        ``"orientation"`` (of water molecules).
    center_on : sequence of int, optional
        Atoms whose center of mass is at 0. Along a periodic axis they must leave a gap in the
        cell, as a film or slab does.

    Raises
    ------
    ValueError
        If an argument is invalid; later, if the cell has no volume, if the calculator does not
        provide the requested charges, if the central atoms have no center, or if the set of atoms
        changes.
    """

    def __init__(
        self,
        axis: int = 2,
        bin_A: float = 0.1,
        quantities: Sequence[str] = ("number", "mass"),
        center_on: Sequence[int] | None = None,
    ) -> None:
        require_one_of("axis", axis, (0, 1, 2))
        require_positive("bin_A", bin_A)
        unknown = sorted(set(quantities) - set(QUANTITIES))
        if unknown or not quantities:
            raise ValueError(f"`quantities` must be from {QUANTITIES}, got {tuple(quantities)}")
        if center_on is not None and len(center_on) == 0:
            raise ValueError("`center_on` is empty; omit it or give at least one atom")
        self.axis = axis
        self.bin_A = float(bin_A)
        self.quantities = tuple(name for name in QUANTITIES if name in quantities)
        self.center_on = None if center_on is None else np.asarray(center_on, dtype=int)
        self._numbers: np.ndarray | None = None

    def _begin(self, numbers: np.ndarray, n_bins: int) -> None:
        self._numbers = numbers.copy()
        self._n_bins = n_bins
        self._elements = np.unique(numbers)
        names = []
        if "number" in self.quantities:
            names += [f"number_{chemical_symbols[each]}_per_A3" for each in self._elements]
        if "mass" in self.quantities:
            names.append("mass_g_per_cm3")
        if "charge" in self.quantities:
            names.append("charge_e_per_A3")
        self._densities = tuple(names)
        self._profiles = BlockedMean((len(names), n_bins))
        # Sum of cosines and number of molecules.
        self._orientation = BlockedMean((2, n_bins))
        # Height of the cell and number of atoms outside.
        self._extent = BlockedMean((2,), max_blocks=2)

    def add(self, atoms: Atoms) -> None:
        """Add the atoms of a configuration to the bins."""
        normal, height, area = self._geometry(atoms)
        is_first = self._numbers is None
        if self._numbers is None:
            self._begin(atoms.numbers, number_of_bins(height, self.bin_A))
        else:
            refuse_other_atoms(self._numbers, atoms.numbers)
        weights = self._weights(atoms)
        # `positions @ normal` is avoided: its rounding can depend on memory alignment.
        fraction = (atoms.positions * normal).sum(axis=1) / height
        if self.center_on is not None:
            # The center of the cell corresponds to zero.
            fraction = fraction - self._center_fraction(atoms, fraction, is_first) + 0.5
        if atoms.pbc[self.axis]:
            fraction = fraction % 1.0
        bins = np.floor(fraction * self._n_bins).astype(int)
        # A fraction just below 1 may round up to `n_bins`; periodic images put it into bin 0.
        if atoms.pbc[self.axis]:
            bins %= self._n_bins
        inside = (bins >= 0) & (bins < self._n_bins)
        volume = area * height / self._n_bins
        self._profiles.add(
            np.array(
                [np.bincount(bins[inside], row[inside], self._n_bins) / volume for row in weights]
            ).reshape(-1, self._n_bins)
        )
        if "orientation" in self.quantities:
            oxygens, cosines = _water_cosines(atoms, normal)
            is_inside = inside[oxygens]
            oxygen_bins = bins[oxygens[is_inside]]
            self._orientation.add(
                np.array(
                    [
                        np.bincount(oxygen_bins, cosines[is_inside], self._n_bins),
                        np.bincount(oxygen_bins, minlength=self._n_bins),
                    ]
                )
            )
        self._extent.add(np.array([height, np.count_nonzero(~inside)]))

    def _geometry(self, atoms: Atoms) -> tuple[np.ndarray, float, float]:
        """Return the unit normal, the height of the cell along it, and the area of the plane."""
        cell = atoms.cell.array
        normal = np.cross(cell[(self.axis + 1) % 3], cell[(self.axis + 2) % 3])
        area = float(np.linalg.norm(normal))
        height = 0.0 if area == 0 else float(cell[self.axis] @ normal / area)
        if height == 0:
            raise ValueError(
                f"a profile needs a cell with a volume, got {atoms.cell.tolist()}: set the missing "
                "vectors, for example with `atoms.center(vacuum=...)`"
            )
        return normal / area * np.sign(height), abs(height), area

    def _weights(self, atoms: Atoms) -> list[np.ndarray]:
        rows: list[np.ndarray] = []
        if "number" in self.quantities:
            rows += [(atoms.numbers == each).astype(float) for each in self._elements]
        if "mass" in self.quantities:
            rows.append(atoms.get_masses() * G_PER_CM3)
        if "charge" in self.quantities:
            rows.append(_charges(atoms))
        return rows

    def _center_fraction(self, atoms: Atoms, fraction: np.ndarray, check: bool) -> float:
        masses = atoms.get_masses()[self.center_on]
        periodic = bool(atoms.pbc[self.axis])
        return center_fraction(fraction[self.center_on], masses, periodic, check)

    def state(self) -> dict[str, np.ndarray]:
        """Return the state to store in a checkpoint."""
        state = {"arguments": np.array(repr(self))}
        if self._numbers is not None:
            state |= {"numbers": self._numbers.copy(), "n_bins": np.array(self._n_bins)}
            state |= packed(
                {
                    "profiles": self._profiles.state(),
                    "orientation": self._orientation.state(),
                    "extent": self._extent.state(),
                }
            )
        return state

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Restore the state of an accumulator with the same arguments."""
        refuse_other_arguments(repr(self), state["arguments"])
        self._numbers = None
        if "numbers" in state:
            self._begin(np.array(state["numbers"]), int(state["n_bins"]))
            self._profiles.restore(unpacked(state, "profiles"))
            self._orientation.restore(unpacked(state, "orientation"))
            self._extent.restore(unpacked(state, "extent"))

    @property
    def has_result(self) -> bool:
        """Whether a configuration has been added."""
        return self._numbers is not None

    def result(self) -> AxisProfileResult:
        """Return the averages so far."""
        if self._numbers is None:
            raise ValueError("no configuration has been added")
        height, outside = self._extent.mean
        middles = (np.arange(self._n_bins) + 0.5) / self._n_bins
        if self.center_on is not None:
            middles -= 0.5
        curves = dict(zip(self._densities, self._profiles.mean, strict=True))
        errors = dict(zip(self._densities, standard_error(self._profiles.blocks), strict=True))
        if "orientation" in self.quantities:
            name = "orientation_cosine"
            curves[name], errors[name] = _ratio(self._orientation)
        return AxisProfileResult(
            axis=self.axis,
            position_A=middles * height,
            curves=curves,
            standard_errors=errors,
            outside=float(outside),
            n_configurations=self._extent.n_samples,
        )

    def __repr__(self) -> str:
        center = None if self.center_on is None else self.center_on.tolist()
        return (
            f"AxisProfile(axis={self.axis}, bin_A={self.bin_A}, quantities={self.quantities}, "
            f"center_on={center})"
        )


def _charges(atoms: Atoms) -> np.ndarray:
    try:
        return np.asarray(atoms.get_charges(), dtype=float)
    except (PropertyNotImplementedError, RuntimeError) as error:
        raise ValueError(
            "a charge profile needs charges, which the calculator of this configuration does not "
            "provide: use a calculator with charges, or remove 'charge' from `quantities`"
        ) from error


def _water_cosines(atoms: Atoms, normal: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the oxygens of water molecules and the cosines of their dipoles with `normal`."""
    oxygens, hydrogens = oxygen_hydrogen_bonds(atoms)
    vectors, _ = find_mic(
        atoms.positions[hydrogens] - atoms.positions[oxygens], atoms.cell, atoms.pbc
    )
    order = np.argsort(oxygens, kind="stable")
    water = np.flatnonzero(np.bincount(oxygens, minlength=len(atoms)) == 2)
    dipole = vectors[order][np.isin(oxygens[order], water)].reshape(-1, 2, 3).sum(axis=1)
    return water, dipole @ normal / np.linalg.norm(dipole, axis=1)


def _ratio(sums: BlockedMean) -> tuple[np.ndarray, np.ndarray]:
    """Return the ratio of two means and its standard error to first order."""
    numerator, denominator = sums.mean
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = numerator / denominator
        deviations = (sums.blocks[:, 0] - ratio * sums.blocks[:, 1]) / denominator
    return ratio, standard_error(deviations)

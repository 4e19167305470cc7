r"""Potentials relative to vacuum, calibrated once by a reference.

Charges on atoms give the potential of ions and dipoles, not that of the electrons within neutral
atoms. Averaged over planes and over a period :math:`w` of the layers (macroscopic average [1]_),

.. math::
    \bar\phi(z) = \bar\phi_\mathrm{les}(z) + \sum_Z C_Z\, \bar n_Z(z)

with number densities :math:`\bar n_Z` and one constant per element, the volume integral
:math:`C_Z` (V Å³) of the short-range potential of its atoms. `calibrate_potential` determines these
constants from slabs with a planar potential of density functional theory, label
``REF_potential``, as far as the slabs determine them. A structure whose composition they do not
determine has no absolute potential.

A metal needs one number only. The energy of its electrons follows the potential
:math:`\lambda = \partial E/\partial p` of its shared charges, equal at all of its
atoms,

.. math::
    \Phi = \lambda - \phi_\mathrm{vacuum} + \Phi_0

for each face, and the work function of the clean slab fixes :math:`\Phi_0`
(`calibrate_work_function`).

References
----------
.. [1] A. Baldereschi, S. Baroni, R. Resta, Phys. Rev. Lett. 61, 734 (1988).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from ase import Atoms

from ase_les.calculator_extensions import model_hash
from ase_les.properties.planar_potential import PlanarPotential
from ase_les.properties.slab_electrostatics import is_slab, potential_step_V
from ase_les.simulation.slab_geometry import area_A2, unit_normal

LABEL = "REF_potential"
#: Combinations of elements that change the potential less than this, relative to the largest, are
#: not determined by a reference.
_DETERMINED = 0.05
#: Part of a composition along undetermined combinations above which it is refused.
_ALLOWED = 0.02
_BIN_A = 0.05


@dataclass(frozen=True)
class PotentialCalibration:
    r"""Constants of potentials relative to vacuum, for one model.

    Attributes
    ----------
    model : str or None
        Hash of the model.
    window_A : float
        Period of the macroscopic average; nan without a reference potential.
    core_V_A3 : mapping of str to float
        :math:`C_Z` by element.
    determined : tuple of mappings of str to float
        Combinations of elements (orthonormal) whose constants the reference determines.
    residual_V : float
        Root-mean-square difference from the reference potential.
    smearing_A : float
        Smearing of the charges in the potential; nan without a reference potential.
    metal_V : float
        :math:`\Phi_0` in eV; nan without a reference work function.
    """

    model: str | None
    window_A: float = math.nan
    core_V_A3: Mapping[str, float] = field(default_factory=dict)
    determined: tuple[Mapping[str, float], ...] = ()
    residual_V: float = math.nan
    smearing_A: float = math.nan
    metal_V: float = math.nan

    def as_dict(self) -> dict[str, Any]:
        """Return plain containers for YAML."""
        found = asdict(self)
        return found | {"determined": [dict(each) for each in self.determined]}

    @classmethod
    def from_dict(cls, given: Mapping[str, Any]) -> PotentialCalibration:
        """Return a calibration from `as_dict`.

        Raises
        ------
        ValueError
            If an entry is unknown or missing.
        """
        try:
            known = {name: value for name, value in given.items() if value is not None}
            return cls(**{"model": None, **known, "determined": tuple(known.get("determined", ()))})
        except TypeError as error:
            raise ValueError(f"not a calibration of potentials: {error}") from None


@dataclass(frozen=True)
class AbsolutePotential:
    """Macroscopic average of the potential relative to the vacuum below a slab.

    Attributes
    ----------
    position_A, potential_V : (bins,) arrays
        Along the normal.
    inside_V : float
        Average over the middle third of the slab, relative to the vacuum below.
    step_V : float
        Vacuum above minus vacuum below.
    residual_V : float
        Error of the calibration.
    """

    position_A: np.ndarray
    potential_V: np.ndarray
    inside_V: float
    step_V: float
    residual_V: float

    def band_edge_eV(self, edge_eV: float) -> tuple[float, float]:
        """Return a band edge relative to the vacuum below and above, in eV.

        Parameters
        ----------
        edge_eV : float
            Energy of the edge in the bulk, relative to the average potential energy of an electron
            there, from a bulk calculation.
        """
        below = edge_eV - self.inside_V
        return below, below + self.step_V


def macroscopic_average(
    position_A: np.ndarray, values: np.ndarray, window_A: float, passes: int = 2
) -> np.ndarray:
    """Return values averaged over a window, repeatedly; the ends are continued as constants.

    Parameters
    ----------
    position_A : (bins,) array
        Equally spaced.
    values : (bins,) array
    window_A : float
        Period of the layers in Å.
    passes : int
        Two passes also remove the linear variation within a window.
    """
    spacing = position_A[1] - position_A[0]
    half = 0.5 * window_A
    margin = math.ceil(half / spacing) + 1
    for _ in range(passes):
        padded = np.pad(values, margin, mode="edge")
        edges = np.arange(len(padded) + 1) * spacing
        integral = np.concatenate([[0.0], np.cumsum(padded) * spacing])
        centers = (np.arange(len(values)) + margin + 0.5) * spacing
        upper, lower = (np.interp(centers + s * half, edges, integral) for s in (1, -1))
        values = (upper - lower) / window_A
    return values


def calibrate_potential(
    references: Sequence[Atoms], window_A: float, smearing_A: float = 0.0
) -> PotentialCalibration:
    """Return the constants of the elements in reference slabs.

    Parameters
    ----------
    references : sequence of Atoms
        Slabs (pbc True, True, False) with a calculator and with ``info["REF_potential"]``: planar
        averages of the potential in V that acts on a positive charge, with any zero (the local
        potential of electrons in eV is its negative). Value i of n, from 0, is at i/n of the third
        cell vector, as on the grids of VASP and Quantum ESPRESSO.
    window_A : float
        Period of the layers.
    smearing_A : float
        Smearing of the model.

    Raises
    ------
    ValueError
        If a label is missing or a structure is no slab.
    """
    if not references:
        raise ValueError(f"a calibration needs at least one slab with the label {LABEL}")
    elements = sorted({symbol for atoms in references for symbol in atoms.symbols})
    rows, differences = [], []
    for atoms in references:
        label = np.asarray(atoms.info.get(LABEL, ()), dtype=float)
        if label.ndim != 1 or len(label) < 10 or not np.isfinite(label).all():
            raise ValueError(
                f"the reference {atoms.get_chemical_formula()} needs info['{LABEL}']: at least ten "
                "planar averages of the potential along its third cell vector, in V"
            )
        position, latent = _latent_potential(atoms, window_A, smearing_A)
        height = len(position) * (position[1] - position[0])
        # Both ends of the cell may differ: the vacuum above continues linearly.
        label = np.append(label, 2 * label[-1] - label[-2])
        at = np.linspace(0, height, len(label))
        reference = macroscopic_average(position, np.interp(position, at, label), window_A)
        densities = _densities(atoms, elements, position, window_A)
        difference = reference - latent
        # The zero of the label is arbitrary.
        rows.append(densities - densities.mean(axis=0))
        differences.append(difference - difference.mean())
    matrix, target = np.concatenate(rows), np.concatenate(differences)
    left, sizes, right = np.linalg.svd(matrix, full_matrices=False)
    kept = sizes > _DETERMINED * sizes[0]
    constants = right[kept].T @ ((left[:, kept].T @ target) / sizes[kept])
    residual = target - matrix @ constants
    return PotentialCalibration(
        model=model_hash(references[0].calc),
        window_A=float(window_A),
        core_V_A3=dict(zip(elements, constants.tolist(), strict=True)),
        determined=tuple(dict(zip(elements, row.tolist(), strict=True)) for row in right[kept]),
        residual_V=float(np.sqrt(np.mean(residual**2))),
        smearing_A=float(smearing_A),
    )


def absolute_potential(atoms: Atoms, calibration: PotentialCalibration) -> AbsolutePotential:
    """Return the potential of a slab relative to vacuum.

    Parameters
    ----------
    atoms : Atoms
        Slab with a calculator.
    calibration : PotentialCalibration
        From `calibrate_potential`.

    Raises
    ------
    ValueError
        If the calibration belongs to another model, or does not determine the composition of the
        slab.
    """
    check_model(atoms, calibration)
    if not calibration.core_V_A3:
        raise ValueError(
            "an absolute potential needs a calibration by a reference potential: give slabs with "
            f"the label {LABEL} (calibrate_potential, --reference). Without it only changes of "
            "the potential are meaningful (`ase-les profile`)"
        )
    window, smearing = calibration.window_A, calibration.smearing_A
    if math.isnan(smearing):
        raise ValueError(
            "the calibration does not contain the smearing of its potential, as those of earlier "
            "versions: calibrate again (calibrate_potential, --reference)"
        )
    position, latent = _latent_potential(atoms, window, smearing)
    elements = sorted(set(atoms.symbols))
    missing = [symbol for symbol in elements if symbol not in calibration.core_V_A3]
    if missing:
        raise ValueError(
            f"the calibration does not contain {', '.join(missing)}: add a reference slab with "
            "these elements"
        )
    known = list(calibration.core_V_A3)
    densities = _densities(atoms, known, position, window)
    _check_composition(densities, calibration)
    potential = latent + densities @ np.array([calibration.core_V_A3[each] for each in known])
    heights = atoms.positions @ unit_normal(atoms)
    low, high = heights.min(), heights.max()
    inside = np.abs(position - 0.5 * (low + high)) <= (high - low) / 6
    return AbsolutePotential(
        position_A=position,
        potential_V=potential,
        inside_V=float(potential[inside].mean()),
        step_V=potential_step_V(atoms),
        residual_V=calibration.residual_V,
    )


def calibrate_work_function(clean: Atoms, work_function_eV: float) -> PotentialCalibration:
    """Return the constant of a metal from the work function of its clean slab.

    Parameters
    ----------
    clean : Atoms
        Slab of the metal with a calculator whose metal atoms share electrons.
    work_function_eV : float
        Of the clean surface, the mean of both faces if these differ.

    Raises
    ------
    ValueError
        If the work function is not plausible, or the structure is no slab of a metal.
    """
    if not (math.isfinite(work_function_eV) and 0 < work_function_eV < 15):
        raise ValueError(f"a work function is between 0 and 15 eV, got {work_function_eV!r}")
    level = _metal_level(clean)
    return PotentialCalibration(
        model=model_hash(clean.calc), metal_V=float(work_function_eV - level)
    )


def work_functions(atoms: Atoms, calibration: PotentialCalibration) -> tuple[float, float]:
    """Return the work functions of the lower and the upper face of a metal slab, in eV.

    Parameters
    ----------
    atoms : Atoms
        Slab with a calculator; adsorbates, ions and solvent change the work function.
    calibration : PotentialCalibration
        From `calibrate_work_function`.

    Raises
    ------
    ValueError
        If the calibration belongs to another model or has no work function, or the structure is no
        slab of a metal.
    """
    check_model(atoms, calibration)
    if math.isnan(calibration.metal_V):
        raise ValueError(
            "an absolute work function needs the known work function of the clean slab as "
            "reference (calibrate_work_function, --work-function); without it only changes are "
            "meaningful"
        )
    inside = _metal_level(atoms) + calibration.metal_V
    half = 0.5 * potential_step_V(atoms)
    # Potentials of the sums are relative to the mean of the vacuum on both sides.
    return inside + half, inside - half


def _metal_level(atoms: Atoms) -> float:
    """Return the potential of the shared charges of a slab in V, relative to the mean vacuum."""
    _check_slab(atoms)
    if not hasattr(atoms.calc, "get_metal_potential"):
        raise ValueError("a work function needs a calculator whose metal atoms share electrons")
    return float(atoms.calc.get_metal_potential(atoms))


def _check_slab(atoms: Atoms) -> None:
    if not is_slab(atoms):
        raise ValueError(
            "potentials relative to vacuum need a slab with vacuum along the third cell vector: "
            f"set pbc = (True, True, False), got {atoms.pbc.tolist()}"
        )


def check_model(atoms: Atoms, calibration: PotentialCalibration) -> None:
    """Raise ValueError if the calculator of a structure is not that of a calibration."""
    given = model_hash(atoms.calc)
    if given != calibration.model:
        raise ValueError(
            f"the calibration belongs to the model {calibration.model}, got {given}: constants of "
            "one model are not those of another. Calibrate this model"
        )


def _check_composition(densities: np.ndarray, calibration: PotentialCalibration) -> None:
    """Refuse densities (bins, elements) that the reference does not determine."""
    basis = np.array([list(each.values()) for each in calibration.determined])
    apart = densities - densities @ basis.T @ basis
    if np.abs(apart).max() > _ALLOWED * np.abs(densities).max():
        raise ValueError(
            "the calibration does not determine the potential of this composition: its reference "
            "slabs contain these elements in other proportions. Add a reference slab like this one"
        )


def _latent_potential(
    atoms: Atoms, window_A: float, smearing_A: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return positions and the macroscopic average of the potential of charges, in V."""
    _check_slab(atoms)
    if not (math.isfinite(window_A) and window_A > 0):
        raise ValueError(f"`window_A`, the period of the layers, must be positive, got {window_A}")
    averages = PlanarPotential(axis=2, bin_A=_BIN_A, smearing_A=smearing_A)
    averages.add(atoms)
    result = averages.result()
    potential = macroscopic_average(result.position_A, result.curves["potential_V"], window_A)
    return result.position_A, potential


def _densities(
    atoms: Atoms, elements: Sequence[str], position_A: np.ndarray, window_A: float
) -> np.ndarray:
    """Return the macroscopic averages (bins, elements) of number densities in 1/Å³."""
    spacing = position_A[1] - position_A[0]
    heights = atoms.positions @ unit_normal(atoms)
    symbols = np.array(atoms.get_chemical_symbols())
    columns = []
    for element in elements:
        place = (heights[symbols == element] - position_A[0]) / spacing
        lower = np.floor(place).astype(int)
        share = place - lower
        counts = np.bincount(lower, 1 - share, len(position_A) + 1)
        counts += np.bincount(lower + 1, share, len(position_A) + 1)
        density = counts[: len(position_A)] / (area_A2(atoms) * spacing)
        columns.append(macroscopic_average(position_A, density, window_A))
    return np.stack(columns, axis=1)

r"""Born effective charges of molecules, crystals, slabs and interfaces, for any ASE calculator.

.. math::
    Z^*_{i,\alpha\beta} = \frac{\partial M_\alpha}{\partial r_{i\beta}}

where :math:`\mathbf{M}` is the dipole of a finite structure or slab, or volume times polarization
of a crystal. `ase_les.properties.moment_sources` describes how its changes are obtained, and
`ase_les.properties.born_differences` the meaning of the normal component of a slab.

References
----------
.. [1] X. Gonze and C. Lee, Phys. Rev. B 55, 10355 (1997).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import PropertyNotImplementedError

from ase_les.arguments import require_one_of, require_positive
from ase_les.configuration import read_yaml
from ase_les.model_limits import check_limits
from ase_les.properties import born_differences, crystal_symmetry
from ase_les.properties.atom_selection import selected_atoms
from ase_les.properties.born_layers import born_layers
from ase_les.properties.born_results import BornCharges, ElementCharges, notes_on
from ase_les.properties.moments import check_components, choose_moments, shifts_charge
from ase_les.reading.born_charges import born_tensors
from ase_les.reading.extended_xyz import without_labels, write_labeled
from ase_les.runs.evaluations import displacement_record
from ase_les.runs.lock import lock_output
from ase_les.runs.output import OutputFiles, RunOptions, write_arrays, write_summary
from ase_les.runs.processes import SERIAL, Jobs
from ase_les.runs.progress import NO_PROGRESS, Progress
from ase_les.runs.provenance import describe_calculator, describe_structure
from ase_les.simulation.slab_geometry import LAYER_GAP_A, unit_normal

__all__ = [
    "BornCharges",
    "BornSettings",
    "ElementCharges",
    "acoustic_sum_rule",
    "born_charges",
    "calculated_charges",
    "dielectric_tensor",
]

METHODS = ("analytic", "displacement", "field")

_STEP_A, _EXACT_STEP_A = 0.01, 2e-4


@dataclass(frozen=True)
class BornSettings:
    """Settings of a Born charge calculation.

    Parameters
    ----------
    chosen : str, sequence of int, or None
        Atoms by index or by a selection of `ase_les.properties.atom_selection`: ``"top:2"``,
        ``"O&near:H:1.2"``. Only these, or equivalent ones, are displaced. By default all.
    components : str
        "all", or "normal" for only the polarization along the normal of a slab, for calculators
        that provide only the dipole of a slab, or models whose excess charge is distributed
        evenly in a field.
    source : str
        Source of the moment for method "displacement": "auto", "dipole", "polarization", "current"
        or "charges".
    reach_A : float or None
        Range of charge changes around a displaced atom for source "charges"; by default from
        the calculator.
    axis : str or None
        "a", "b" or "c": cell vector across the layers of a periodic box, for results by layer. By
        default results by layer are given for slabs, and for boxes if `bulk` is given.
    layer_gap_A : float
        Distance along the normal that separates layers.
    bulk : mapping of str to float, path, or None
        Isotropic Born charges in e of elements in the bulk for comparison with the layers, or the
        summary file of an earlier run that contains them.
    symmetrize : bool or None
        Average over the symmetry operations of the crystal or slab, which also reduces the number
        of displacements. By default for two and three periodic directions.
    symmetry_tolerance_A : float
        Symmetry tolerance in Å (spglib ``symprec``).
    sum_rule : bool
        Subtract the excess of the sum evenly from all atoms; it is reported in any case.
    dielectric : float, array of shape (3, 3), or None
        Electronic dielectric tensor for the BORN file; by default from the calculator, or 1. It
        does not scale the charges.
    displacement_A : float or None
        Displacement in Å; by default 0.01 Å, or 2e-4 Å for models with latent charges in double
        precision, whose forces have no noise.
    field_V_per_A : float
        Change of the field in V/Å for method "field".
    beyond_limits : bool
        Allow calculations beyond the limits of the model, see `ase_les.model_limits`.
    """

    chosen: str | Sequence[int] | None = None
    components: str = "all"
    source: str = "auto"
    reach_A: float | None = None
    axis: str | None = None
    layer_gap_A: float = LAYER_GAP_A
    bulk: Mapping[str, float] | str | Path | None = None
    symmetrize: bool | None = None
    symmetry_tolerance_A: float = 1e-3
    sum_rule: bool = False
    dielectric: np.ndarray | float | None = None
    displacement_A: float | None = None
    field_V_per_A: float = 1e-3
    beyond_limits: bool = False

    def __post_init__(self) -> None:
        if self.displacement_A is not None:
            require_positive("displacement_A", self.displacement_A)
        require_positive("field_V_per_A", self.field_V_per_A)


@lock_output
def born_charges(
    atoms: Atoms,
    method: str = "analytic",
    *,
    output: str | Path | None = None,
    resume: bool = False,
    overwrite: bool = False,
    jobs: Jobs = SERIAL,
    progress: Progress = NO_PROGRESS,
    **settings: Any,
) -> BornCharges:
    """Compute Born effective charges.

    Parameters
    ----------
    atoms : ase.Atoms
        With a calculator; not modified.
    method : str
        "analytic": ``born_effective_charges`` of the calculator. "displacement": differences of
        moments, six structures per inequivalent atom. "field": differences of forces in a field
        that can be assigned as ``calculator.field_V_per_A``, six force calls in total.
    output : str, Path or None
        Stem of ``-summary.yml``, ``-born.npz``, ``-born.extxyz`` (with nine columns
        ``born_effective_charges``, read by ASE as results of a calculator), ``-BORN`` for phonopy
        (crystals only, inequivalent atoms of the primitive cell) and the record of finished
        displacements ``-displacements.jsonl``.
    resume, overwrite : bool
        Continue from the recorded displacements, or replace an earlier calculation.
    jobs : Jobs
        Worker processes for the displacements.
    **settings
        See `BornSettings`.

    Raises
    ------
    ValueError
        If the calculator is missing or lacks what the method needs, the structure is a wire, a
        charged molecule is to be displaced and the calculator gives no charges (the origin of its
        dipole may move with the atoms), or a setting is invalid.
    FileExistsError
        If an earlier calculation would be lost.
    """
    run = RunOptions.from_keywords(
        output, resume=resume, overwrite=overwrite, jobs=jobs, progress=progress
    )
    chosen = _resolved(atoms, method, BornSettings(**settings))
    selected = selected_atoms(
        atoms, chosen.chosen, axis=chosen.axis, layer_gap_A=chosen.layer_gap_A
    )
    all_selected = len(selected) == len(atoms)
    if chosen.sum_rule and not all_selected:
        raise ValueError("`sum_rule` needs all atoms; omit the selection of atoms or the sum rule")
    bulk_e = bulk_charges(chosen.bulk)
    limits = check_limits(atoms.calc, atoms, beyond_limits=chosen.beyond_limits)
    # An existing record of displacements is checked when it is opened.
    run.prepare("-summary.yml")
    operations = (
        crystal_symmetry.symmetry_operations(atoms, chosen.symmetry_tolerance_A)
        if chosen.symmetrize
        else [crystal_symmetry.identity(len(atoms))]
    )
    displaced: list[int] = []
    description: dict[str, object] = {}
    if method == "displacement":
        displaced = crystal_symmetry.inequivalent_atoms(operations, len(atoms), selected.tolist())
        found, description = _by_displacement(atoms, displaced, chosen, run)
    elif method == "field":
        slopes = born_differences.by_field(atoms, chosen.field_V_per_A, chosen.components)
        found = dict(enumerate(slopes))
    else:
        found = dict(enumerate(_analytic(atoms, chosen.components)))
    tensors = crystal_symmetry.symmetrize_atomic_tensors(found, operations, len(atoms))
    tensors[np.setdiff1d(np.arange(len(atoms)), selected)] = np.nan
    total_charge = float(atoms.info.get("charge", 0))
    result = BornCharges(
        tensors=acoustic_sum_rule(tensors, total_charge) if chosen.sum_rule else tensors,
        sum_over_atoms_e=tensors.sum(axis=0) if all_selected else None,
        symbols=tuple(atoms.symbols),
        numbers=atoms.numbers.copy(),
        dielectric=dielectric_tensor(atoms, chosen.dielectric),
        method=method,
        symmetrized=bool(chosen.symmetrize),
        sum_rule=chosen.sum_rule,
        displacement_A=chosen.displacement_A if method == "displacement" else None,
        displaced_atoms=tuple(displaced),
        calculator=describe_calculator(atoms.calc),
        structure=describe_structure(atoms),
        atoms=None if all_selected else tuple(selected.tolist()),
        components=chosen.components,
        moments=description,
    )
    if atoms.pbc.sum() == 2 or chosen.axis is not None or bulk_e:
        layers = born_layers(
            atoms,
            result.tensors,
            axis=chosen.axis,
            gap_A=chosen.layer_gap_A,
            bulk=bulk_e,
            components=chosen.components,
        )
        result = replace(result, layers=layers)
    shifted = bool(atoms.pbc.sum() == 2 and shifts_charge(atoms))
    result = replace(result, notes=(*notes_on(result, shifted, total_charge), *limits))
    if run.files is not None:
        _write(run.files, atoms, result, chosen.symmetry_tolerance_A)
    return result


def acoustic_sum_rule(tensors: np.ndarray, total_charge: float = 0.0) -> np.ndarray:
    r"""Return Born charges from which the excess of the sum is subtracted evenly.

    .. math::
        Z^*_i \to Z^*_i - \frac1N \Big( \sum_j Z^*_j - Q\,1 \Big)

    Parameters
    ----------
    tensors : array, shape (N, 3, 3)
        Charges in e; not modified.
    total_charge : float
        :math:`Q` in e.
    """
    tensors = np.asarray(tensors, dtype=float)
    return tensors - (tensors.mean(axis=0) - total_charge / len(tensors) * np.eye(3))


def bulk_charges(given: Mapping[str, float] | str | Path | None) -> dict[str, float]:
    """Return isotropic Born charges in e by element, from a mapping or a summary file.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is not a summary of Born charges.
    """
    if given is None:
        return {}
    if isinstance(given, Mapping):
        return {str(symbol): float(value) for symbol, value in given.items()}
    path = Path(given)
    if not path.exists():
        raise FileNotFoundError(
            f"no file '{path}' with Born charges of the bulk: `bulk` must be the -summary.yml of "
            "an earlier run, or values by element"
        )
    summary: Any = read_yaml(path) or {}
    try:
        elements = summary["elements"]
        return {symbol: float(each["isotropic_e"]) for symbol, each in elements.items()}
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(
            f"'{path}' is not a summary of Born charges: it has no `isotropic_e` of elements"
        ) from error


def dielectric_tensor(atoms: Atoms, given: np.ndarray | float | None) -> np.ndarray:
    """Return the electronic dielectric tensor (3, 3): as given, from the calculator, or 1.

    Raises
    ------
    ValueError
        If the given value is neither a number nor a 3×3 tensor, or is not positive.
    """
    if given is None:
        try:
            given = atoms.calc.get_property("dielectric_tensor", atoms)
        except PropertyNotImplementedError:
            given = 1.0
    tensor = np.asarray(given, dtype=float)
    tensor = tensor * np.eye(3) if tensor.ndim == 0 else tensor
    if tensor.shape != (3, 3) or not np.linalg.eigvalsh(0.5 * (tensor + tensor.T)).min() > 0:
        raise ValueError(
            f"`dielectric` must be a positive number or a positive 3×3 tensor, got {given!r}"
        )
    return tensor


def calculated_charges(atoms: Atoms) -> np.ndarray:
    """Return the calculator's ``born_effective_charges``, shape (N, 3, 3), in e.

    Arrays with nine numbers per atom (N, 9), such as recorded results, are supported.

    Raises
    ------
    PropertyNotImplementedError
        If the calculator does not give them.
    ValueError
        If they have a different shape.
    """
    given = atoms.calc.get_property("born_effective_charges", atoms)
    return born_tensors(given, len(atoms), type(atoms.calc).__name__)


def _resolved(atoms: Atoms, method: str, chosen: BornSettings) -> BornSettings:
    """Check structure, method and settings; return the settings without None for defaults."""
    if atoms.calc is None:
        raise ValueError("the structure has no calculator; set atoms.calc")
    require_one_of("method", method, METHODS)
    check_components(atoms, chosen.components)
    periodic = bool(atoms.pbc.sum() >= 2)
    symmetrize = periodic if chosen.symmetrize is None else chosen.symmetrize
    if symmetrize and not (periodic and chosen.symmetry_tolerance_A > 0):
        raise ValueError(
            "`symmetrize` needs two or three periodic directions and a positive "
            f"`symmetry_tolerance_A`, got pbc {atoms.pbc.tolist()} and "
            f"{chosen.symmetry_tolerance_A}"
        )
    charged = not atoms.pbc.any() and atoms.info.get("charge", 0) != 0
    if method == "displacement" and charged:
        _check_origin(atoms)
    step_A = _default_step_A(atoms) if chosen.displacement_A is None else chosen.displacement_A
    return replace(chosen, symmetrize=symmetrize, displacement_A=step_A)


def _check_origin(atoms: Atoms) -> None:
    if "charges" not in atoms.calc.implemented_properties:
        raise ValueError(
            f"the dipole of a molecule of charge {atoms.info['charge']} depends on an origin that "
            f"may move with its atoms, and {type(atoms.calc).__name__} gives no charges to "
            "correct for this; use method 'analytic' or 'field'"
        )


def _default_step_A(atoms: Atoms) -> float:
    calculator = atoms.calc
    settings = getattr(calculator, "parameters", None) or {}
    exact = hasattr(calculator, "get_local_charges") and settings.get("dtype") == "float64"
    return _EXACT_STEP_A if exact else _STEP_A


def _by_displacement(
    atoms: Atoms, displaced: Sequence[int], chosen: BornSettings, run: RunOptions
) -> tuple[dict[int, np.ndarray], dict[str, object]]:
    """Return the tensors of displaced atoms and a description of the moments."""
    moments = choose_moments(atoms, chosen.source, chosen.components, chosen.reach_A)
    step_A = chosen.displacement_A
    assert step_A is not None
    record = displacement_record(run, atoms, {"displacement_A": step_A, **moments.described})
    try:
        found = born_differences.by_displacement(
            atoms, displaced, step_A, record, moments, jobs=run.jobs, progress=run.progress
        )
    except PropertyNotImplementedError as error:
        raise ValueError(
            f"{type(atoms.calc).__name__} lists {', '.join(moments.wanted)} but does not give it "
            f"for pbc {atoms.pbc.tolist()} ({error}); choose another `source`, or for a slab "
            "`components` 'normal'"
        ) from error
    return found, moments.described


def _analytic(atoms: Atoms, components: str) -> np.ndarray:
    try:
        tensors = calculated_charges(atoms)
    except PropertyNotImplementedError as error:
        raise ValueError(
            f"{type(atoms.calc).__name__} gives no born_effective_charges here ({error}); use "
            "method 'displacement' with a calculator that gives polarization or dipole"
        ) from error
    if components == "normal":
        normal = unit_normal(atoms)
        return np.outer(normal, normal) @ tensors
    return tensors


def _write(files: OutputFiles, atoms: Atoms, result: BornCharges, tolerance_A: float) -> None:
    write_arrays(files.named("-born.npz"), result.arrays())
    labeled = without_labels(atoms)
    labeled.arrays["born_effective_charges"] = result.tensors.reshape(len(atoms), 9)
    write_labeled(files.named("-born.extxyz"), [labeled])
    summary = result.summary()
    if atoms.pbc.all() and result.atoms is None:
        from ase_les.properties.phonopy_files import write_born_file

        indices = write_born_file(
            files.named("-BORN"), atoms, result.tensors, result.dielectric, tolerance_A
        )
        summary["BORN"] = {"inequivalent_atoms": indices}
    # Written last: its existence means that all files are complete.
    write_summary(files.summary, summary)

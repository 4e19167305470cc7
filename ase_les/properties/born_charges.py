r"""Born effective charges of molecules, crystals, slabs and interfaces, for any ASE calculator.

.. math::
    Z^*_{i,\alpha\beta} = \frac{\partial M_\alpha}{\partial r_{i\beta}}

with :math:`\mathbf{M}` the dipole of a finite structure or of a slab, or volume times polarization
of a crystal; `ase_les.properties.born_differences` says how its changes are found, and what the
component along the normal of a slab means.

References
----------
.. [1] X. Gonze and C. Lee, Phys. Rev. B 55, 10355 (1997).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.calculators.calculator import PropertyNotImplementedError
from rich.table import Table

from ase_les.configuration import read_yaml
from ase_les.properties import born_differences, crystal_symmetry
from ase_les.properties.atom_selection import selected_atoms
from ase_les.properties.born_layers import BornLayers, born_layers
from ase_les.properties.layers import LAYER_GAP_A, unit_normal
from ase_les.reading.born_charges import born_tensors
from ase_les.reports import terminal
from ase_les.runs.output import write_arrays, write_summary
from ase_les.runs.processes import SERIAL, Jobs
from ase_les.runs.provenance import describe_calculator, describe_structure, fingerprint, plain
from ase_les.runs.record import Record
from ase_les.training.labelled_frames import without_labels, write_labelled

METHODS = ("analytic", "displacement", "field")

_STEP_A, _EXACT_STEP_A = 0.01, 2e-4

# Sums over the atoms below this, in e, are rounding (float32 included).
_SUM_RULE_TOLERANCE = 1e-3


@dataclass(frozen=True)
class ElementCharges:
    """Born charges of the atoms of one element.

    Parameters
    ----------
    atoms : int
        How many there are.
    eigenvalues_e : tuple of float
        Of the symmetric parts, smallest to largest, mean over the atoms.
    isotropic_e : float
        Mean of a third of the traces.
    spread_e : float
        Standard deviation of a third of the traces.
    """

    atoms: int
    eigenvalues_e: tuple[float, float, float]
    isotropic_e: float
    spread_e: float


@dataclass(frozen=True)
class BornCharges:
    """Born effective charges of a structure.

    Parameters
    ----------
    tensors : array, shape (N, 3, 3)
        [atom, polarization, displacement] in e; nan for atoms that were not asked for, zero where
        polarization is not along the normal if only that component was.
    sum_over_atoms_e : array, shape (3, 3), or None
        Their sum as it was found, before any sum rule; zero, or the total charge, if charge is
        conserved (what it is if not: `ase_les.response`). None if not all atoms were asked for.
    symbols : tuple of str
    dielectric : array, shape (3, 3)
        Electronic dielectric tensor that belongs to the charges: they contain its square root.
    method : str
        "analytic", "displacement" or "field".
    symmetrized, sum_rule : bool
        What was imposed.
    displacement_A : float or None
        Step of the finite difference.
    displaced_atoms : tuple of int
        Atoms that were moved; the others follow by symmetry.
    calculator, structure : dict
        What gave them, of what.
    atoms : tuple of int or None
        Those asked for; None is all.
    components : str
        "all", or "normal" of a slab.
    moments : dict
        What finite differences of moments were made of.
    layers : BornLayers or None
        The same by layer, of slabs and where an axis was given.
    notes : tuple of str
        What to know of them, in sentences.
    """

    tensors: np.ndarray
    sum_over_atoms_e: np.ndarray | None
    symbols: tuple[str, ...]
    dielectric: np.ndarray
    method: str
    symmetrized: bool
    sum_rule: bool
    displacement_A: float | None
    displaced_atoms: tuple[int, ...]
    calculator: dict[str, object]
    structure: dict[str, object]
    atoms: tuple[int, ...] | None = None
    components: str = "all"
    moments: dict[str, object] = field(default_factory=dict)
    layers: BornLayers | None = None
    notes: tuple[str, ...] = ()

    @property
    def _asked(self) -> np.ndarray:
        mask = np.ones(len(self.symbols), dtype=bool)
        if self.atoms is not None:
            mask[:] = False
            mask[list(self.atoms)] = True
        return mask

    @property
    def elements(self) -> dict[str, ElementCharges]:
        """Mean and spread over the atoms of every element; none of the normal component alone."""
        if self.components != "all":
            return {}
        asked = np.array(self.symbols)[self._asked]
        return {symbol: self._of(symbol) for symbol in dict.fromkeys(asked.tolist())}

    def _of(self, symbol: str) -> ElementCharges:
        tensors = self.tensors[(np.array(self.symbols) == symbol) & self._asked]
        symmetric = 0.5 * (tensors + tensors.transpose(0, 2, 1))
        thirds = np.trace(tensors, axis1=1, axis2=2) / 3
        return ElementCharges(
            atoms=len(tensors),
            eigenvalues_e=tuple(np.linalg.eigvalsh(symmetric).mean(axis=0).tolist()),
            isotropic_e=float(thirds.mean()),
            spread_e=float(thirds.std()),
        )

    def summary(self) -> dict[str, object]:
        """Plain containers for YAML and JSON."""
        return {
            "structure": self.structure,
            "calculator": self.calculator,
            "method": self.method,
            "displacement_A": self.displacement_A,
            "displaced_atoms": list(self.displaced_atoms),
            "atoms": "all" if self.atoms is None else list(self.atoms),
            "components": self.components,
            **self.moments,
            "symmetrized": self.symmetrized,
            "sum_rule_imposed": self.sum_rule,
            "sum_over_atoms_before_e": plain(self.sum_over_atoms_e),
            "dielectric": self.dielectric.tolist(),
            "notes": list(self.notes),
            "elements": plain(self.elements),
            **({} if self.layers is None else {"layers": self.layers.summary()}),
            "born_effective_charges_e": self.tensors.tolist(),
        }

    def table(self) -> Table:
        """A row for every element."""
        table = Table(
            *("element", "atoms", "eigenvalues / e", "mean / e", "spread / e"),
            title=f"Born effective charges of {self.structure['formula']}",
            title_justify="left",
        )
        for symbol, found in self.elements.items():
            eigenvalues = "  ".join(f"{value:+.4f}" for value in found.eigenvalues_e)
            table.add_row(
                *(symbol, str(found.atoms), eigenvalues),
                *(f"{found.isotropic_e:+.4f}", f"{found.spread_e:.4f}"),
            )
        if self.sum_over_atoms_e is not None:
            largest = np.abs(self.sum_over_atoms_e).max()
            imposed = "taken out" if self.sum_rule else "left"
            table.caption = f"largest component of the sum over atoms {largest:.2e} e, {imposed}"
        return table


def acoustic_sum_rule(tensors: np.ndarray, total_charge: float = 0.0) -> np.ndarray:
    r"""Born charges with the excess of their sum taken evenly from all atoms, a new array.

    .. math::
        Z^*_i \to Z^*_i - \frac1N \Big( \sum_j Z^*_j - Q\,1 \Big)

    Parameters
    ----------
    tensors : array, shape (N, 3, 3)
        In e; left as it is.
    total_charge : float
        :math:`Q` in e.
    """
    tensors = np.asarray(tensors, dtype=float)
    return tensors - (tensors.mean(axis=0) - total_charge / len(tensors) * np.eye(3))


def born_charges(
    atoms: Atoms,
    method: str = "analytic",
    *,
    chosen: str | Sequence[int] | None = None,
    components: str = "all",
    source: str = "auto",
    reach_A: float | None = None,
    axis: str | None = None,
    layer_gap_A: float = LAYER_GAP_A,
    bulk: Mapping[str, float] | str | Path | None = None,
    symmetrize: bool | None = None,
    symmetry_tolerance_A: float = 1e-3,
    sum_rule: bool = False,
    dielectric: np.ndarray | float | None = None,
    displacement_A: float | None = None,
    field_V_per_A: float = 1e-3,
    output: str | Path | None = None,
    resume: bool = False,
    overwrite: bool = False,
    jobs: Jobs = SERIAL,
    quiet: bool = False,
) -> BornCharges:
    """Born effective charges, their table and files.

    Parameters
    ----------
    atoms : ase.Atoms
        With a calculator; left as it is.
    method : str
        "analytic": the calculator's own ``born_effective_charges``. "displacement": differences of
        moments, six structures for every inequivalent atom (`ase_les.properties.born_differences`).
        "field": differences of forces in a field that can be assigned as
        ``calculator.field_V_per_A``, six force calls in all.
    chosen : str, sequence of int, or None
        A part of the atoms, by index or in the words of `ase_les.properties.atom_selection`:
        ``"top:2"``, ``"O&near:H:1.2"``. Only they (or equivalent ones) are displaced. None is all.
    components : str
        "all"; or of slabs "normal", polarization along the normal alone, for calculators that give
        no more than a slab's dipole, or models whose charges are shifted evenly in a field.
    source : str
        Of method "displacement": which moment to take differences of, "auto", "dipole",
        "polarization", "current" or "charges".
    reach_A : float or None
        Of source "charges": how far from a displaced atom charges change. None asks the
        calculator.
    axis : str or None
        "a", "b" or "c": the lattice vector across the layers of a periodic box, for results by
        layer. Slabs have them always, boxes only with this or `bulk`.
    layer_gap_A : float
        A new layer begins where the next atom is farther than this along the normal.
    bulk : mapping of str to float, path, or None
        Isotropic Born charges in e of elements in the bulk, to compare layers with, or the summary
        file of an earlier run that has them.
    symmetrize : bool or None
        Average over the symmetry operations of the crystal or slab, which also saves displacements;
        None does so for two and three periodic directions.
    symmetry_tolerance_A : float
        Atoms this close to where symmetry wants them count as there.
    sum_rule : bool
        Take the excess of the sum evenly from all atoms; it is reported in any case.
    dielectric : float, (3, 3) array or None
        Electronic dielectric constant for the BORN file. None asks the calculator, and is 1 if it
        does not know. Charges are never scaled here.
    displacement_A : float or None
        Step of the finite difference in Å. None is 0.01 Å, and 2e-4 Å of models of latent charges
        in double precision, whose differences have no noise.
    field_V_per_A : float
        Step of the field in V/Å.
    output : str, Path or None
        Stem of ``-summary.yml``, ``-born.npz``, ``-born.extxyz`` (the structure with nine columns
        ``born_effective_charges``, which ASE reads as results of a calculator), of crystals
        ``-BORN`` for phonopy (inequivalent atoms of the primitive cell, written by phonopy), of
        layers ``-layers.png``, and of ``-displacements.jsonl``, which grows while atoms are
        displaced. None writes nothing.
    resume, overwrite : bool
        Go on from the displacements that are there, or replace an earlier run of that name.
    jobs : Jobs
        Processes that share the displacements.
    quiet : bool
        No progress, no table.

    Raises
    ------
    ValueError
        If the calculator is missing or cannot do what the method needs, the structure is a wire, or
        a charged molecule to be displaced and the calculator gives no charges (the origin of its
        dipole may move along), or a setting is impossible.
    FileExistsError
        If an earlier run would be lost.
    """
    symmetrize = atoms.pbc.sum() >= 2 if symmetrize is None else symmetrize
    displacement_A = _usual_step_A(atoms) if displacement_A is None else displacement_A
    _check(atoms, method, displacement_A, symmetrize, symmetry_tolerance_A)
    born_differences.check_components(atoms, components)
    asked = selected_atoms(atoms, chosen, axis=axis, layer_gap_A=layer_gap_A)
    if sum_rule and len(asked) < len(atoms):
        raise ValueError("`sum_rule` needs all atoms; leave out the choice of atoms, or the rule")
    bulk_e = bulk_charges(bulk)
    files = _Files(output)
    # Displacements that are there are refused later, unless they are to be used.
    files.check(overwrite or resume)
    operations = (
        crystal_symmetry.symmetry_operations(atoms, symmetry_tolerance_A)
        if symmetrize
        else [crystal_symmetry.identity(len(atoms))]
    )
    displaced: list[int] = []
    described: dict[str, object] = {}
    if method == "displacement":
        moments = born_differences.choose_moments(atoms, source, components, reach_A)
        described = moments.described
        displaced = crystal_symmetry.inequivalent_atoms(operations, len(atoms), asked)
        belongs_to = {
            "fingerprint of the structure": fingerprint(atoms),
            "displacement_A": displacement_A,
            **described,
            **describe_calculator(atoms.calc),
        }
        record = Record.open(files.displacements, belongs_to, resume=resume, overwrite=overwrite)
        try:
            found = born_differences.by_displacement(
                atoms, displaced, displacement_A, record, moments=moments, jobs=jobs, quiet=quiet
            )
        except PropertyNotImplementedError as error:
            raise ValueError(
                f"{type(atoms.calc).__name__} lists {', '.join(moments.wanted)} and does not give "
                f"it under pbc {atoms.pbc.tolist()} ({error}); choose another `source`, or of a "
                "slab `components` 'normal'"
            ) from error
    elif method == "field":
        found = dict(enumerate(born_differences.by_field(atoms, field_V_per_A, components)))
    else:
        found = dict(enumerate(_analytic(atoms, components)))
    tensors = crystal_symmetry.symmetrize_atomic_tensors(found, operations, len(atoms))
    tensors[np.setdiff1d(np.arange(len(atoms)), asked)] = np.nan
    everyone = len(asked) == len(atoms)
    total_charge = float(atoms.info.get("charge", 0))
    result = BornCharges(
        tensors=acoustic_sum_rule(tensors, total_charge) if sum_rule else tensors,
        sum_over_atoms_e=tensors.sum(axis=0) if everyone else None,
        symbols=tuple(atoms.symbols),
        dielectric=dielectric_tensor(atoms, dielectric),
        method=method,
        symmetrized=bool(symmetrize),
        sum_rule=sum_rule,
        displacement_A=displacement_A if method == "displacement" else None,
        displaced_atoms=tuple(displaced),
        calculator=describe_calculator(atoms.calc),
        structure=describe_structure(atoms),
        atoms=None if everyone else tuple(asked.tolist()),
        components=components,
        moments=described,
    )
    if atoms.pbc.sum() == 2 or axis is not None or bulk_e:
        layers = born_layers(
            atoms, result.tensors, axis=axis, gap_A=layer_gap_A, bulk=bulk_e, components=components
        )
        result = replace(result, layers=layers)
    result = replace(result, notes=_notes(atoms, result, total_charge))
    _tell(result, quiet)
    files.write(atoms, result, symmetry_tolerance_A)
    return result


def bulk_charges(given: Mapping[str, float] | str | Path | None) -> dict[str, float]:
    """Return isotropic Born charges in e by element, from a mapping or an earlier run's summary.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is no summary of Born charges.
    """
    if given is None:
        return {}
    if isinstance(given, Mapping):
        return {str(symbol): float(value) for symbol, value in given.items()}
    path = Path(given)
    if not path.exists():
        raise FileNotFoundError(
            f"no file '{path}' with Born charges of the bulk: `bulk` is the -summary.yml of an "
            "earlier run, or values by element"
        )
    elements = (read_yaml(path) or {}).get("elements") or None
    try:
        return {symbol: float(each["isotropic_e"]) for symbol, each in elements.items()}
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(
            f"'{path}' is no summary of Born charges: it has no `isotropic_e` of elements"
        ) from error


def dielectric_tensor(atoms: Atoms, given: np.ndarray | float | None) -> np.ndarray:
    """The electronic dielectric tensor (3, 3): as given, or the calculator's, or 1.

    Raises
    ------
    ValueError
        If what is given is no number and no 3×3 tensor, or is not positive.
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


def _usual_step_A(atoms: Atoms) -> float:
    calculator = atoms.calc
    settings = getattr(calculator, "parameters", None) or {}
    exact = hasattr(calculator, "get_local_charges") and settings.get("dtype") == "float64"
    return _EXACT_STEP_A if exact else _STEP_A


def _check(
    atoms: Atoms, method: str, displacement_A: float, symmetrize: bool, tolerance_A: float
) -> None:
    if atoms.calc is None:
        raise ValueError("the structure has no calculator; set atoms.calc")
    if method not in METHODS:
        raise ValueError(f"`method` must be one of {', '.join(METHODS)}, got {method!r}")
    if not displacement_A > 0:
        raise ValueError(f"`displacement_A` must be positive, got {displacement_A}")
    if symmetrize and not (atoms.pbc.sum() >= 2 and tolerance_A > 0):
        raise ValueError(
            "`symmetrize` needs two or three periodic directions and a positive "
            f"`symmetry_tolerance_A`, got pbc {atoms.pbc.tolist()} and {tolerance_A}"
        )
    if method != "displacement":
        return
    charged = not atoms.pbc.any() and atoms.info.get("charge", 0) != 0
    if charged and "charges" not in atoms.calc.implemented_properties:
        raise ValueError(
            f"the dipole of a molecule of charge {atoms.info['charge']} depends on an origin that "
            f"may move with its atoms, and {type(atoms.calc).__name__} gives no charges to tell by "
            "how much; use method 'analytic' or 'field'"
        )


def _analytic(atoms: Atoms, components: str) -> np.ndarray:
    try:
        given = atoms.calc.get_property("born_effective_charges", atoms)
        tensors = born_tensors(given, len(atoms), type(atoms.calc).__name__)
        if components == "normal":
            normal = unit_normal(atoms)
            return np.outer(normal, normal) @ tensors
        return tensors
    except PropertyNotImplementedError as error:
        raise ValueError(
            f"{type(atoms.calc).__name__} gives no born_effective_charges here ({error}); use "
            "method 'displacement' with a calculator that gives polarization or dipole"
        ) from error


def _notes(atoms: Atoms, result: BornCharges, total_charge: float) -> tuple[str, ...]:
    """What there is to know of these charges, as sentences."""
    notes = []
    if result.sum_over_atoms_e is not None and result.components == "all" and not result.sum_rule:
        excess = np.abs(result.sum_over_atoms_e - total_charge * np.eye(3)).max()
        if excess > _SUM_RULE_TOLERANCE * len(result.symbols):
            notes.append(
                f"The sum over all atoms is off by {excess:.3g} e: charge is not conserved locally "
                "when an atom moves. Of a model whose charges are shifted evenly this is how much "
                "charge a strain makes. `sum_rule=True` (`--sum-rule`) takes the excess from all "
                "atoms."
            )
    if atoms.pbc.sum() == 2 and born_differences.shifts_charge(atoms):
        notes.append(
            "The charges of this model are not conserved locally: Z*⊥ holds the charge that a "
            "displaced atom makes, times its height above the middle of the slab. That vanishes in "
            "layers like the bulk and grows with the thickness at surfaces; models with neutrality "
            "'split' have none of it."
        )
    return tuple(notes)


def _tell(result: BornCharges, quiet: bool) -> None:
    console = terminal.console(quiet)
    if result.components == "all":
        console.print(result.table())
    if result.layers is not None:
        console.print(result.layers.table())
    for note in result.notes:
        console.print(note, style="yellow", markup=False, highlight=False, soft_wrap=True)


class _Files:
    """What a run of a stem writes."""

    def __init__(self, stem: str | Path | None):
        self.stem = None if stem is None else Path(stem)

    def _named(self, ending: str) -> Path | None:
        return None if self.stem is None else self.stem.with_name(self.stem.name + ending)

    @property
    def displacements(self) -> Path | None:
        return self._named("-displacements.jsonl")

    @property
    def summary(self) -> Path | None:
        return self._named("-summary.yml")

    def check(self, allowed: bool) -> None:
        if self.stem is not None and self.summary.exists() and not allowed:
            raise FileExistsError(
                f"'{self.summary}' exists; overwrite=True (--overwrite) replaces that run"
            )

    def write(self, atoms: Atoms, result: BornCharges, tolerance_A: float) -> None:
        if self.stem is None:
            return
        self.stem.parent.mkdir(parents=True, exist_ok=True)
        layers = {} if result.layers is None else result.layers.arrays()
        write_arrays(
            self._named("-born.npz"),
            {
                "born_effective_charges_e": result.tensors,
                "numbers": atoms.numbers,
                "dielectric": result.dielectric,
                **layers,
            },
        )
        if result.layers is not None:
            result.layers.save_figure(self._named("-layers.png"))
        labelled = without_labels(atoms)
        labelled.arrays["born_effective_charges"] = result.tensors.reshape(len(atoms), 9)
        write_labelled(self._named("-born.extxyz"), [labelled])
        written: Mapping[str, object] = {}
        if atoms.pbc.all() and result.atoms is None:
            from ase_les.properties.phonopy_files import write_born_file

            indices = write_born_file(
                self._named("-BORN"), atoms, result.tensors, result.dielectric, tolerance_A
            )
            written = {"BORN": {"inequivalent_atoms": indices}}
        write_summary(self.summary, {**result.summary(), **written})

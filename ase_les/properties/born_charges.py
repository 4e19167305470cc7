r"""Born effective charges of a structure, for any ASE calculator.

.. math::
    Z^*_{i,\alpha\beta} = \frac{\partial M_\alpha}{\partial r_{i\beta}}

with :math:`\mathbf{M}` the dipole of a finite structure, or volume times polarization of a
periodic one.

References
----------
.. [1] X. Gonze and C. Lee, Phys. Rev. B 55, 10355 (1997).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.calculators.calculator import PropertyNotImplementedError
from rich.table import Table

from ase_les import reporting
from ase_les.properties import born_differences, crystal_symmetry
from ase_les.properties.parallel import SERIAL, Jobs
from ase_les.properties.record import Record, fingerprint

METHODS = ("analytic", "displacement", "field")

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
        [atom, polarization, displacement] in e.
    sum_over_atoms_e : array, shape (3, 3)
        Their sum as it was found, before any sum rule; zero, or the total charge, if charge is
        conserved.
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
    """

    tensors: np.ndarray
    sum_over_atoms_e: np.ndarray
    symbols: tuple[str, ...]
    dielectric: np.ndarray
    method: str
    symmetrized: bool
    sum_rule: bool
    displacement_A: float | None
    displaced_atoms: tuple[int, ...]
    calculator: dict[str, object]
    structure: dict[str, object]

    @property
    def elements(self) -> dict[str, ElementCharges]:
        """Mean and spread over the atoms of every element."""
        return {symbol: self._of(symbol) for symbol in dict.fromkeys(self.symbols)}

    def _of(self, symbol: str) -> ElementCharges:
        tensors = self.tensors[np.array(self.symbols) == symbol]
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
            "symmetrized": self.symmetrized,
            "sum_rule_imposed": self.sum_rule,
            "sum_over_atoms_before_e": self.sum_over_atoms_e.tolist(),
            "dielectric": self.dielectric.tolist(),
            "elements": reporting.plain(self.elements),
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
    symmetrize: bool | None = None,
    symmetry_tolerance_A: float = 1e-3,
    sum_rule: bool = False,
    dielectric: np.ndarray | float | None = None,
    displacement_A: float = 0.01,
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
        its ``polarization`` (three periodic directions) or ``dipole`` (none), six structures for
        every inequivalent atom. "field": differences of forces in a field that can be assigned as
        ``calculator.field_V_per_A``, six force calls in all.
    symmetrize : bool or None
        Average over the symmetry operations of the crystal, which also saves displacements; None
        does so for three periodic directions.
    symmetry_tolerance_A : float
        Atoms this close to where symmetry wants them count as there.
    sum_rule : bool
        Take the excess of the sum evenly from all atoms; it is reported in any case.
    dielectric : float, (3, 3) array or None
        Electronic dielectric constant for the BORN file. None asks the calculator, and is 1 if it
        does not know. Charges are never scaled here.
    displacement_A : float
        Step of the finite difference in Å.
    field_V_per_A : float
        Step of the field in V/Å.
    output : str, Path or None
        Stem of ``-summary.yml``, ``-born.npz``, of crystals ``-BORN`` for phonopy (inequivalent
        atoms of the primitive cell, written by phonopy), and of ``-displacements.jsonl``, which
        grows while atoms are displaced. None writes nothing.
    resume, overwrite : bool
        Go on from the displacements that are there, or replace an earlier run of that name.
    jobs : Jobs
        Processes that share the displacements.
    quiet : bool
        No progress, no table.

    Raises
    ------
    ValueError
        If the calculator is missing or cannot do what the method needs, the boundaries are mixed,
        the structure is a charged molecule to be displaced and the calculator gives no charges
        (the origin of its dipole may move along), or a setting is impossible.
    FileExistsError
        If an earlier run would be lost.
    """
    symmetrize = bool(atoms.pbc.all()) if symmetrize is None else symmetrize
    _check(atoms, method, displacement_A, symmetrize, symmetry_tolerance_A)
    files = _Files(output)
    # Displacements that are there are refused later, unless they are to be used.
    files.check(overwrite or resume)
    operations = (
        crystal_symmetry.symmetry_operations(atoms, symmetry_tolerance_A)
        if symmetrize
        else [crystal_symmetry.identity(len(atoms))]
    )
    displaced: list[int] = []
    if method == "displacement":
        displaced = crystal_symmetry.inequivalent_atoms(operations, len(atoms))
        belongs_to = {
            "fingerprint of the structure": fingerprint(atoms),
            "displacement_A": displacement_A,
            **reporting.describe_calculator(atoms.calc),
        }
        record = Record.opened(files.displacements, belongs_to, resume=resume, overwrite=overwrite)
        found = born_differences.by_displacement(
            atoms, displaced, displacement_A, record, jobs=jobs, quiet=quiet
        )
    elif method == "field":
        found = dict(enumerate(born_differences.by_field(atoms, field_V_per_A)))
    else:
        found = dict(enumerate(_analytic(atoms)))
    tensors = crystal_symmetry.spread(found, operations, len(atoms))
    total_charge = float(atoms.info.get("charge", 0))
    result = BornCharges(
        tensors=acoustic_sum_rule(tensors, total_charge) if sum_rule else tensors,
        sum_over_atoms_e=tensors.sum(axis=0),
        symbols=tuple(atoms.symbols),
        dielectric=dielectric_tensor(atoms, dielectric),
        method=method,
        symmetrized=symmetrize,
        sum_rule=sum_rule,
        displacement_A=displacement_A if method == "displacement" else None,
        displaced_atoms=tuple(displaced),
        calculator=reporting.describe_calculator(atoms.calc),
        structure=reporting.describe_structure(atoms),
    )
    _tell(result, total_charge, quiet)
    files.write(atoms, result, symmetry_tolerance_A)
    return result


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


def _check(
    atoms: Atoms, method: str, displacement_A: float, symmetrize: bool, tolerance_A: float
) -> None:
    if atoms.calc is None:
        raise ValueError("the structure has no calculator; set atoms.calc")
    if method not in METHODS:
        raise ValueError(f"`method` must be one of {', '.join(METHODS)}, got {method!r}")
    if not displacement_A > 0:
        raise ValueError(f"`displacement_A` must be positive, got {displacement_A}")
    if symmetrize and not (atoms.pbc.all() and tolerance_A > 0):
        raise ValueError(
            "`symmetrize` needs three periodic directions and a positive `symmetry_tolerance_A`, "
            f"got pbc {atoms.pbc.tolist()} and {tolerance_A}"
        )
    if method != "displacement":
        return
    if atoms.pbc.any() and not atoms.pbc.all():
        raise ValueError(
            f"three periodic directions or none are needed, pbc is {atoms.pbc.tolist()}"
        )
    charged = not atoms.pbc.any() and atoms.info.get("charge", 0) != 0
    if charged and "charges" not in atoms.calc.implemented_properties:
        raise ValueError(
            f"the dipole of a molecule of charge {atoms.info['charge']} depends on an origin that "
            f"may move with its atoms, and {type(atoms.calc).__name__} gives no charges to tell by "
            "how much; use method 'analytic' or 'field'"
        )


def _analytic(atoms: Atoms) -> np.ndarray:
    try:
        return np.asarray(atoms.calc.get_property("born_effective_charges", atoms), dtype=float)
    except PropertyNotImplementedError as error:
        raise ValueError(
            f"{type(atoms.calc).__name__} gives no born_effective_charges here ({error}); use "
            "method 'displacement' with a calculator that gives polarization or dipole"
        ) from error


def _tell(result: BornCharges, total_charge: float, quiet: bool) -> None:
    console = reporting.console(quiet)
    console.print(result.table())
    excess = np.abs(result.sum_over_atoms_e - total_charge * np.eye(3)).max()
    if excess > _SUM_RULE_TOLERANCE * len(result.symbols) and not result.sum_rule:
        console.print(
            f"The sum over all atoms is off by {excess:.3g} e: charge is not conserved when an "
            "atom moves. `sum_rule=True` (`--sum-rule`) takes the excess from all atoms.",
            style="yellow",
        )


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
        np.savez(
            self._named("-born.npz"),
            born_effective_charges_e=result.tensors,
            numbers=atoms.numbers,
            dielectric=result.dielectric,
        )
        written: Mapping[str, object] = {}
        if atoms.pbc.all():
            from ase_les.properties.phonopy_files import write_born_file

            indices = write_born_file(
                self._named("-BORN"), atoms, result.tensors, result.dielectric, tolerance_A
            )
            written = {"BORN": {"inequivalent_atoms": indices}}
        reporting.write_summary(self.summary, {**result.summary(), **written})

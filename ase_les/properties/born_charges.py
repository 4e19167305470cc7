r"""Born effective charges by finite differences, for any ASE calculator.

.. math::
    Z^*_{i,\alpha\beta} = \frac{\partial M_\alpha}{\partial r_{i\beta}}
        \approx \frac{M_\alpha(r_{i\beta} + h) - M_\alpha(r_{i\beta} - h)}{2h}

with :math:`\mathbf{M}` the dipole of a finite structure, or volume times polarization of a
periodic one. Polarizations are defined up to :math:`e` times a lattice vector over the volume; the
difference is taken on the branch nearest to zero.

References
----------
.. [1] X. Gonze and C. Lee, Phys. Rev. B 55, 10355 (1997).
.. [2] R. D. King-Smith and D. Vanderbilt, Phys. Rev. B 47, 1651 (1993).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from ase import Atoms

from ase_les import reporting

SIGNS = (1, -1)


@dataclass(frozen=True)
class BornCharges:
    """Born effective charges of a structure.

    Parameters
    ----------
    tensors : array, shape (N, 3, 3)
        [atom, polarization, displacement] in e.
    displacement_A : float
        Step of the finite difference in Å.
    displaced_atoms : tuple of int
        Atoms that were moved; the others follow by symmetry.
    calculator : dict
        What gave the polarization.
    structure : dict
        What the structure is.
    """

    tensors: np.ndarray
    displacement_A: float
    displaced_atoms: tuple[int, ...]
    calculator: dict[str, object]
    structure: dict[str, object]

    @property
    def sum_rule_violation(self) -> np.ndarray:
        """Sum over the atoms, (3, 3) in e: zero, or the total charge, if charge is conserved."""
        return self.tensors.sum(axis=0)

    def summary(self) -> dict[str, object]:
        """Plain containers for YAML and JSON."""
        return {
            "structure": self.structure,
            "calculator": self.calculator,
            "displacement_A": self.displacement_A,
            "displaced_atoms": list(self.displaced_atoms),
            "sum_over_atoms_e": self.sum_rule_violation.tolist(),
            "born_effective_charges_e": self.tensors.tolist(),
        }


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


def born_charges_by_displacement(
    atoms: Atoms,
    *,
    displacement_A: float = 0.01,
    symmetry_tolerance_A: float | None = None,
    output: str | Path | None = None,
    resume: bool = False,
    overwrite: bool = False,
    quiet: bool = False,
) -> BornCharges:
    """Displace atoms by ±h along x, y, z and difference polarization or dipole.

    Parameters
    ----------
    atoms : ase.Atoms
        With a calculator that gives ``polarization`` (three periodic directions) or ``dipole``
        (none); left as it is.
    displacement_A : float
        h in Å. The error grows with its square; with a noisy polarization it must not be small.
    symmetry_tolerance_A : float or None
        Displace only atoms that are not equivalent within this distance, as spglib finds them
        (periodic structures); None displaces all.
    output : str, Path or None
        Stem of ``<output>-displacements.jsonl``, written as the work proceeds, and
        ``<output>-summary.yml``; None writes nothing.
    resume : bool
        Go on from the displacements that are there.
    overwrite : bool
        Replace an earlier run of that name.
    quiet : bool
        No progress.

    Raises
    ------
    ValueError
        If the calculator is missing, the boundaries are mixed, the structure is a charged
        molecule (the origin of its dipole would move along), or a setting is impossible.
    FileExistsError
        If an earlier run would be lost.
    """
    _check(atoms, displacement_A, symmetry_tolerance_A)
    operations = (
        [_identity(len(atoms))]
        if symmetry_tolerance_A is None
        else _symmetry(atoms, symmetry_tolerance_A)
    )
    displaced = sorted({int(min(o.image[i] for o in operations)) for i in range(len(atoms))})
    done = _Record.opened(output, atoms, displacement_A, resume, overwrite)
    steps = [(i, axis, sign) for i in displaced for axis in range(3) for sign in SIGNS]
    with reporting.progress_bar(reporting.console(quiet)) as progress:
        bar = progress.add_task("displacements", total=len(steps), status="")
        for step in steps:
            if step not in done.moments:
                done.add(step, _moment(_displaced(atoms, *step, displacement_A)))
            progress.advance(bar)
    slopes = {i: _slope(atoms, i, done.moments, displacement_A) for i in displaced}
    result = BornCharges(
        tensors=_spread(slopes, operations, len(atoms)),
        displacement_A=displacement_A,
        displaced_atoms=tuple(displaced),
        calculator=reporting.describe_calculator(atoms.calc),
        structure=reporting.describe_structure(atoms),
    )
    if output is not None:
        path = Path(output)
        summary = path.with_name(path.name + "-summary.yml")
        reporting.write_summary(summary, result.summary())
    return result


def born_charges_by_field(atoms: Atoms, field_V_per_A: float = 1e-3) -> np.ndarray:
    r"""Born charges (N, 3, 3) in e from forces in small fields, six force calls for all atoms.

    .. math::
        Z^*_{i,\alpha\beta} = \frac{\partial F_{i\beta}}{\partial \mathcal{E}_\alpha}

    Parameters
    ----------
    atoms : ase.Atoms
        With a calculator whose field can be assigned as ``field_V_per_A``, as `LESCalculator`;
        its field is afterwards what it was.
    field_V_per_A : float
        Change of the field in V/Å.

    Raises
    ------
    ValueError
        If the calculator has no such field.
    """
    calculator = atoms.calc
    if not hasattr(calculator, "field_V_per_A"):
        raise ValueError(
            f"{type(calculator).__name__} has no `field_V_per_A`; use "
            "`born_charges_by_displacement` with a calculator that gives polarization or dipole"
        )
    before = np.array(calculator.field_V_per_A, dtype=float)
    slopes = []
    try:
        for direction in np.eye(3):
            forces = []
            for sign in SIGNS:
                calculator.field_V_per_A = before + sign * field_V_per_A * direction
                forces.append(calculator.get_property("forces", atoms))
            slopes.append((forces[0] - forces[1]) / (2 * field_V_per_A))
    finally:
        calculator.field_V_per_A = before
    return np.stack(slopes, axis=1)


def _check(atoms: Atoms, displacement_A: float, symmetry_tolerance_A: float | None) -> None:
    if atoms.calc is None:
        raise ValueError("the structure has no calculator; set atoms.calc")
    if not displacement_A > 0:
        raise ValueError(f"`displacement_A` must be positive, got {displacement_A}")
    if atoms.pbc.any() and not atoms.pbc.all():
        raise ValueError(
            f"three periodic directions or none are needed, pbc is {atoms.pbc.tolist()}"
        )
    if not atoms.pbc.any() and atoms.info.get("charge", 0) != 0:
        raise ValueError(
            f"the dipole of a molecule of charge {atoms.info['charge']} depends on an origin that "
            "moves with its atoms; use `born_charges_by_field`"
        )
    if symmetry_tolerance_A is not None and not (atoms.pbc.all() and symmetry_tolerance_A > 0):
        raise ValueError(
            "`symmetry_tolerance_A` needs three periodic directions and a positive distance, got "
            f"pbc {atoms.pbc.tolist()} and {symmetry_tolerance_A}"
        )


def _moment(atoms: Atoms) -> np.ndarray:
    """Dipole, or volume times polarization, in e Å."""
    if atoms.pbc.all():
        return atoms.get_volume() * atoms.calc.get_property("polarization", atoms)
    return atoms.calc.get_property("dipole", atoms)


def _displaced(atoms: Atoms, index: int, axis: int, sign: int, displacement_A: float) -> Atoms:
    moved = atoms.copy()
    moved.calc = atoms.calc
    moved.positions[index, axis] += sign * displacement_A
    return moved


def _slope(atoms: Atoms, index: int, moments: dict, displacement_A: float) -> np.ndarray:
    columns = []
    for axis in range(3):
        plus, minus = (moments[index, axis, sign] for sign in SIGNS)
        columns.append(_nearest_branch(plus - minus, atoms) / (2 * displacement_A))
    return np.column_stack(columns)


def _nearest_branch(change: np.ndarray, atoms: Atoms) -> np.ndarray:
    """A change of moment less the whole charges that seem to have crossed the cell."""
    if not atoms.pbc.all():
        return change
    crossed = np.round(np.linalg.solve(atoms.cell.array.T, change))
    return change - crossed @ atoms.cell.array


class _Operation(NamedTuple):
    """A symmetry: `rotation` (3, 3) of Cartesian columns, `image` (N,) where each atom goes."""

    rotation: np.ndarray
    image: np.ndarray


def _identity(n_atoms: int) -> _Operation:
    return _Operation(np.eye(3), np.arange(n_atoms))


def _symmetry(atoms: Atoms, tolerance_A: float) -> list[_Operation]:
    import spglib

    cell = atoms.cell.array
    fractional = atoms.get_scaled_positions(wrap=False)
    found = spglib.get_symmetry((cell, fractional, atoms.numbers), symprec=tolerance_A)
    if found is None:
        raise ValueError(
            f"spglib finds no symmetry within {tolerance_A} Å; use another `symmetry_tolerance_A`"
        )
    operations = []
    for rotation, translation in zip(found["rotations"], found["translations"], strict=True):
        moved = fractional @ rotation.T + translation
        apart = moved[:, None] - fractional[None]
        apart -= np.round(apart)
        distance = np.linalg.norm(apart @ cell, axis=2)
        distance[atoms.numbers[:, None] != atoms.numbers[None]] = np.inf
        # Columns of Cartesian vectors turn with R, rows of fractional ones with W transposed.
        cartesian = cell.T @ rotation @ np.linalg.inv(cell.T)
        operations.append(_Operation(cartesian, distance.argmin(axis=1)))
    return operations


def _spread(
    slopes: dict[int, np.ndarray], operations: list[_Operation], n_atoms: int
) -> np.ndarray:
    """Tensors of all atoms, averaged over all operations that lead to each."""
    total, count = np.zeros((n_atoms, 3, 3)), np.zeros(n_atoms)
    for rotation, image in operations:
        for index, slope in slopes.items():
            total[image[index]] += rotation @ slope @ rotation.T
            count[image[index]] += 1
    return total / count[:, None, None]


class _Record:
    """Moments by (atom, axis, sign), each on disk as soon as it is known."""

    def __init__(self, path: Path | None, moments: dict[tuple[int, int, int], np.ndarray]):
        self.path = path
        self.moments = moments

    @classmethod
    def opened(
        cls, output: str | Path | None, atoms: Atoms, step: float, resume: bool, overwrite: bool
    ) -> _Record:
        if output is None:
            return cls(None, {})
        path = Path(output)
        path = path.with_name(path.name + "-displacements.jsonl")
        head = {"structure": _fingerprint(atoms), "displacement_A": step}
        head |= reporting.plain(reporting.describe_calculator(atoms.calc))
        if path.exists() and not (resume or overwrite):
            raise FileExistsError(
                f"'{path}' exists; resume=True goes on with it, overwrite=True starts anew"
            )
        if path.exists() and resume:
            lines = list(_complete_lines(path))
            if not lines or lines[0] != head:
                raise ValueError(
                    f"'{path}' is of another structure, calculator or displacement; start anew"
                )
            moments = {tuple(line["step"]): np.array(line["moment_eA"]) for line in lines[1:]}
            # What was cut off in the middle of a line is written again.
            text = "".join(json.dumps(line) + "\n" for line in lines)
            reporting.replace_file(path, text.encode())
            return cls(path, moments)
        path.parent.mkdir(parents=True, exist_ok=True)
        reporting.replace_file(path, (json.dumps(head) + "\n").encode())
        return cls(path, {})

    def add(self, step: tuple[int, int, int], moment: np.ndarray) -> None:
        moment = np.asarray(moment, dtype=float)
        if not np.isfinite(moment).all():
            raise ValueError(f"displacement {step} gave a moment that is not finite: {moment}")
        self.moments[step] = moment
        if self.path is not None:
            with open(self.path, "a", encoding="utf-8") as file:
                file.write(json.dumps({"step": step, "moment_eA": moment.tolist()}) + "\n")


def _complete_lines(path: Path) -> Iterator[dict]:
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            yield json.loads(line)
        except json.JSONDecodeError:
            return


def _fingerprint(atoms: Atoms) -> str:
    digest = hashlib.sha256()
    charge = float(atoms.info.get("charge", 0))
    for part in (atoms.numbers, atoms.positions, atoms.cell.array, atoms.pbc, np.array(charge)):
        digest.update(np.ascontiguousarray(part).tobytes())
    return digest.hexdigest()[:16]

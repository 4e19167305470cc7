r"""Born effective charges by finite differences, of polarization or of forces in a field.

.. math::
    Z^*_{i,\alpha\beta} = \frac{\partial M_\alpha}{\partial r_{i\beta}}
        \approx \frac{M_\alpha(r_{i\beta} + h) - M_\alpha(r_{i\beta} - h)}{2h}
        = \frac{\partial F_{i\beta}}{\partial \mathcal{E}_\alpha}

with :math:`\mathbf{M}` the dipole of a finite structure, or volume times polarization of a
periodic one. Polarizations are defined up to :math:`e` times a lattice vector over the volume; the
difference is taken on the branch nearest to zero.

References
----------
.. [1] X. Gonze and C. Lee, Phys. Rev. B 55, 10355 (1997).
.. [2] R. D. King-Smith and D. Vanderbilt, Phys. Rev. B 47, 1651 (1993).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from ase import Atoms

from ase_les.properties.parallel import SERIAL, Jobs, Results, evaluate
from ase_les.properties.record import Record

SIGNS = (1, -1)
AXES = "xyz"


def displaced(atoms: Atoms, chosen: Sequence[int], displacement_A: float) -> dict[str, Atoms]:
    """Copies with one atom moved by ±h along x, y or z each, by `step_name`."""
    structures = {}
    for index in chosen:
        for axis in range(3):
            for sign in SIGNS:
                moved = atoms.copy()
                moved.positions[index, axis] += sign * displacement_A
                structures[step_name(index, axis, sign)] = moved
    return structures


def step_name(index: int, axis: int, sign: int) -> str:
    """Atom and direction, such as ``atom 3 +x``."""
    return f"atom {index} {'+' if sign > 0 else '-'}{AXES[axis]}"


def moment_property(atoms: Atoms) -> str:
    """Which of ASE's properties tells how charge is displaced."""
    return "polarization" if atoms.pbc.all() else "dipole"


def moment_slope(
    atoms: Atoms, index: int, results: Mapping[str, Results], displacement_A: float
) -> np.ndarray:
    """Derivative (3, 3) [moment, displacement] in e of what `displaced` structures gave."""
    what = moment_property(atoms)
    scale = atoms.get_volume() if atoms.pbc.all() else 1.0
    columns = []
    for axis in range(3):
        plus, minus = (scale * results[step_name(index, axis, sign)][what] for sign in SIGNS)
        columns.append(_nearest_branch(plus - minus, atoms) / (2 * displacement_A))
    return np.column_stack(columns)


def by_displacement(
    atoms: Atoms,
    chosen: Sequence[int],
    displacement_A: float,
    record: Record,
    *,
    jobs: Jobs = SERIAL,
    quiet: bool = False,
) -> dict[int, np.ndarray]:
    """Born charges (3, 3) in e of the chosen atoms, from six displacements each.

    Parameters
    ----------
    atoms : ase.Atoms
        With a calculator that gives ``polarization`` (three periodic directions) or ``dipole``
        (none); left as it is.
    chosen : sequence of int
        Atoms to displace; of a finite structure all.
    displacement_A : float
        h in Å. The error grows with its square; with a noisy polarization it must not be small.
    record, jobs, quiet
        See `ase_les.properties.parallel.evaluate`.
    """
    structures = displaced(atoms, chosen, displacement_A)
    results = evaluate(
        structures, [moment_property(atoms)], atoms.calc, record, jobs=jobs, quiet=quiet
    )
    slopes = {i: moment_slope(atoms, i, results, displacement_A) for i in chosen}
    return slopes if atoms.pbc.all() else _about_a_fixed_origin(atoms, slopes)


def by_field(atoms: Atoms, field_V_per_A: float = 1e-3) -> np.ndarray:
    """Born charges (N, 3, 3) in e from forces in small fields, six force calls for all atoms.

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
            f"{type(calculator).__name__} has no `field_V_per_A`; use method 'displacement' with "
            "a calculator that gives polarization or dipole"
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


def _about_a_fixed_origin(atoms: Atoms, slopes: Mapping[int, np.ndarray]) -> dict[int, np.ndarray]:
    r"""Slopes of the dipole about an origin that stays where it is.

    That of a charge :math:`Q` about the centre of mass lacks :math:`Q m_i / M` in the slope of each
    atom. A motion of the whole, the sum of all slopes, tells the two apart: it changes the one by
    :math:`Q` times the way, and the other not at all.
    """
    charge = _net_charge(atoms)
    carried = np.trace(sum(slopes.values())) / 3
    if abs(carried - charge) < abs(carried):
        return dict(slopes)
    shares = charge * atoms.get_masses() / atoms.get_masses().sum()
    return {i: slope + shares[i] * np.eye(3) for i, slope in slopes.items()}


def _net_charge(atoms: Atoms) -> float:
    """In e: what the charges of the calculator sum to, or without them the total charge."""
    if "charges" in atoms.calc.implemented_properties:
        return float(np.sum(atoms.calc.get_property("charges", atoms)))
    return float(atoms.info.get("charge", 0))


def _nearest_branch(change: np.ndarray, atoms: Atoms) -> np.ndarray:
    """A change of moment less the whole charges that seem to have crossed the cell."""
    if not atoms.pbc.all():
        return change
    crossed = np.round(np.linalg.solve(atoms.cell.array.T, change))
    return change - crossed @ atoms.cell.array

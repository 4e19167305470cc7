r"""Born effective charges by finite differences, of moments of charge or of forces in a field.

.. math::
    Z^*_{i,\alpha\beta} = \frac{\partial M_\alpha}{\partial r_{i\beta}}
        \approx \frac{M_\alpha(r_{i\beta} + h) - M_\alpha(r_{i\beta} - h)}{2h}
        = \frac{\partial F_{i\beta}}{\partial \mathcal{E}_\alpha}

with :math:`\mathbf{M}` the dipole of a finite structure, the dipole of a slab, or volume times
polarization of a crystal.

Where the change of moment comes from
-------------------------------------
==============  ====================================================================================
Source          Change of moment
==============  ====================================================================================
"dipole"        ASE's ``dipole``: all of a finite structure, of a slab the component along its
                normal; or ``calculator.get_cell_dipole(atoms)`` (`LESCalculator` where charge is
                conserved locally), all components under all boundaries
"polarization"  ASE's ``polarization`` times volume: components along periodic directions. It is
                defined up to :math:`e` times lattice vectors over the volume; the difference is
                taken on the branch nearest to zero
"current"       ``calculator.get_current(atoms)`` at a velocity along the displacement, integrated
                over the way from :math:`-h` to :math:`+h` by two Gauss points: no branches
"charges"       changes of charge around the atom that moves
==============  ====================================================================================

*Changes of charge* serve where charges change by what is near but no dipole follows from them:
charges that float or are shifted evenly, and any calculator that gives nothing but ``charges``. One
atom is moved in a repeated cell, so large that each change has one way to it. With
:math:`\mathbf{d}_{ij}` that way, in periodic directions

.. math::
    Z^*_{i,\alpha\beta} = q_i\,\delta_{\alpha\beta} + \sum_j d_{ij,\alpha}
        \frac{\Delta q_j - s}{2h}

where :math:`s` is the even shift, which all atoms have that are out of reach; it has no way and is
left out, as in `ase_les.response`. That they all have the same is checked. Along the normal of a
slab the shift counts: its dipole is :math:`\sum_j q_j z_j` about a fixed plane, the centre of mass.

What the normal component of a slab means
-----------------------------------------
The dipole of electrons and nuclei of a slab in vacuum, as an ab initio calculator gives it, is one
at zero field outside: when a layer moves, its field inside polarizes the electrons of the whole
slab. Its slope is the longitudinal (Callen) charge, :math:`Z^*_\perp / \epsilon_\infty` in layers
like the bulk, as is the force in an applied field. Models of latent charges leave the electrons out
and scale afterwards: theirs is :math:`Z^*_\perp` at zero field inside, comparable with the bulk.

References
----------
.. [1] X. Gonze and C. Lee, Phys. Rev. B 55, 10355 (1997).
.. [2] R. D. King-Smith and D. Vanderbilt, Phys. Rev. B 47, 1651 (1993).
.. [3] R. M. Martin and K. Kunc, Phys. Rev. B 24, 2081 (1981), for longitudinal charges.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from ase import Atoms, units
from ase.calculators.calculator import Calculator, PropertyNotImplementedError
from ase.geometry import find_mic

from ase_les.properties.layers import unit_normal
from ase_les.reports.terminal import TerminalProgress
from ase_les.runs.evaluations import evaluate_structures
from ase_les.runs.processes import SERIAL, Jobs
from ase_les.runs.record import Record, Results

SIGNS = (1, -1)
AXES = "xyz"
SOURCES = ("auto", "dipole", "polarization", "current", "charges")
COMPONENTS = ("all", "normal")

# In Å: how far charges are assumed to change around a displaced atom, if the calculator does not
# say so (`charge_reach_A`).
_ASSUMED_REACH_A = 10.0
# In e: error of a Born charge that charges out of reach may hint at.
_STRAY_E = 1e-3
# Gauss–Legendre points of an interval from −1 to 1, exact up to the third power.
_GAUSS = 1 / 3**0.5
# Further repeats tried for an atom that is out of reach.
_MORE_REPEATS = 4


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
    atoms: Atoms,
    index: int,
    results: Mapping[str, Results],
    displacement_A: float,
    what: str | None = None,
) -> np.ndarray:
    """Derivative (3, 3) [moment, displacement] in e of what `displaced` structures gave."""
    what = moment_property(atoms) if what is None else what
    scale = atoms.get_volume() if what == "polarization" else 1.0
    columns = []
    for axis in range(3):
        plus, minus = (scale * results[step_name(index, axis, sign)][what] for sign in SIGNS)
        change = plus - minus
        if what == "polarization":
            change = _nearest_branch(change, atoms)
        columns.append(change / (2 * displacement_A))
    return np.column_stack(columns)


@dataclass(frozen=True)
class _InPlace:
    """A moment of the structure with one atom displaced."""

    what: str

    def structures(self, atoms: Atoms, chosen: Sequence[int], step_A: float) -> dict[str, Atoms]:
        return displaced(atoms, chosen, step_A)

    def slope(
        self, atoms: Atoms, index: int, results: Mapping[str, Results], step_A: float
    ) -> np.ndarray:
        return moment_slope(atoms, index, results, step_A, self.what)


@dataclass(frozen=True)
class _Current:
    """The current while an atom moves at unit velocity, at Gauss points of its way."""

    what: str = "current"

    def structures(self, atoms: Atoms, chosen: Sequence[int], step_A: float) -> dict[str, Atoms]:
        structures = displaced(atoms, chosen, _GAUSS * step_A)
        for name, moving in structures.items():
            index, axis = int(name.split()[1]), AXES.index(name[-1])
            velocities = np.zeros((len(atoms), 3))
            velocities[index, axis] = 1.0 / units.fs
            moving.set_constraint()
            moving.set_velocities(velocities)
        return structures

    def slope(
        self, atoms: Atoms, index: int, results: Mapping[str, Results], step_A: float
    ) -> np.ndarray:
        columns = [
            np.mean([results[step_name(index, axis, sign)][self.what] for sign in SIGNS], axis=0)
            for axis in range(3)
        ]
        return np.column_stack(columns)


@dataclass(frozen=True)
class _Charges:
    """Changes of charge around the displaced atom, in a cell repeated as often as they need."""

    what: str
    repeats: tuple[int, int, int]
    reach_A: float
    factor: np.ndarray

    @classmethod
    def of(cls, atoms: Atoms, what: str, reach_A: float | None) -> _Charges:
        calculator = atoms.calc
        if reach_A is None:
            reach_A = getattr(calculator, "charge_reach_A", _ASSUMED_REACH_A)
        factor = np.eye(3)
        if what == "local_charges":
            factor = calculator.get_charge_factor(atoms)
        return cls(what, _repeats(atoms, reach_A), float(reach_A), factor)

    def structures(self, atoms: Atoms, chosen: Sequence[int], step_A: float) -> dict[str, Atoms]:
        # The first copy of the cell is where it was.
        return displaced(atoms * self.repeats, chosen, step_A)

    def slope(
        self, atoms: Atoms, index: int, results: Mapping[str, Results], step_A: float
    ) -> np.ndarray:
        large = atoms * self.repeats
        arms = large.positions - large.positions[index]
        if atoms.pbc.any():
            arms = find_mic(arms, large.cell, large.pbc)[0]
        periodic = _periodic_directions(atoms)
        # A slab's dipole is about a fixed plane, a molecule's about a fixed point.
        fixed = large.positions - atoms.get_center_of_mass()
        out_of_reach = np.linalg.norm(arms, axis=1) > self.reach_A
        columns = []
        for axis in range(3):
            plus, minus = (results[step_name(index, axis, sign)][self.what] for sign in SIGNS)
            change = (plus - minus) / (2 * step_A)
            shift = change[out_of_reach].mean() if out_of_reach.any() else 0.0
            self._check(change[out_of_reach] - shift, index)
            column = 0.5 * (plus[index] + minus[index]) * np.eye(3)[axis]
            column = column + periodic @ ((change - shift) @ arms)
            columns.append(column + (np.eye(3) - periodic) @ (change @ fixed))
        return self.factor @ np.column_stack(columns)

    def _check(self, left: np.ndarray, index: int) -> None:
        error = self.reach_A * np.linalg.norm(left)
        if error > _STRAY_E:
            raise ValueError(
                f"charges farther than {self.reach_A:g} Å from atom {index} do not change alike "
                f"when it moves; its Born charge would be wrong by about {error:.1g} e. Give a "
                "larger `reach_A`, or a calculator of double precision"
            )


_Source = _InPlace | _Current | _Charges


@dataclass(frozen=True)
class Moments:
    """Where the changes of moment of a structure come from.

    Parameters
    ----------
    along_normal : source or None
        Of slabs: for the component along the normal.
    elsewhere : source or None
        For all other components.
    normal : array, shape (3,), or None
        Of a slab.
    """

    along_normal: _Source | None
    elsewhere: _Source | None
    normal: np.ndarray | None

    @property
    def wanted(self) -> list[str]:
        """What the calculator is asked for."""
        parts = (self.along_normal, self.elsewhere)
        return list(dict.fromkeys(source.what for source in parts if source is not None))

    @property
    def described(self) -> dict[str, object]:
        """For the head of a record and summaries: names, and size of the repeated cell."""
        parts = {"normal": self.along_normal, "elsewhere": self.elsewhere}
        found: dict[str, object] = {}
        for name, source in parts.items():
            if source is not None:
                found[f"moment_{name}"] = source.what
                if isinstance(source, _Charges):
                    found["repeats"], found["reach_A"] = list(source.repeats), source.reach_A
        return found


def choose_moments(
    atoms: Atoms, source: str = "auto", components: str = "all", reach_A: float | None = None
) -> Moments:
    """Choose what Born charges by displacement are differences of.

    Parameters
    ----------
    atoms : ase.Atoms
        With a calculator.
    source : str
        One of `SOURCES`; "auto" takes the first that the calculator has: a cell dipole, ASE's
        dipole or polarization, a current; charges only of calculators of latent charges, others
        must be asked for.
    components : str
        "all", or of slabs "normal" alone.
    reach_A : float or None
        Of source "charges": how far from a displaced atom charges change. None asks
        ``calculator.charge_reach_A``, and is 10 Å without it.

    Raises
    ------
    ValueError
        If the calculator gives nothing of the kind, or a setting is impossible.
    """
    check_components(atoms, components)
    if source not in SOURCES:
        raise ValueError(f"`source` must be one of {', '.join(SOURCES)}, got {source!r}")
    if reach_A is not None and not reach_A > 0:
        raise ValueError(f"`reach_A` must be positive, got {reach_A}")
    if atoms.pbc.sum() == 1:
        raise ValueError(
            "Born charges need three periodic directions, two (a slab) or none, pbc is "
            f"{atoms.pbc.tolist()}. Put a wire into a box of vacuum with pbc = True"
        )
    offered = _offered(atoms)
    periodic = ("cell_dipole", "polarization", "current", "charges")
    if not atoms.pbc.any():
        kinds = ("cell_dipole", "dipole", "current", "charges")
        return Moments(None, _first(kinds, offered, source, atoms, reach_A), None)
    if atoms.pbc.all():
        return Moments(None, _first(periodic, offered, source, atoms, reach_A), None)
    # A polarization has no meaning along the open direction.
    kinds = ("cell_dipole", "dipole", "current", "charges")
    of_normal = "auto" if source == "polarization" else source
    across = _first(kinds, offered, of_normal, atoms, reach_A)
    in_plane = None
    if components == "all":
        in_plane = _first(periodic, offered, source, atoms, reach_A)
    return Moments(across, in_plane, unit_normal(atoms))


def shifts_charge(atoms: Atoms) -> bool:
    """Whether the calculator has latent charges that define no dipole under these boundaries."""
    calculator = atoms.calc
    if not hasattr(calculator, "get_cell_dipole"):
        return False
    try:
        calculator.get_cell_dipole(atoms)
    except PropertyNotImplementedError:
        return True
    return False


def check_components(atoms: Atoms, components: str) -> None:
    """Refuse a choice of components that the structure does not have.

    Raises
    ------
    ValueError
        If it is unknown, or the normal of something that is no slab.
    """
    if components not in COMPONENTS:
        raise ValueError(f"`components` must be one of {', '.join(COMPONENTS)}, got {components!r}")
    if components == "normal" and atoms.pbc.sum() != 2:
        raise ValueError(
            "`components` 'normal' needs a slab with two periodic directions, pbc is "
            f"{atoms.pbc.tolist()}"
        )


def by_displacement(
    atoms: Atoms,
    chosen: Sequence[int],
    displacement_A: float,
    record: Record,
    *,
    moments: Moments | None = None,
    jobs: Jobs = SERIAL,
    quiet: bool = False,
) -> dict[int, np.ndarray]:
    """Born charges (3, 3) in e of the chosen atoms, from six displacements each.

    Parameters
    ----------
    atoms : ase.Atoms
        With a calculator that tells changes of moment; left as it is.
    chosen : sequence of int
        Atoms to displace.
    displacement_A : float
        h in Å. The error grows with its square; with a noisy moment it must not be small.
    moments : Moments or None
        What to take differences of; None is `choose_moments` without settings. Components that it
        leaves out are zero.
    record, jobs, quiet
        See `ase_les.runs.evaluations.evaluate_structures`.

    Raises
    ------
    ValueError
        If charges change farther away than they should, or a charged molecule is displaced in part
        only.
    """
    moments = choose_moments(atoms) if moments is None else moments
    pairs = _by_projector(moments)
    # Two moments of the same structures cost one calculation of each.
    shared = all(isinstance(source, _InPlace) for source, _ in pairs)
    parts = []
    for number, (source, projector) in enumerate(pairs):
        # Other displacements of the same name must not be taken for these.
        prefix = "" if shared or number == 0 else f"{source.what}, "
        structures = source.structures(atoms, chosen, displacement_A)
        named = {prefix + name: each for name, each in structures.items()}
        wanted = moments.wanted if shared else [source.what]
        found = evaluate_structures(
            named, wanted, atoms.calc, record, jobs=jobs, progress=TerminalProgress(quiet)
        )
        results = {name.removeprefix(prefix): each for name, each in found.items()}
        parts.append(
            {i: projector @ source.slope(atoms, i, results, displacement_A) for i in chosen}
        )
    slopes = {i: sum(part[i] for part in parts) for i in chosen}
    by_dipole = isinstance(moments.elsewhere, _InPlace) and moments.elsewhere.what == "dipole"
    return _about_a_fixed_origin(atoms, slopes) if by_dipole else slopes


def by_field(atoms: Atoms, field_V_per_A: float = 1e-3, components: str = "all") -> np.ndarray:
    """Born charges (N, 3, 3) in e from forces in small fields, two force calls per direction.

    Parameters
    ----------
    atoms : ase.Atoms
        With a calculator whose field can be assigned as ``field_V_per_A``, as `LESCalculator`;
        its field is afterwards what it was.
    field_V_per_A : float
        Change of the field in V/Å.
    components : str
        "all", three directions; or of slabs "normal", one: the others are zero then.

    Raises
    ------
    ValueError
        If the calculator has no such field.
    """
    check_components(atoms, components)
    calculator = atoms.calc
    if not hasattr(calculator, "field_V_per_A"):
        raise ValueError(
            f"{type(calculator).__name__} has no `field_V_per_A`; use method 'displacement' with "
            "a calculator that gives polarization or dipole"
        )
    directions = np.eye(3) if components == "all" else unit_normal(atoms)[None]
    before = np.array(calculator.field_V_per_A, dtype=float)
    tensors = np.zeros((len(atoms), 3, 3))
    try:
        for direction in directions:
            forces = []
            for sign in SIGNS:
                calculator.field_V_per_A = before + sign * field_V_per_A * direction
                forces.append(calculator.get_property("forces", atoms))
            slope = (forces[0] - forces[1]) / (2 * field_V_per_A)
            tensors += direction[None, :, None] * slope[:, None, :]
    finally:
        calculator.field_V_per_A = before
    return tensors


# What a calculator may offer: the source it counts as, and what it is called there.
_KINDS = {
    "cell_dipole": ("dipole", "get_cell_dipole(atoms)"),
    "dipole": ("dipole", "dipole"),
    "polarization": ("polarization", "polarization"),
    "current": ("current", "get_current(atoms)"),
    "charges": ("charges", "charges"),
}


def _first(
    kinds: Sequence[str], offered: set[str], source: str, atoms: Atoms, reach_A: float | None
) -> _Source:
    """The first of these kinds that is offered and of the source asked for."""
    for kind in kinds:
        if kind not in offered:
            continue
        if source == _KINDS[kind][0] or (source == "auto" and _is_safe(kind, atoms.calc, offered)):
            return _made(kind, atoms, reach_A)
    names = [_KINDS[kind][1] for kind in kinds]
    in_plane = atoms.pbc.sum() == 2 and "polarization" in kinds
    raise ValueError(
        f"{type(atoms.calc).__name__} tells no change of moment "
        + ("in the plane of a slab" if in_plane else f"under pbc {atoms.pbc.tolist()}")
        + ("" if source == "auto" else f" by source '{source}'")
        + f": needed is {', '.join(names[:-1])} or {names[-1]}, it offers "
        + (", ".join(sorted(_KINDS[kind][1] for kind in offered)) or "none of them")
        + (". `components` 'normal' needs the dipole alone" if in_plane else "")
    )


def _is_safe(kind: str, calculator: Calculator, offered: set[str]) -> bool:
    """Whether it is taken unasked."""
    latent = hasattr(calculator, "get_local_charges")
    if kind == "charges":
        # Charges of electrons shared out among atoms do not add up to the moment.
        return latent
    # Without a dipole the current is made of analytic Born charges: no difference.
    return kind != "current" or not latent or "cell_dipole" in offered


def _offered(atoms: Atoms) -> set[str]:
    """What the calculator can tell of changes of moment under these boundaries."""
    calculator = atoms.calc
    implemented = set(getattr(calculator, "implemented_properties", ()))
    offered = implemented & {"dipole", "polarization", "charges"}
    if hasattr(calculator, "get_current"):
        offered.add("current")
    if not hasattr(calculator, "get_cell_dipole"):
        return offered
    if not shifts_charge(atoms):
        return offered | {"cell_dipole"}
    # What it has instead is of charges that do not tell where they come from.
    return offered - {"dipole", "polarization"} if atoms.pbc.any() else offered


def _made(kind: str, atoms: Atoms, reach_A: float | None) -> _Source:
    if kind == "current":
        return _Current()
    if kind == "charges":
        what = "local_charges" if hasattr(atoms.calc, "get_local_charges") else "charges"
        return _Charges.of(atoms, what, reach_A)
    if kind == "polarization" and not atoms.cell.volume > 0:
        raise ValueError(
            f"a polarization needs the volume of the cell, and {atoms.cell.tolist()} has none; "
            "give the cell a third vector"
        )
    return _InPlace(kind)


def _by_projector(moments: Moments) -> list[tuple[_Source, np.ndarray]]:
    """Every source once, with the projector (3, 3) on the components it gives."""
    if moments.normal is None:
        return [(moments.elsewhere, np.eye(3))]
    across = np.outer(moments.normal, moments.normal)
    if moments.elsewhere is None:
        return [(moments.along_normal, across)]
    if moments.elsewhere.what == moments.along_normal.what:
        return [(moments.elsewhere, np.eye(3))]
    return [(moments.along_normal, across), (moments.elsewhere, np.eye(3) - across)]


def _periodic_directions(atoms: Atoms) -> np.ndarray:
    """Projector (3, 3) on what the periodic vectors span."""
    periodic = atoms.cell.array[atoms.pbc]
    return np.linalg.pinv(periodic) @ periodic if len(periodic) else np.zeros((3, 3))


def _repeats(atoms: Atoms, reach_A: float) -> tuple[int, int, int]:
    """Cells along each vector so that what is within reach is reached once, and more is there."""
    periodic = atoms.cell.array[atoms.pbc]
    if len(periodic) == 0:
        return (1, 1, 1)
    spacings = 1 / np.linalg.norm(np.linalg.pinv(periodic), axis=0)
    counts = np.ones(3, dtype=int)
    counts[atoms.pbc] = np.ceil(2 * reach_A / spacings).astype(int)
    for _ in range(_MORE_REPEATS):
        large = atoms * tuple(int(n) for n in counts)
        arms = find_mic(large.positions - large.positions[0], large.cell, large.pbc)[1]
        if arms.max() > 1.05 * reach_A:
            break
        counts[atoms.pbc] += 1
    return tuple(int(n) for n in counts)


def _about_a_fixed_origin(atoms: Atoms, slopes: Mapping[int, np.ndarray]) -> dict[int, np.ndarray]:
    r"""Slopes of the dipole about an origin that stays where it is.

    That of a charge :math:`Q` about the centre of mass lacks :math:`Q m_i / M` in the slope of each
    atom. A motion of the whole, the sum of all slopes, tells the two apart: it changes the one by
    :math:`Q` times the way, and the other not at all.
    """
    charge = _net_charge(atoms)
    if len(slopes) < len(atoms):
        if abs(charge) > 1e-6:
            raise ValueError(
                f"the dipole of a molecule of charge {charge:+.3g} e is about an origin that may "
                "move with its atoms, which only the displacements of all atoms tell; leave out "
                "`chosen`"
            )
        return dict(slopes)
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
    periodic = atoms.cell.array[atoms.pbc]
    if len(periodic) == 0:
        return change
    crossed = np.round(change @ np.linalg.pinv(periodic))
    return change - crossed @ periodic

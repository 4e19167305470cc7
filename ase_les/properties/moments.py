"""Choice of the moments whose differences give Born charges.

`ase_les.properties.moment_sources` describes the sources.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, PropertyNotImplementedError

from ase_les.arguments import require_one_of, require_positive
from ase_les.properties.moment_sources import ChargesSource, CurrentSource, MomentSource, Source
from ase_les.simulation.slab_geometry import unit_normal

SOURCES = ("auto", "dipole", "polarization", "current", "charges")
COMPONENTS = ("all", "normal")


@dataclass(frozen=True)
class Moments:
    """Sources of the changes of moment of a structure.

    Parameters
    ----------
    along_normal : Source or None
        Source of the component along the normal; None if the structure is not a slab.
    elsewhere : Source or None
        Source of the other components; None if only the normal component is needed.
    normal : array, shape (3,), or None
        Unit normal of a slab.
    """

    along_normal: Source | None
    elsewhere: Source | None
    normal: np.ndarray | None

    @property
    def wanted(self) -> list[str]:
        """Properties of the calculator."""
        parts = (self.along_normal, self.elsewhere)
        return list(dict.fromkeys(source.what for source in parts if source is not None))

    @property
    def described(self) -> dict[str, object]:
        """Names of the sources and size of the repeated cell, for records and summaries."""
        parts = {"normal": self.along_normal, "elsewhere": self.elsewhere}
        found: dict[str, object] = {}
        for name, source in parts.items():
            if source is not None:
                found[f"moment_{name}"] = source.what
                if isinstance(source, ChargesSource):
                    found["repeats"], found["reach_A"] = list(source.repeats), source.reach_A
        return found

    @property
    def projected(self) -> list[tuple[Source, np.ndarray]]:
        """Each source with the projector (3, 3) on the components it gives."""
        across, elsewhere = self.along_normal, self.elsewhere
        if self.normal is None or across is None:
            return [] if elsewhere is None else [(elsewhere, np.eye(3))]
        projector = np.outer(self.normal, self.normal)
        if elsewhere is None:
            return [(across, projector)]
        if elsewhere.what == across.what:
            return [(elsewhere, np.eye(3))]
        return [(across, projector), (elsewhere, np.eye(3) - projector)]


def choose_moments(
    atoms: Atoms, source: str = "auto", components: str = "all", reach_A: float | None = None
) -> Moments:
    """Choose the moments whose differences give Born charges.

    Parameters
    ----------
    atoms : ase.Atoms
        With a calculator.
    source : str
        One of `SOURCES`. "auto" uses the first that the calculator provides: a cell dipole, ASE's
        dipole or polarization, a current. Charges are taken automatically only for calculators
        with latent charges.
    components : str
        "all", or "normal" for the normal component of a slab.
    reach_A : float or None
        Range in Å of charge changes for source "charges"; by default
        ``calculator.charge_reach_A``, or 10 Å.
    """
    check_components(atoms, components)
    require_one_of("source", source, SOURCES)
    if reach_A is not None:
        require_positive("reach_A", reach_A)
    if atoms.pbc.sum() == 1:
        raise ValueError(
            "Born charges need three periodic directions (crystal), two (slab) or none (molecule), "
            f"pbc is {atoms.pbc.tolist()}. Put a wire into a box with vacuum and pbc=True"
        )
    offered = _offered(atoms)
    periodic = ("cell_dipole", "polarization", "current", "charges")
    if not atoms.pbc.any():
        kinds = ("cell_dipole", "dipole", "current", "charges")
        return Moments(None, _first(kinds, offered, source, atoms, reach_A), None)
    if atoms.pbc.all():
        return Moments(None, _first(periodic, offered, source, atoms, reach_A), None)
    # The polarization is undefined along the open direction.
    kinds = ("cell_dipole", "dipole", "current", "charges")
    of_normal = "auto" if source == "polarization" else source
    across = _first(kinds, offered, of_normal, atoms, reach_A)
    in_plane = None
    if components == "all":
        in_plane = _first(periodic, offered, source, atoms, reach_A)
    return Moments(across, in_plane, unit_normal(atoms))


def shifts_charge(atoms: Atoms) -> bool:
    """Return whether the calculator has latent charges that do not define a dipole here."""
    calculator: Any = atoms.calc
    if not hasattr(calculator, "get_cell_dipole"):
        return False
    try:
        calculator.get_cell_dipole(atoms)
    except PropertyNotImplementedError:
        return True
    return False


def check_components(atoms: Atoms, components: str) -> None:
    """Check that the structure has the components."""
    require_one_of("components", components, COMPONENTS)
    if components == "normal" and atoms.pbc.sum() != 2:
        raise ValueError(
            "`components` 'normal' needs a slab with two periodic directions, pbc is "
            f"{atoms.pbc.tolist()}"
        )


# Kinds of results that a calculator may offer: their source and their name in messages.
_KINDS = {
    "cell_dipole": ("dipole", "get_cell_dipole(atoms)"),
    "dipole": ("dipole", "dipole"),
    "polarization": ("polarization", "polarization"),
    "current": ("current", "get_current(atoms)"),
    "charges": ("charges", "charges"),
}


def _first(
    kinds: Sequence[str], offered: set[str], source: str, atoms: Atoms, reach_A: float | None
) -> Source:
    """Return the first of these kinds that is offered and belongs to the source."""
    for kind in kinds:
        if kind not in offered:
            continue
        if source == _KINDS[kind][0] or (
            source == "auto" and _is_automatic(kind, atoms.calc, offered)
        ):
            return _make(kind, atoms, reach_A)
    names = [_KINDS[kind][1] for kind in kinds]
    in_plane = atoms.pbc.sum() == 2 and "polarization" in kinds
    raise ValueError(
        f"{type(atoms.calc).__name__} gives no change of moment "
        + ("in the plane of a slab" if in_plane else f"for pbc {atoms.pbc.tolist()}")
        + ("" if source == "auto" else f" from source '{source}'")
        + f": needed is {', '.join(names[:-1])} or {names[-1]}, it offers "
        + (", ".join(sorted(_KINDS[kind][1] for kind in offered)) or "none")
        + (". `components` 'normal' needs only the dipole" if in_plane else "")
    )


def _is_automatic(kind: str, calculator: Calculator, offered: set[str]) -> bool:
    """Return whether source "auto" may choose this kind."""
    latent = hasattr(calculator, "get_local_charges")
    if kind == "charges":
        # Charges from a population analysis do not add up to the moment.
        return latent
    # Without a dipole, latent models compute the current from analytic Born charges.
    return kind != "current" or not latent or "cell_dipole" in offered


def _offered(atoms: Atoms) -> set[str]:
    """Return the kinds that the calculator offers for these boundary conditions."""
    calculator = atoms.calc
    implemented = set(getattr(calculator, "implemented_properties", ()))
    offered = implemented & {"dipole", "polarization", "charges"}
    if hasattr(calculator, "get_current"):
        offered.add("current")
    if not hasattr(calculator, "get_cell_dipole"):
        return offered
    if not shifts_charge(atoms):
        return offered | {"cell_dipole"}
    # Dipole and polarization would contain charge transfer whose path is undefined.
    return offered - {"dipole", "polarization"} if atoms.pbc.any() else offered


def _make(kind: str, atoms: Atoms, reach_A: float | None) -> Source:
    if kind == "current":
        return CurrentSource()
    if kind == "charges":
        what = "local_charges" if hasattr(atoms.calc, "get_local_charges") else "charges"
        return ChargesSource.for_structure(atoms, what, reach_A)
    if kind == "polarization" and not atoms.cell.volume > 0:
        raise ValueError(
            f"the polarization needs the volume of the cell, and {atoms.cell.tolist()} has none; "
            "set the third cell vector"
        )
    return MomentSource(kind)

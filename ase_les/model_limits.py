"""Limits stated in a model card, and calculations that exceed them.

The entry ``named_limits`` of a card maps names to reasons, one line of text each; further names are
shown, but not checked.

===================== ============================================================================
Name                  Exceeded by
===================== ============================================================================
``surfaces``          structures with two periodic directions or a gap between atoms, surface
                      energies and adsorption
``slabs``             structures with two periodic directions; the reason replaces that of
                      ``periodic_directions``
``constant-pressure`` dynamics at constant pressure, relaxations of the cell
``temperatures_K``    dynamics outside of these two temperatures
===================== ============================================================================

The entries ``periodic_directions`` and ``total_charges_e`` list the values in the training data;
other values exceed the limits, too. ``limits`` contains free text.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from ase import Atoms

from ase_les.calculator_extensions import model_card

#: Gap between atoms along a periodic direction, in Å, from which a structure has surfaces.
VACUUM_A = 6.0

SURFACES, SLABS, CONSTANT_PRESSURE = "surfaces", "slabs", "constant-pressure"
TEMPERATURES = "temperatures_K"

_EXCEEDS, _LIMITS = "this result exceeds the limits of the model: ", "limits of the model: "
_KINDS = ("a molecule or cluster", "a wire", "a slab", "a crystal or liquid")


class BeyondLimitsError(ValueError):
    """Raised if a calculation exceeds the limits of its model without permission."""


class Exceeded(NamedTuple):
    """Limit that a calculation exceeds.

    Parameters
    ----------
    name : str
        Name of the limit.
    what : str
        Feature of the calculation that exceeds the limit.
    reason : str
        Reason stated in the card.
    """

    name: str
    what: str
    reason: str

    def __str__(self) -> str:
        return f"{self.what} (limit {self.name}: {self.reason})"


def named_limits(card: Mapping[str, Any]) -> dict[str, Any]:
    """Return the named limits of a card; entries of other types are left out."""
    given = card.get("named_limits")
    if not isinstance(given, Mapping):
        return {}
    kept: dict[str, Any] = {
        str(name): limit
        for name, limit in given.items()
        if isinstance(limit, str) and name != TEMPERATURES
    }
    between = given.get(TEMPERATURES)
    if (
        isinstance(between, list | tuple)
        and len(between) == 2
        and all(isinstance(each, int | float) for each in between)
    ):
        kept[TEMPERATURES] = tuple(float(each) for each in between)
    return kept


def stated_limits(card: Mapping[str, Any]) -> str:
    """Return the limits of a card as one line of text, empty without limits."""
    limits = named_limits(card)
    between = limits.pop(TEMPERATURES, None)
    parts = [str(card["limits"])] if card.get("limits") else []
    if not parts:
        parts = [f"{name} ({reason})" for name, reason in limits.items()]
    if between:
        parts.append(f"{between[0]:g} to {between[1]:g} K")
    return "; ".join(parts)


def exceeded_limits(
    card: Mapping[str, Any],
    atoms: Atoms | None = None,
    uses: Sequence[str] = (),
    temperatures_K: Sequence[float] = (),
) -> list[Exceeded]:
    """Return the limits of a model that a calculation exceeds.

    Parameters
    ----------
    card : mapping
        Card of the model.
    atoms : ase.Atoms or None
        Structure whose periodic directions, gaps and total charge are checked.
    uses : sequence of str
        Names of limits that the calculation exceeds for every structure.
    """
    limits = named_limits(card)
    found = [
        Exceeded(use, _DESCRIPTIONS.get(use, use), limits[use]) for use in uses if use in limits
    ]
    if atoms is not None:
        found += _of_structure(card, limits, atoms, without=uses)
    low, high = limits.get(TEMPERATURES, (-np.inf, np.inf))
    outside = [each for each in temperatures_K if not low <= each <= high]
    if outside:
        reason = f"{low:g} to {high:g} K"
        found.append(Exceeded(TEMPERATURES, f"a temperature of {max(outside):g} K", reason))
    return found


def check_limits(
    calculator: object,
    atoms: Atoms | None = None,
    *,
    uses: Sequence[str] = (),
    temperatures_K: Sequence[float] = (),
    beyond_limits: bool = False,
) -> tuple[str, ...]:
    """Return notes on the limits of a model, for the result of a calculation.

    Parameters
    ----------
    calculator : ASE calculator
        Calculators without a model card have no limits.
    atoms, uses, temperatures_K
        See `exceeded_limits`.
    beyond_limits : bool
        Whether to allow calculations beyond the limits, with a note.

    Raises
    ------
    BeyondLimitsError
        If the calculation exceeds a limit and `beyond_limits` is false.
    """
    card = model_card(calculator)
    found = exceeded_limits(card, atoms, uses, temperatures_K)
    if found and not beyond_limits:
        raise BeyondLimitsError(
            f"{'; '.join(map(str, found))}: outside the limits of the model "
            f"{card.get('name', 'of the calculator')}. Use a model trained for this, or accept "
            "results that may be wrong with `beyond_limits`"
        )
    notes = [f"{_EXCEEDS}{each}" for each in found]
    stated = stated_limits(card)
    return (*notes, f"{_LIMITS}{stated}") if stated else tuple(notes)


def limit_notes(notes: Iterable[str]) -> tuple[str, ...]:
    """Return those notes of a result or summary that come from `check_limits`."""
    return tuple(note for note in notes if str(note).startswith((_EXCEEDS, _LIMITS)))


_DESCRIPTIONS = {
    SURFACES: "a surface",
    SLABS: "a slab",
    CONSTANT_PRESSURE: "a cell that changes",
}


def _of_structure(
    card: Mapping[str, Any], limits: Mapping[str, Any], atoms: Atoms, without: Sequence[str]
) -> list[Exceeded]:
    found = []
    directions = int(atoms.pbc.sum())
    known = card.get("periodic_directions")
    if directions == 2 and SLABS in limits:
        found.append(Exceeded(SLABS, _DESCRIPTIONS[SLABS], limits[SLABS]))
    elif isinstance(known, list) and known and directions not in known:
        trained = " and ".join(map(str, known))
        reason = f"trained on structures with {trained} periodic directions"
        what = f"{_KINDS[directions]} ({directions} periodic directions)"
        if directions == 0:
            what += (
                '; if a cell is missing, give the file one, as Lattice="ax ay az …" in extended XYZ'
            )
        found.append(Exceeded("periodic_directions", what, reason))
    if SURFACES in limits and SURFACES not in without:
        if directions == 2:
            found.append(Exceeded(SURFACES, _DESCRIPTIONS[SURFACES], limits[SURFACES]))
        elif directions == 3 and (gap := widest_gap_A(atoms)) > VACUUM_A:
            what = f"a gap of {gap:.1f} Å between atoms"
            found.append(Exceeded(SURFACES, what, limits[SURFACES]))
    charges = card.get("total_charges_e")
    charge = atoms.info.get("charge", 0)
    if isinstance(charges, list) and charges and charge not in charges:
        reason = f"trained on {', '.join(f'{each:g}' for each in charges)} e"
        found.append(Exceeded("total_charges_e", f"a total charge of {charge:+g} e", reason))
    return found


def widest_gap_A(atoms: Atoms) -> float:
    """Return the widest gap between atoms along the normals of the faces of a periodic box, in Å.

    Parameters
    ----------
    atoms : ase.Atoms
        Structure with three periodic directions.
    """
    if len(atoms) == 0:
        return 0.0
    heights = 1 / np.linalg.norm(atoms.cell.reciprocal().array, axis=1)
    scaled = np.sort(atoms.cell.scaled_positions(atoms.positions) % 1.0, axis=0)
    gaps = np.diff(scaled, axis=0, append=scaled[:1] + 1.0).max(axis=0)
    return float((gaps * heights).max())

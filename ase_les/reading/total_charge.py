"""Read the total charge of a structure under the names that programs use."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np
from ase import Atoms

from ase_les.reading.notes import Notes

KEY = "charge"
"""Key of ``atoms.info`` under which this package keeps the total charge (e)."""

_SPELLINGS = frozenset(
    (
        *("charge", "totalcharge", "totcharge", "netcharge", "systemcharge", "cellcharge"),
        *("molecularcharge", "moleculecharge", "molcharge", "qtot", "qtotal", "totalq"),
    )
)
# Of numbers that may be a charge, or something else.
_SHORT_NAMES = frozenset(("q", "tot_q", "net_q", "chg", "tot_chg", "chrg", "ion"))
_LARGEST = 100.0


def is_total_charge(key: str) -> bool:
    """Return whether a key of ``atoms.info`` is a usual name of the total charge.

    Case, underscores and the prefixes ``REF_`` and ``DFT_`` do not matter: ``total_charge``,
    ``tot_charge``, ``net_charge``, ``Charge``, ``REF_total_charge`` …
    """
    bare = re.sub(r"^(ref|dft)_", "", key.lower())
    return re.sub(r"[^a-z]", "", bare) in _SPELLINGS


def charge_number(key: str, value: object) -> float:
    """Return a total charge (e) that a file gives, as a number.

    Parameters
    ----------
    key : str
        Its name, for the message.
    value : object
        A number, or the text of one. ASE reads ``charge=None`` and a bare ``charge`` as True,
        which is no charge.

    Raises
    ------
    ValueError
        If it is anything else, or implausibly large.
    """
    charge = float("nan")
    if isinstance(value, str) or (np.isscalar(value) and not isinstance(value, bool | np.bool_)):
        try:
            charge = float(value)  # type: ignore[arg-type]
        except (TypeError, ValueError):
            charge = float("nan")
    if not abs(charge) <= _LARGEST:
        raise ValueError(
            f"the total charge '{key}' is {value!r}, but must be a number in e: write "
            f"{KEY}=0 (or the charge) in the file, or give --charge"
        )
    return charge


def total_charge_in(info: Mapping[str, object]) -> tuple[str, float] | None:
    """Return name and value (e) of the total charge among the entries of ``atoms.info``.

    Raises
    ------
    ValueError
        If an entry of such a name is not a number, two entries disagree, or an entry of an unknown
        name looks like a charge.
    """
    found = {
        key: charge_number(key, value)
        for key, value in info.items()
        # Charges of atoms can have such names, too.
        if is_total_charge(key) and (np.ndim(value) == 0 or key == KEY)  # type: ignore[arg-type]
    }
    if len(set(found.values())) > 1:
        values = ", ".join(f"{key} = {value:g}" for key, value in found.items())
        raise ValueError(f"conflicting total charges (e): {values}. Keep one, or give --charge")
    if not found:
        _refuse_unknown_names(info)
        return None
    key = KEY if KEY in found else next(iter(found))
    return key, found[key]


def adopt_total_charge(atoms: Atoms, notes: Notes, given: float | None = None) -> None:
    """Store the total charge of a structure as ``atoms.info["charge"]``, whatever its name.

    Parameters
    ----------
    atoms : ase.Atoms
        Changed in place.
    notes : Notes
        Receives a note if the charge is read under another name.
    given : float or None
        Total charge (e), replacing that in the file.

    Raises
    ------
    ValueError
        See `total_charge_in`.
    """
    if given is not None:
        if given != 0 or KEY in atoms.info:
            atoms.info[KEY] = given
        return
    found = total_charge_in(atoms.info)
    if found is None:
        _report_initial_charges(atoms, notes)
        return
    key, charge = found
    if key != KEY:
        notes.add(f"total charge read from '{key}'")
    atoms.info[KEY] = int(charge) if charge.is_integer() else charge


def _refuse_unknown_names(info: Mapping[str, object]) -> None:
    for key, value in info.items():
        if "charge" not in key.lower() and key.lower() not in _SHORT_NAMES:
            continue
        written = str(value).strip() if isinstance(value, str | int | float | np.number) else ""
        if not re.fullmatch(r"[+-]?\d+(\.0*)?[+-]?", written) or not written.strip("+-0."):
            continue
        raise ValueError(
            f"'{key}' = {value} may be a total charge: rename it to '{KEY}' if it is, otherwise to "
            "a name that does not suggest one, or give --charge"
        )


def _report_initial_charges(atoms: Atoms, notes: Notes) -> None:
    net = float(atoms.get_initial_charges().sum())
    if abs(net) > 0.01:
        notes.add(
            f"initial charges of the atoms sum to {net:+.3g} e and are not used: the structure "
            "is treated as neutral unless --charge is given",
            important=True,
        )

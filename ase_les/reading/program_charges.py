"""Total charges that inputs and outputs of programs state, and that ASE's readers drop."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path

# Settings come before the first structure of an output, which may be long.
_READ_BYTES = 8_000_000
_NUMBER = r"([+-]?\d+\.?\d*(?:[eEdD][+-]?\d+)?)"
# Charges of atoms in the atom block of a MOL file.
_MOL_CODES = {1: 3.0, 2: 2.0, 3: 1.0, 5: -1.0, 6: -2.0, 7: -3.0}

#: Name of the entry and pattern of its value, by format of ASE.
_STATED = {
    "espresso-in": ("tot_charge", rf"^[^!\n]*\btot_charge\s*=\s*{_NUMBER}"),
    "gaussian-in": ("charge and multiplicity", r"^\s*([+-]?\d+)(?:\s*,\s*|\s+)\d+\s*$"),
    "gaussian-out": ("Charge", r"^\s*Charge\s*=\s*([+-]?\d+)\s+Multiplicity\s*="),
    "gpaw-out": ("Total Charge", rf"^\s*(?:Total Charge|charge):\s*{_NUMBER}"),
    "nwchem-in": ("charge", rf"^\s*charge\s+{_NUMBER}\s*$"),
    "nwchem-out": ("Charge", r"^\s*Charge\s*:\s*([+-]?\d+)\s*$"),
    "orca-output": ("Total Charge", r"^\s*Total Charge\s+Charge\s+\.+\s+([+-]?\d+)"),
}


def stated_charge(path: Path, kind: str) -> tuple[str, float] | None:
    """Return what a file calls its total charge, and its value in e; None without one.

    Parameters
    ----------
    path : Path
    kind : str
        ASE name of its format.

    Notes
    -----
    VASP and Quantum ESPRESSO print numbers of electrons: the charge is the sum of valences less
    these.
    """
    if kind not in _STATED and kind not in _COUNTED:
        return None
    with open(path, "rb") as file:
        text = file.read(_READ_BYTES).decode(errors="replace")
    if kind in _COUNTED:
        name, count = _COUNTED[kind]
        charge = count(text)
    else:
        name, pattern = _STATED[kind]
        found = re.search(pattern, text, re.MULTILINE | re.IGNORECASE)
        charge = _value(found[1]) if found else None
    return None if charge is None else (name, charge)


def _value(text: str) -> float:
    return float(text.lower().replace("d", "e"))


def _of_mol(text: str) -> float:
    """Return the sum of formal charges of the first molecule."""
    molecule = text.split("M  END", 1)[0]
    stated = re.findall(r"^M  CHG\s+\d+((?:\s+\d+\s+[+-]?\d+)+)", molecule, re.MULTILINE)
    if stated:
        return float(sum(int(number) for line in stated for number in line.split()[1::2]))
    lines = molecule.splitlines()
    atoms = lines[4 : 4 + int(lines[3][:3])] if len(lines) > 3 and lines[3][:3].strip() else []
    codes = (line[36:39].strip() for line in atoms)
    return sum(_MOL_CODES.get(int(code), 0.0) for code in codes if code.isdigit())


def _of_outcar(text: str) -> float | None:
    counts = re.search(r"ions per type =((?:\s+\d+)+)", text)
    valences = re.search(r"Ionic Valenz\s*\n\s*ZVAL\s*=((?:\s+[\d.]+)+)", text)
    electrons = re.search(rf"NELECT\s*=\s*{_NUMBER}", text)
    if not (counts and valences and electrons):
        return None
    return _missing_electrons(zip(counts[1].split(), valences[1].split()), electrons[1])  # noqa: B905


def _of_vasprun(text: str) -> float | None:
    row = r"<rc><c>\s*(\d+)</c><c>\s*\w+\s*</c><c>\s*[\d.]+\s*</c><c>\s*([\d.]+)\s*</c>"
    electrons = re.search(rf'<i name="NELECT">\s*{_NUMBER}', text)
    types = re.findall(row, text)
    return _missing_electrons(types, electrons[1]) if types and electrons else None


def _of_espresso(text: str) -> float | None:
    table = re.search(r"atomic species\s+valence.*\n((?:\s+\S+\s+[\d.]+\s+.*\(.*\)\s*\n)+)", text)
    sites = re.findall(r"^\s*\d+\s+(\S+)\s+tau\(", text, re.MULTILINE)
    electrons = re.search(rf"number of electrons\s*=\s*{_NUMBER}", text)
    if not (table and sites and electrons):
        return None
    valences = {line.split()[0]: line.split()[1] for line in table[1].splitlines() if line.strip()}
    # Sites are listed again after a change of the symmetry or cell.
    n_atoms = re.search(r"number of atoms/cell\s*=\s*(\d+)", text)
    sites = sites[: int(n_atoms[1])] if n_atoms else sites
    if any(site not in valences for site in sites):
        return None
    return _missing_electrons(((1, valences[site]) for site in sites), electrons[1])


def _missing_electrons(valences: Iterable[tuple[str | int, str]], electrons: str) -> float:
    """Return the charge of ions with these counts and valences; numbers have two digits."""
    charge = sum(int(count) * float(valence) for count, valence in valences) - _value(electrons)
    return 0.0 if abs(charge) < 0.02 else round(charge, 2)


_COUNTED: dict[str, tuple[str, Callable[[str], float | None]]] = {
    "mol": ("formal charges", _of_mol),
    "sdf": ("formal charges", _of_mol),
    "vasp-out": ("NELECT", _of_outcar),
    "vasp-xml": ("NELECT", _of_vasprun),
    "espresso-out": ("number of electrons", _of_espresso),
}

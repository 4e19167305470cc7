"""Energies of the elements from structures marked as isolated atoms."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from ase import Atoms

from ase_les.reading.labels import LabelSources, is_isolated_atom


def take_isolated_atoms(
    frames: Sequence[Atoms], sources: LabelSources
) -> tuple[list[Atoms], dict[str, float], list[str]]:
    """Separate structures with ``config_type=IsolatedAtom`` from the others.

    Parameters
    ----------
    sources : LabelSources
        Location of the energies.

    Returns
    -------
    (list of ase.Atoms, dict of str to float, list of str)
        The other structures; energies of the elements in eV; notes for the user.
    """
    others: list[Atoms] = []
    energies: dict[str, float] = {}
    notes: list[str] = []
    for atoms in frames:
        if not is_isolated_atom(atoms):
            others.append(atoms)
            continue
        symbol = str(atoms.symbols[0])
        energy = sources.value(atoms, "energy")
        if energy is None or not np.isfinite(float(energy)):
            notes.append(f"the isolated atom {symbol} has no energy and is not used")
        elif atoms.info.get("charge", 0) != 0:
            notes.append(f"the isolated ion {symbol} is not used: energies are those of atoms")
        elif abs(energies.get(symbol, float(energy)) - float(energy)) > 1e-4:
            raise ValueError(
                f"isolated atoms of {symbol} have the energies {energies[symbol]:g} and "
                f"{float(energy):g} eV; keep the right one"
            )
        else:
            energies[symbol] = float(energy)
    if energies:
        listed = ", ".join(f"{symbol} {energy:g}" for symbol, energy in energies.items())
        notes.append(
            f"atomic energies / eV from isolated atoms: {listed}; they are excluded from the "
            "training"
        )
    return others, energies, notes

"""Monatomic ions in a structure."""

from __future__ import annotations

import numpy as np
from ase import Atoms

from ase_les.properties.molecules import molecules

#: Charge numbers.
MONATOMIC_IONS = {
    **dict.fromkeys(("Li", "Na", "K", "Rb", "Cs", "Ag"), 1),
    **dict.fromkeys(("Mg", "Ca", "Sr", "Ba", "Zn"), 2),
    **dict.fromkeys(("F", "Cl", "Br", "I"), -1),
}
CATIONS = tuple(symbol for symbol, charge in MONATOMIC_IONS.items() if charge > 0)


def is_cation(atoms: Atoms) -> np.ndarray:
    """Return a mask (N,) of atoms of elements that are cations in solution.

    Their distance to water is shorter than the sum of covalent radii: in a search for molecules
    they would connect the water molecules around them.
    """
    return np.isin(atoms.symbols, CATIONS)


def monatomic_ions(atoms: Atoms) -> dict[str, int]:
    """Return the charge numbers of the elements that are monatomic ions.

    These are the elements of `CATIONS`, and halogens without bonds to other non-metals.
    """
    remaining = atoms[~is_cation(atoms)]
    bonded = {
        remaining.symbols[i] for group in molecules(remaining) if len(group) > 1 for i in group
    }
    return {
        symbol: MONATOMIC_IONS[symbol]
        for symbol in sorted((set(atoms.symbols) - bonded) & set(MONATOMIC_IONS))
    }

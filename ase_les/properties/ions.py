"""Ions of one atom in a structure, told from atoms of molecules."""

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
    """Whether each atom is of an element that is a cation in solution, (N,) bool.

    Their distance to water is less than the sum of covalent radii would have it: taken along,
    they would bind the water around them into one molecule.
    """
    return np.isin(atoms.symbols, CATIONS)


def monatomic_ions(atoms: Atoms) -> dict[str, int]:
    """Charge numbers of the elements whose atoms are ions by themselves.

    Those are the elements of `CATIONS`, and halogens none of whose atoms is bonded to another
    non-metal.
    """
    rest = atoms[~is_cation(atoms)]
    bonded = {rest.symbols[i] for group in molecules(rest) if len(group) > 1 for i in group}
    return {
        symbol: MONATOMIC_IONS[symbol]
        for symbol in sorted((set(atoms.symbols) - bonded) & set(MONATOMIC_IONS))
    }

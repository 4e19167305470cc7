"""Charge and potential of electrodes during a dynamics run."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from ase import Atoms

from ase_les.simulation.states import Stateless


class ElectrodeCharges(Stateless):
    """Charge of the left electrode, potential, response and area; see `get_electrode_state`.

    Raises
    ------
    ValueError
        If the calculator has no electrodes.
    """

    columns: Mapping[str, tuple[int, ...]] = {
        "charge_e": (),
        "potential_V": (),
        "conjugate_charge_e": (),
        "response_e_per_V": (),
        "area_A2": (),
    }

    def __init__(self, atoms: Atoms) -> None:
        if getattr(atoms.calc, "electrodes", None) is None:
            raise ValueError(
                "`observe` electrodes: the calculator has none; give `electrodes` (left, right and "
                "potential_V or charge_e)"
            )

    def measure(self, atoms: Atoms) -> np.ndarray:
        """Return the values (5,) in the order of `columns`."""
        state = atoms.calc.get_electrode_state(atoms)
        return np.array([state[name] for name in self.columns])

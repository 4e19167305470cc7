"""Driver class for i-PI's own interface: ``i-pi-driver-py -m custom -P …/ipi_driver.py``.

Also for ``<ffdirect>`` in the input of i-PI, which evaluates in its own process:
``<pes> custom </pes> <pes_path> …/ipi_driver.py </pes_path>``. Parameters: see `LESDriver`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from ipi.pes.dummy import Dummy_driver
from ipi.utils.units import unit_to_internal, unit_to_user

from ase_les.calculator import LESCalculator
from ase_les.interop.ipi import Evaluator
from ase_les.reading import read_file

__DRIVER_NAME__ = "ase_les"
__DRIVER_CLASS__ = "LESDriver"


class LESDriver(Dummy_driver):
    """Latent Ewald Summation model as a driver of i-PI.

    Parameters
    ----------
    template : str
        File with the initial structure of i-PI, for elements, periodic directions and charge.
    model : str
        Name or file; several, separated by ``+``, are a committee.
    extras : str
        Names of `ase_les.interop.ipi.EXTRAS` separated by ``+``.
    **settings
        Settings of the `LESCalculator`, for example ``dtype=float64``.
    """

    def __init__(self, template: str, model: str, extras: str = "", **settings: Any) -> None:
        own = {name: settings.pop(name) for name in ("verbose", "verbosity") if name in settings}
        calculators = [LESCalculator(name, **settings) for name in str(model).split("+")]
        requested = [name for name in str(extras).split("+") if name]
        self._evaluate = Evaluator(read_file(template).frames[-1], calculators, requested)
        super().__init__(**own)

    def compute_structure(
        self, cell: np.ndarray, pos: np.ndarray
    ) -> tuple[float, np.ndarray, np.ndarray, str]:
        """Return energy, forces, virial and extras of one structure, all in atomic units."""
        result = self._evaluate(
            unit_to_user("length", "angstrom", pos), unit_to_user("length", "angstrom", cell.T)
        )
        return (
            unit_to_internal("energy", "electronvolt", result.energy),
            np.asarray(unit_to_internal("force", "ev/ang", result.forces)),
            np.asarray(unit_to_internal("energy", "electronvolt", result.virial.T)),
            result.extras,
        )

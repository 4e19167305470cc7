r"""Electrodes: selection of their atoms, and capacitance from the fluctuations of a run.

At constant potential V the grand potential has :math:`\partial\Omega/\partial V = -X`, with X the
charge Q of the left electrode (or the conjugate charge of `ase_les.response.electrodes`), so that
the differential capacitance is [1]_ [2]_

.. math::
    C = \frac{\partial \langle X \rangle}{\partial V}
      = \frac{\langle X^2 \rangle - \langle X \rangle^2}{k_B T}
        + \Big\langle \frac{\partial X}{\partial V} \Big\rangle_\mathbf{r}

The second term is the response of the electrons at fixed positions, which the charges of energy
minima do not have among their fluctuations. At constant charge the potential fluctuates instead,

.. math::
    \frac{1}{C} = \frac{\partial \langle V \rangle}{\partial Q}
      = \Big\langle \frac{1}{\partial X/\partial V} \Big\rangle
        - \frac{\langle V^2 \rangle - \langle V \rangle^2}{k_B T}

References
----------
.. [1] D. T. Limmer, C. Merlet, M. Salanne, D. Chandler, P. A. Madden, R. van Roij, B. Rotenberg,
       Phys. Rev. Lett. 111, 106102 (2013).
.. [2] L. Scalfi, D. T. Limmer, A. Coretti, S. Bonella, P. A. Madden, M. Salanne, B. Rotenberg,
       Phys. Chem. Chem. Phys. 22, 10480 (2020).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms, units

from ase_les.properties.atom_selection import selected_atoms
from ase_les.properties.recorded_run import read_series, samples_after
from ase_les.simulation.series import Series
from ase_les.statistics import Estimate, block_average, independent_samples

#: µF/cm² per e/(V Å²).
MICROFARAD_PER_CM2 = units._e * 1e22
#: Relative change of the potential below which a run is one at constant potential.
_CONSTANT = 1e-9


def select_electrodes(
    atoms: Atoms,
    left: str | Sequence[int],
    right: str | Sequence[int],
    potential_V: float | None = None,
    charge_e: float | None = None,
) -> dict[str, Any]:
    """Return the setting ``electrodes`` of a calculator for selected atoms.

    Parameters
    ----------
    left, right : str or sequence of int
        Selections as in `ase_les.properties.atom_selection`, such as ``"Pt & bottom:3"``, or
        indices.
    potential_V, charge_e : float or None
        One of them; see `ase_les.calculator.electrodes`.
    """
    chosen = {
        name: [int(index) for index in selected_atoms(atoms, words)]
        for name, words in (("left", left), ("right", right))
    }
    held = {"potential_V": potential_V, "charge_e": charge_e}
    return chosen | {name: value for name, value in held.items() if value is not None}


@dataclass(frozen=True)
class Capacitance:
    """Charge, potential and differential capacitance of electrodes.

    Attributes
    ----------
    charge_e, potential_V : Estimate
        Of the left electrode, relative to the right one; one of them is held constant.
    fluctuation_e_per_V, response_e_per_V : Estimate
        The two terms of the capacitance: of the nuclei, and of the electrons at fixed positions.
        At constant charge the first is the difference from the total.
    capacitance_e_per_V : Estimate
        nan at constant charge if the fluctuations are too large for the response.
    temperature_K, area_A2 : float
        The area is nan for electrodes that are not periodic.
    n_samples : int
    independent_samples : float
        Of the fluctuating quantity.
    constant : str
        "potential" or "charge".
    """

    charge_e: Estimate
    potential_V: Estimate
    fluctuation_e_per_V: Estimate
    response_e_per_V: Estimate
    capacitance_e_per_V: Estimate
    temperature_K: float
    area_A2: float
    n_samples: int
    independent_samples: float
    constant: str

    def per_area(self, value: Estimate) -> Estimate:
        """Return a capacitance in e/V per area, in µF/cm²."""
        factor = MICROFARAD_PER_CM2 / self.area_A2
        return Estimate(factor * value.mean, factor * value.standard_error)

    def summary(self) -> dict[str, object]:
        """Return the results in plain containers."""
        terms = {
            "total": self.capacitance_e_per_V,
            "fluctuations_of_nuclei": self.fluctuation_e_per_V,
            "electrons_at_fixed_positions": self.response_e_per_V,
        }
        return {
            "constant": self.constant,
            "charge_e": self.charge_e,
            "potential_V": self.potential_V,
            "capacitance_e_per_V": terms,
            "capacitance_uF_per_cm2": {name: self.per_area(each) for name, each in terms.items()},
            "temperature_K": self.temperature_K,
            "area_A2": self.area_A2,
            "samples": self.n_samples,
            "independent_samples": self.independent_samples,
        }

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the capacitance and its error as arrays."""
        total = self.capacitance_e_per_V
        return {"capacitance_e_per_V": np.array([total.mean, total.standard_error])}


def capacitance(
    stem: str | Path | Series, *, skip_ps: float = 0.0, temperature_K: float | None = None
) -> Capacitance:
    """Return the capacitance of a run with ``observe="electrodes"``; see this module.

    Parameters
    ----------
    stem : str, Path or Series
        Stem of the files of the run, or its series.
    skip_ps : float
        Initial time to exclude.
    temperature_K : float or None
        None for the mean of the run.

    Raises
    ------
    FileNotFoundError
        If the run has no such series.
    ValueError
        If fewer than two samples are left, or neither potential nor charge is constant.
    """
    if isinstance(stem, Series):
        series, temperature = samples_after(stem, skip_ps, temperature_K)
    else:
        series, temperature, _ = read_series(stem, "electrodes", skip_ps, temperature_K)
    columns = series.columns
    constant = _constant(columns)
    varying = columns["potential_V" if constant == "charge" else "conjugate_charge_e"]
    squares = (varying - varying.mean()) ** 2 / (units.kB * temperature)
    # The variance about the mean of so few samples is smaller than that about the true mean.
    independent = independent_samples(varying)
    squares = squares / max(1 - 1 / independent, 0.5)
    response = block_average(columns["response_e_per_V"])
    if constant == "potential":
        fluctuation, total = block_average(squares), squares + columns["response_e_per_V"]
        found = block_average(total)
    else:
        inverse = block_average(1 / columns["response_e_per_V"] - squares)
        found = _inverted(inverse)
        fluctuation = Estimate(found.mean - response.mean, found.standard_error)
    return Capacitance(
        charge_e=block_average(columns["charge_e"]),
        potential_V=block_average(columns["potential_V"]),
        fluctuation_e_per_V=fluctuation,
        response_e_per_V=response,
        capacitance_e_per_V=found,
        temperature_K=temperature,
        area_A2=float(columns["area_A2"].mean()),
        n_samples=len(series.time_fs),
        independent_samples=independent,
        constant=constant,
    )


def _constant(columns: Mapping[str, np.ndarray]) -> str:
    for name in ("potential", "charge"):
        values = columns["potential_V" if name == "potential" else "charge_e"]
        if np.ptp(values) <= _CONSTANT * max(np.abs(values).max(), 1.0):
            return name
    raise ValueError(
        "neither the potential nor the charge of the electrodes is constant: analyze each stage of "
        "the run on its own (`skip_ps`)"
    )


def _inverted(value: Estimate) -> Estimate:
    if not value.mean > 0:
        return Estimate(math.nan, math.nan)
    return Estimate(1 / value.mean, value.standard_error / value.mean**2)

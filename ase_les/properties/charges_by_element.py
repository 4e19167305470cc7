r"""Charges by element: atomic charges and generalized atomic polar tensor (GAPT) charges.

.. math::
    \bar{q}_s = \frac{1}{N_s} \sum_{i \in s} q_i, \qquad
    \bar{q}^\mathrm{GAPT}_s = \frac{1}{3 N_s} \sum_{i \in s} \operatorname{tr} Z^*_i

GAPT charges [1]_ are determined by energies and forces. They also determine whether the sign of all
charges agrees with electronegativity (`ase_les.charges.sign`).

References
----------
.. [1] J. Cioslowski, J. Am. Chem. Soc. 111, 8333 (1989).
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from ase import Atoms
from ase.calculators.calculator import PropertyNotImplementedError

from ase_les.charges.sign import OPPOSES, judge_sign, mean_by_element
from ase_les.reading.born_charges import born_tensors
from ase_les.screening import isotropic, recorded_scaling


@dataclass(frozen=True)
class ChargesByElement:
    r"""Mean charges of each element of a structure, in e.

    Attributes
    ----------
    count : mapping of str to int
        Number of atoms of each element.
    mean, std : mapping of str to float
        Mean and standard deviation of the atomic charges of the calculator.
    gapt : mapping of str to float, or None
        Mean of :math:`\operatorname{tr} Z^*/3`; None without Born charges.
    physical_over_latent : float
        Ratio of physical to latent charges; included in the charges above.
    sign : str
        "follows" or "opposes" electronegativity, or "undecided"; determined from GAPT charges if
        there are any, otherwise from the atomic charges.
    """

    count: Mapping[str, int]
    mean: Mapping[str, float]
    std: Mapping[str, float]
    gapt: Mapping[str, float] | None
    physical_over_latent: float
    sign: str

    @property
    def judged(self) -> Mapping[str, float]:
        """Mean charges that determine the sign."""
        return self.mean if self.gapt is None else self.gapt

    @property
    def judged_by(self) -> str:
        """Name of the charges that determine the sign."""
        return "mean charges" if self.gapt is None else "mean GAPT charges tr Z*/3"

    @property
    def verdict(self) -> str:
        """Sentence on whether the charges follow the electronegativities of the elements."""
        if self.sign == OPPOSES:
            return f"the sign of charges is opposite to electronegativity ({self.judged_by})"
        if self.sign == "follows":
            return f"the sign of charges follows electronegativity ({self.judged_by})"
        return (
            f"the sign of charges is undecided ({self.judged_by}): the charges are small, or the "
            "electronegativities are too similar"
        )

    def summary(self) -> dict[str, object]:
        """Return the result as plain containers for YAML and JSON."""
        by_element: dict[str, dict[str, object]] = {
            symbol: {"count": self.count[symbol], "mean": mean, "std": self.std[symbol]}
            for symbol, mean in self.mean.items()
        }
        for symbol, gapt in (self.gapt or {}).items():
            by_element[symbol]["gapt_mean"] = gapt
        return {
            "charges_e": by_element,
            "charges_are": {
                "physical_over_latent": self.physical_over_latent,
                "sign": self.sign,
                "sign_judged_by": self.judged_by,
            },
        }


def charges_by_element(atoms: Atoms) -> ChargesByElement:
    """Return mean atomic charges and GAPT charges of each element.

    Parameters
    ----------
    atoms : ase.Atoms
        With a calculator that gives charges, and optionally Born charges.

    Raises
    ------
    PropertyNotImplementedError
        If the calculator does not give charges.
    """
    charges = np.asarray(atoms.calc.get_property("charges", atoms), dtype=float)
    scaling = recorded_scaling(atoms)
    mean = mean_by_element(atoms.numbers, charges)
    given, gapt = None, None
    # Not given by all calculators and for all structures.
    with suppress(PropertyNotImplementedError, ValueError):
        given = atoms.calc.get_property("born_effective_charges", atoms)
    if given is not None:
        born = born_tensors(given, len(atoms), type(atoms.calc).__name__)
        # Where a metal is periodic there is no polarization, and no isotropic Born charge.
        with suppress(ValueError):
            gapt = mean_by_element(atoms.numbers, isotropic(born))
    symbols = np.array(atoms.get_chemical_symbols())
    return ChargesByElement(
        count={symbol: int((symbols == symbol).sum()) for symbol in mean},
        mean=mean,
        std={symbol: float(charges[symbols == symbol].std()) for symbol in mean},
        gapt=gapt,
        physical_over_latent=scaling,
        sign=judge_sign(mean if gapt is None else gapt),
    )

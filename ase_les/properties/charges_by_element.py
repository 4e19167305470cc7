r"""Charges of a structure by element: those that sit on atoms beside those that move with them.

.. math::
    \bar{q}_s = \frac{1}{N_s} \sum_{i \in s} q_i, \qquad
    \bar{q}^\mathrm{GAPT}_s = \frac{1}{3 N_s} \sum_{i \in s} \operatorname{tr} Z^*_i

The second are generalized atomic polar tensor charges [1]_, which energies and forces determine;
they also tell whether the sign of all charges is that of chemistry (`ase_les.charges.sign`).

References
----------
.. [1] J. Cioslowski, J. Am. Chem. Soc. 111, 8333 (1989).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from ase import Atoms
from ase.calculators.calculator import PropertyNotImplementedError
from rich.table import Table

from ase_les.charges.electronegativity import ELECTRONEGATIVITY
from ase_les.charges.sign import OPPOSES, judge_sign, mean_by_element
from ase_les.reading.born_charges import born_tensors
from ase_les.screening import recorded_scaling


@dataclass(frozen=True)
class ChargesByElement:
    """Mean charges of every element of a structure, in e.

    Attributes
    ----------
    count : mapping of str to int
        Atoms of each element.
    mean, std : mapping of str to float
        Of the charges that sit on atoms, as the calculator gives them.
    gapt : mapping of str to float, or None
        :math:`\\operatorname{tr} Z^*/3`; None where there are no Born charges.
    physical_over_latent : float
        By which both are scaled.
    sign : str
        "follows" or "opposes" electronegativity, or "undecided", by GAPT charges where there are
        any, else by the charges.
    """

    count: Mapping[str, int]
    mean: Mapping[str, float]
    std: Mapping[str, float]
    gapt: Mapping[str, float] | None
    physical_over_latent: float
    sign: str

    @property
    def judged(self) -> Mapping[str, float]:
        """Mean charges that the sign was judged by."""
        return self.mean if self.gapt is None else self.gapt

    @property
    def judged_by(self) -> str:
        return "mean charges" if self.gapt is None else "mean GAPT charges tr Z*/3"

    @property
    def verdict(self) -> str:
        """A sentence about the sign."""
        if self.sign == OPPOSES:
            return f"the sign of charges is opposite to electronegativity ({self.judged_by})"
        if self.sign == "follows":
            return f"the sign of charges follows electronegativity ({self.judged_by})"
        return (
            f"the sign of charges is undecided ({self.judged_by}): they are small, or the elements "
            "too close in electronegativity"
        )

    def summary(self) -> dict[str, object]:
        """Plain containers for YAML and JSON."""
        by_element = {
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

    def table(self) -> Table:
        """Return a table, one row per element."""
        table = Table(
            title=f"Charges / e, {self.physical_over_latent:.4g} times the latent ones",
            title_justify="left",
        )
        columns = ("atoms", "χ (Pauling)", "charge q", "std of q", "GAPT tr Z*/3")
        table.add_column("element")
        for column in columns:
            table.add_column(column, justify="right")
        for symbol, mean in self.mean.items():
            chi = ELECTRONEGATIVITY.get(symbol)
            table.add_row(
                symbol,
                str(self.count[symbol]),
                "–" if chi is None else f"{chi:.2f}",
                f"{mean:+.3f}",
                f"{self.std[symbol]:.3f}",
                "–" if self.gapt is None else f"{self.gapt[symbol]:+.3f}",
            )
        return table


def charges_by_element(atoms: Atoms) -> ChargesByElement:
    """Return mean charges and GAPT charges of every element.

    Parameters
    ----------
    atoms : ase.Atoms
        With a calculator that has charges; Born charges are taken where it has them.

    Raises
    ------
    PropertyNotImplementedError
        If the calculator has no charges.
    """
    charges = np.asarray(atoms.calc.get_property("charges", atoms), dtype=float)
    scaling = recorded_scaling(atoms)
    mean = mean_by_element(atoms.numbers, charges)
    gapt = None
    try:
        given = atoms.calc.get_property("born_effective_charges", atoms)
        born = born_tensors(given, len(atoms), type(atoms.calc).__name__)
        gapt = mean_by_element(atoms.numbers, np.trace(born, axis1=1, axis2=2) / 3)
    except (PropertyNotImplementedError, ValueError):
        # Atoms share electrons, or the calculator has none.
        pass
    symbols = np.array(atoms.get_chemical_symbols())
    return ChargesByElement(
        count={symbol: int((symbols == symbol).sum()) for symbol in mean},
        mean=mean,
        std={symbol: float(charges[symbols == symbol].std()) for symbol in mean},
        gapt=gapt,
        physical_over_latent=scaling,
        sign=judge_sign(mean if gapt is None else gapt),
    )

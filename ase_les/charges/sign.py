r"""The sign of charges, which energies and forces do not determine.

Energies depend on products of charges: :math:`q \to -q` changes the sign of charges, dipoles,
polarization and Born charges, and nothing else. Twelve of 25 published models with one charge per
atom have positive charges on electronegative elements. The sign is a convention; here it is that
of chemistry: mean charges of elements decrease with Pauling electronegativity.

If available, use generalized atomic polar tensor charges, :math:`\operatorname{tr} Z^*_i / 3` [1]_:
they are determined by energies and forces, while the charges themselves may have any mean in an
ionic crystal.

References
----------
.. [1] J. Cioslowski, J. Am. Chem. Soc. 111, 8333 (1989).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
from ase.data import chemical_symbols

from ase_les.charges.electronegativity import ELECTRONEGATIVITY

if TYPE_CHECKING:
    from ase_les.model_config import ModelConfig

FOLLOWS, OPPOSES, UNDECIDED = "follows", "opposes", "undecided"

#: Pauling units. Between elements that are closer, such as C and H or two metals, bonds may be
#: polarized either way.
CLEAR_DIFFERENCE = 0.7

#: Mean charges of elements below this value in e are not significant.
MEANINGFUL_CHARGE = 0.05

# Between -1 (all pairs of elements against electronegativity) and 1: one pair that disagrees with
# several others does not decide.
_CLEAR_AGREEMENT = 0.5


def sign_is_free(config: ModelConfig, is_charged: bool = False) -> bool:
    """Return whether energies are the same for charges of opposite sign.

    They differ with formal or total charges, or if elements of different electronegativity are
    equilibrated: the energy then determines the sign. Models with neutrality "none" ignore total
    charges.

    Parameters
    ----------
    is_charged : bool
        Whether structures have a total charge.
    """
    long_range = config.long_range
    if long_range is None:
        return False
    if config.total_charges or any(long_range.charges.formal_charges.values()):
        return False
    if is_charged and long_range.charges.neutrality != "none":
        return False
    shared = long_range.equilibration
    return not (shared and len(shared.elements) > 1)


def mean_by_element(
    numbers: Sequence[int] | np.ndarray, values: Sequence[float] | np.ndarray
) -> dict[str, float]:
    """Return the mean value for each element.

    Parameters
    ----------
    numbers : (N,) array
        Atomic numbers.
    """
    elements, of_atoms = np.asarray(numbers), np.asarray(values, dtype=float)
    return {chemical_symbols[z]: float(of_atoms[elements == z].mean()) for z in np.unique(elements)}


def covariance_with_electronegativity(charges: Mapping[str, float]) -> float:
    r"""Return :math:`\sum_s q_s (\chi_s - \bar\chi)`; negative for charges of the usual sign.

    Parameters
    ----------
    charges : mapping of str to float
        Mean charge of each element in e; elements without an electronegativity are ignored.
    """
    known = {symbol: ELECTRONEGATIVITY[symbol] for symbol in charges if symbol in ELECTRONEGATIVITY}
    if len(known) < 2:
        return 0.0
    average = sum(known.values()) / len(known)
    return sum(charges[symbol] * (chi - average) for symbol, chi in known.items())


def judge_sign(charges: Mapping[str, float]) -> str:
    r"""Compare mean charges of elements with electronegativities.

    .. math::
        a = \frac{\sum_{st} (\chi_t - \chi_s)(q_s - q_t)}{\sum_{st} (\chi_t - \chi_s) |q_s - q_t|}

    over pairs of elements whose electronegativities differ by `CLEAR_DIFFERENCE` and more,
    :math:`\chi_t > \chi_s`.

    Parameters
    ----------
    charges : mapping of str to float
        Mean charge of each element in e.

    Returns
    -------
    str
        "follows" for :math:`a \ge 0.5`, "opposes" for :math:`a \le -0.5`, and "undecided" between
        them, without such a pair, or if all charges are below `MEANINGFUL_CHARGE`.
    """
    known = sorted(
        (ELECTRONEGATIVITY[symbol], charge)
        for symbol, charge in charges.items()
        if symbol in ELECTRONEGATIVITY
    )
    agreeing = total = largest = 0.0
    for (chi, charge), (other_chi, other_charge) in combinations(known, 2):
        weight = other_chi - chi
        if weight >= CLEAR_DIFFERENCE:
            agreeing += weight * (charge - other_charge)
            total += weight * abs(charge - other_charge)
            largest = max(largest, abs(charge), abs(other_charge))
    if largest < MEANINGFUL_CHARGE or abs(agreeing) < _CLEAR_AGREEMENT * total:
        return UNDECIDED
    return FOLLOWS if agreeing > 0 else OPPOSES


def means_as_text(charges: Mapping[str, float]) -> str:
    """Return mean charges of elements as text, such as "H +0.31, O -0.63"."""
    return ", ".join(f"{symbol} {charge:+.2f}" for symbol, charge in charges.items())

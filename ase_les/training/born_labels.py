"""Which index of labelled Born charges is which: codes and data sets disagree, molecules tell."""

from __future__ import annotations

import numpy as np

from ase_les.reading.labels import BORN_ROWS as ROWS

# In e Å: what violates the sum rule by less may be noise of the labels.
_VIOLATION = 0.1


def by_polarization(born_charges: np.ndarray, rows: str) -> np.ndarray:
    """Born charges (N, 3, 3) in this package's order, [atom, polarization, displacement]."""
    return born_charges if rows == "polarization" else born_charges.transpose(0, 2, 1)


def check_order(
    born_charges: np.ndarray, arms: np.ndarray, dipole: np.ndarray, rows: str, what: str
) -> None:
    r"""Refuse Born charges of a molecule that turn its dipole only when transposed.

    A dipole turns with its molecule, whatever the method that both come from:

    .. math::
        \sum_i \mathbf{r}_i \times \mathbf{Z}^*_{i,\alpha}
        = \boldsymbol{\mu} \times \mathbf{e}_\alpha, \qquad
        \mathbf{Z}^*_{i,\alpha} \text{ the row of polarization } \alpha

    Parameters
    ----------
    born_charges : array of shape (N, 3, 3)
        In e, [atom, polarization, displacement] if `rows` is right.
    arms : array of shape (N, 3)
        Positions about the centre of mass in Å.
    dipole : array of shape (3,)
        In e Å, about the centre of mass.
    rows : str
        How the labels were read, one of `ROWS`.
    what : str
        Structure and label, for the message.

    Raises
    ------
    ValueError
        If the rule is violated as it is, and far less when transposed.
    """
    turned = np.cross(dipole, np.eye(3))
    violations = [
        float(np.linalg.norm(np.cross(arms[:, None], each).sum(axis=0) - turned))
        for each in (born_charges, born_charges.transpose(0, 2, 1))
    ]
    if violations[0] > _VIOLATION and violations[1] < 0.3 * violations[0]:
        (other,) = set(ROWS) - {rows}
        raise ValueError(
            f"{what}, read with `born_rows: {rows}`, do not turn the labelled dipole with the "
            f"molecule: the sum rule is violated by {violations[0]:.2f} e Å, and by "
            f"{violations[1]:.2f} e Å with the other order. Write `born_rows: {other}` under "
            f"`data: labels:`, or give `ase-les evaluate` --born-rows {other}"
        )

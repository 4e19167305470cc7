"""Index order of labeled Born charges, and a check of it against molecular dipoles."""

from __future__ import annotations

from typing import get_args

import numpy as np

from ase_les.reading.labels import BornRows

# In e Å; smaller violations of the sum rule may be noise of the labels.
_VIOLATION = 0.1


def by_polarization(born_charges: np.ndarray, rows: str) -> np.ndarray:
    """Return Born charges (N, 3, 3) in the order [atom, polarization, displacement]."""
    return born_charges if rows == "polarization" else born_charges.transpose(0, 2, 1)


def check_order(
    born_charges: np.ndarray, arms: np.ndarray, dipole: np.ndarray, rows: str, what: str
) -> None:
    r"""Check the index order of the Born charges of a molecule by a rotational sum rule.

    The dipole rotates with the molecule for any method:

    .. math::
        \sum_i \mathbf{r}_i \times \mathbf{Z}^*_{i,\alpha}
        = \boldsymbol{\mu} \times \mathbf{e}_\alpha, \qquad
        \mathbf{Z}^*_{i,\alpha} \text{ the row of polarization } \alpha

    Parameters
    ----------
    born_charges : array of shape (N, 3, 3)
        In e, [atom, polarization, displacement] if `rows` is right.
    arms : array of shape (N, 3)
        Positions relative to the center of mass in Å.
    dipole : array of shape (3,)
        In e Å, relative to the center of mass.
    rows : str
        Index order used to read the labels, one of `BornRows`.
    what : str
        Name of structure and label in the error message.
    """
    turned = np.cross(dipole, np.eye(3))
    violations = [
        float(np.linalg.norm(np.cross(arms[:, None], each).sum(axis=0) - turned))
        for each in (born_charges, born_charges.transpose(0, 2, 1))
    ]
    if violations[0] > _VIOLATION and violations[1] < 0.3 * violations[0]:
        (other,) = set(get_args(BornRows)) - {rows}
        raise ValueError(
            f"{what}, read with `born_rows: {rows}`, are inconsistent with the labeled dipole: "
            f"the rotational sum rule is violated by {violations[0]:.2f} e Å, and by "
            f"{violations[1]:.2f} e Å with the other order. Set `born_rows: {other}` under "
            f"`data: labels:`, or use --born-rows {other} with `ase-les evaluate`"
        )

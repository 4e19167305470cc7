r"""Electronic screening: the factor between latent and physical charges.

The long-range energy of a model is the energy of latent charges in vacuum,
:math:`k_e q_i q_j / r`. In matter with the electronic dielectric constant :math:`\epsilon_\infty`
it is :math:`k_e Q_i Q_j / (\epsilon_\infty r)` with physical charges :math:`Q`, so that

.. math::
    \mathbf{P} = \epsilon_\infty^{1/2}\, \mathbf{P}_\mathrm{les}, \qquad
    Z^*_i = \epsilon_\infty^{1/2}\, Z^*_{\mathrm{les},i}, \qquad
    Q_i = s\, q_i, \qquad s = \tfrac13 \operatorname{tr} \epsilon_\infty^{1/2}

With an isotropic tensor :math:`s = \sqrt{\epsilon_\infty}` and all agree component by component.
With an anisotropic one the charge of an atom, a scalar, can agree with the isotropic part only:
this :math:`s` keeps :math:`Q_i = \operatorname{tr} Z^*_i / 3` for charges that move rigidly
with their atoms.

The property ``dielectric_tensor``, stored with ``charges`` in the results of a calculator or a
trajectory frame, records the tensor that was applied: the unit tensor for finite structures.
Potentials and fields that the calculator returns are those of latent charges. What acts on physical
charges is :math:`\phi/s`, so that :math:`q_i \phi_i = Q_i \phi_i / s`; profiles, potential steps
and work functions are of this kind.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from ase import Atoms

#: Properties scaled to physical values; they are latent values if the tensor is 1.
SCALED = ("charges", "dipole", "polarization", "born_effective_charges")


def screening_factor(dielectric: Sequence | np.ndarray) -> np.ndarray:
    r"""Return the tensor :math:`\epsilon_\infty^{1/2}`, (3, 3).

    Parameters
    ----------
    dielectric : array, shape (3, 3)
        Symmetric and positive definite, relative to vacuum.
    """
    values, vectors = np.linalg.eigh(np.asarray(dielectric, dtype=float))
    return (vectors * np.sqrt(values)) @ vectors.T


def charge_scaling(dielectric: Sequence | np.ndarray) -> float:
    r"""Return physical over latent charges, :math:`\operatorname{tr} \epsilon_\infty^{1/2} / 3`.

    Parameters
    ----------
    dielectric : array, shape (3, 3)
        Symmetric and positive definite, relative to vacuum.
    """
    return float(np.sqrt(np.linalg.eigvalsh(np.asarray(dielectric, dtype=float))).mean())


def recorded_scaling(atoms: Atoms) -> float:
    """Return physical over latent charges of the results of a structure.

    1 without a ``dielectric_tensor``: charges of other calculators, and of trajectories written
    before charges were scaled, are used unchanged.

    Parameters
    ----------
    atoms : ase.Atoms
        Structure with charges among the results of its calculator.
    """
    dielectric = getattr(atoms.calc, "results", {}).get("dielectric_tensor")
    return 1.0 if dielectric is None else charge_scaling(dielectric)


def latent_charges(atoms: Atoms) -> np.ndarray:
    """Return the charges (N,) in e whose Coulomb energy in vacuum is that of the model.

    Parameters
    ----------
    atoms : ase.Atoms
        Structure with a calculator, or results, that provide charges.

    Raises
    ------
    PropertyNotImplementedError, RuntimeError
        If there are no charges, as in ASE.
    """
    charges = np.asarray(atoms.get_charges(), dtype=float)
    return charges / recorded_scaling(atoms)


def describe_charges(atoms: Atoms) -> dict[str, object] | None:
    """Return the summary entry about the scaling of charges; None without charges.

    Parameters
    ----------
    atoms : ase.Atoms
        Structure with calculated properties.
    """
    results = getattr(atoms.calc, "results", {})
    if "charges" not in results or "dielectric_tensor" not in results:
        return None
    return {
        "meaning": "physical: physical_over_latent times the latent charges of the model; "
        "potentials and fields of profiles, steps and work functions act on physical charges",
        "physical_over_latent": recorded_scaling(atoms),
        "dielectric_tensor": np.asarray(results["dielectric_tensor"]).tolist(),
    }


def isotropic(born: np.ndarray) -> np.ndarray:
    """Return a third of the traces of Born charges (N, 3, 3).

    Raises
    ------
    ValueError
        If there is no polarization along a direction, because metal is periodic along it.
    """
    extents = np.linalg.eigvalsh(np.einsum("iab,icb->ac", born, born))
    # Not for round-off in a structure without charges, such as O2.
    if np.abs(born).max(initial=0.0) > 1e-9 and extents[0] <= 1e-12 * extents[-1]:
        raise ValueError(
            "there are no isotropic Born charges where a metal is periodic: Born charges have rows "
            "only along other directions. Use get_born_effective_charges"
        )
    return np.trace(born, axis1=1, axis2=2) / 3

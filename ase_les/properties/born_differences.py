r"""Born effective charges from finite differences of moments, or of forces in a field.

.. math::
    Z^*_{i,\alpha\beta} = \frac{\partial M_\alpha}{\partial r_{i\beta}}
        \approx \frac{M_\alpha(r_{i\beta} + h) - M_\alpha(r_{i\beta} - h)}{2h}
        = \frac{\partial F_{i\beta}}{\partial \mathcal{E}_\alpha}

where :math:`\mathbf{M}` is the dipole of a finite structure or slab, or volume times polarization
of a crystal; `ase_les.properties.moment_sources` describes the sources of its changes.

Normal component of a slab
--------------------------
An ab initio calculator gives the dipole of electrons and nuclei of a slab in vacuum at zero
external field: when a layer is displaced, its internal field polarizes the electrons of the whole
slab. The derivative is the longitudinal (Callen) charge [3]_, :math:`Z^*_\perp / \epsilon_\infty`
in bulk-like layers, and so is the force in an applied field. Models with latent charges have no
explicit electrons and scale the charges afterwards: they give :math:`Z^*_\perp` at zero internal
field, which is comparable with the bulk.

References
----------
.. [1] X. Gonze and C. Lee, Phys. Rev. B 55, 10355 (1997).
.. [2] R. D. King-Smith and D. Vanderbilt, Phys. Rev. B 47, 1651 (1993).
.. [3] R. M. Martin and K. Kunc, Phys. Rev. B 24, 2081 (1981).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from ase import Atoms

from ase_les.arguments import require_positive
from ase_les.properties.moment_sources import SIGNS, MomentSource
from ase_les.properties.moments import Moments, check_components
from ase_les.runs.evaluations import evaluate_structures
from ase_les.runs.processes import SERIAL, Jobs
from ase_les.runs.progress import NO_PROGRESS, Progress
from ase_les.runs.record import Record
from ase_les.simulation.slab_geometry import unit_normal


def by_displacement(
    atoms: Atoms,
    chosen: Sequence[int],
    displacement_A: float,
    record: Record,
    moments: Moments,
    *,
    jobs: Jobs = SERIAL,
    progress: Progress = NO_PROGRESS,
) -> dict[int, np.ndarray]:
    """Compute Born charges (3, 3) in e of chosen atoms from six displacements each.

    Parameters
    ----------
    atoms : ase.Atoms
        With a calculator; not modified.
    chosen : sequence of int
        Atoms to displace.
    displacement_A : float
        Displacement h in Å. The truncation error grows with its square, the effect of noise with
        its inverse.
    moments : Moments
        Components without a source are zero.
    jobs, progress
        See `ase_les.runs.evaluations.evaluate_structures`.
    """
    pairs = moments.projected
    # Two moments of the same structures are obtained from one calculation.
    shared = all(isinstance(source, MomentSource) for source, _ in pairs)
    slopes = {index: np.zeros((3, 3)) for index in chosen}
    for number, (source, projector) in enumerate(pairs):
        # Displacements for different sources can have the same name.
        prefix = "" if shared or number == 0 else f"{source.what}, "
        structures = source.structures(atoms, chosen, displacement_A)
        named = {prefix + name: each for name, each in structures.items()}
        requested = moments.wanted if shared else [source.what]
        found = evaluate_structures(
            named, requested, atoms.calc, record, jobs=jobs, progress=progress
        )
        results = {name.removeprefix(prefix): each for name, each in found.items()}
        for index in chosen:
            slopes[index] += projector @ source.slope(atoms, index, results, displacement_A)
    by_dipole = isinstance(moments.elsewhere, MomentSource) and moments.elsewhere.what == "dipole"
    return about_fixed_origin(atoms, slopes) if by_dipole else slopes


def by_field(atoms: Atoms, field_V_per_A: float = 1e-3, components: str = "all") -> np.ndarray:
    """Compute Born charges (N, 3, 3) in e from forces in small fields, two per direction.

    Parameters
    ----------
    atoms : ase.Atoms
        With a calculator whose field can be assigned as ``field_V_per_A``, as `LESCalculator`; its
        field is restored.
    field_V_per_A : float
        Change of the field in V/Å.
    components : str
        "all" (three directions), or "normal" for a slab: the other components are zero.
    """
    check_components(atoms, components)
    calculator: Any = atoms.calc
    if not hasattr(calculator, "field_V_per_A"):
        raise ValueError(
            f"{type(calculator).__name__} has no `field_V_per_A`; use method 'displacement' with "
            "a calculator that gives polarization or dipole"
        )
    require_positive("field_V_per_A", field_V_per_A)
    directions = np.eye(3) if components == "all" else unit_normal(atoms)[None]
    before = np.array(calculator.field_V_per_A, dtype=float)
    tensors = np.zeros((len(atoms), 3, 3))
    try:
        for direction in directions:
            forces = []
            for sign in SIGNS:
                calculator.field_V_per_A = before + sign * field_V_per_A * direction
                forces.append(calculator.get_property("forces", atoms))
            slope = (forces[0] - forces[1]) / (2 * field_V_per_A)
            tensors += direction[None, :, None] * slope[:, None, :]
    finally:
        calculator.field_V_per_A = before
    return tensors


def about_fixed_origin(atoms: Atoms, slopes: Mapping[int, np.ndarray]) -> dict[int, np.ndarray]:
    r"""Return the derivatives of the dipole about a fixed origin.

    The derivative of the dipole of a charge :math:`Q` about the center of mass lacks
    :math:`Q m_i / M` for each atom. The sum over all atoms shows which origin was used: it is
    :math:`Q` for a fixed origin and zero for the center of mass.
    """
    charge = _net_charge(atoms)
    if len(slopes) < len(atoms):
        if abs(charge) > 1e-6:
            raise ValueError(
                f"the dipole of a molecule of charge {charge:+.3g} e may refer to an origin that "
                "moves with its atoms, which only displacements of all atoms reveal; displace all "
                "atoms (omit `chosen`), or use Born charges (method 'analytic')"
            )
        return dict(slopes)
    total = np.trace(np.sum(list(slopes.values()), axis=0)) / 3
    if abs(total - charge) < abs(total):
        return dict(slopes)
    shares = charge * atoms.get_masses() / atoms.get_masses().sum()
    return {i: slope + shares[i] * np.eye(3) for i, slope in slopes.items()}


def _net_charge(atoms: Atoms) -> float:
    """Return the sum of the calculator's charges in e, or the total charge if there are none."""
    if "charges" in atoms.calc.implemented_properties:
        return float(np.sum(atoms.calc.get_property("charges", atoms)))
    return float(atoms.info.get("charge", 0))

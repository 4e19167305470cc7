"""Work of adhesion of an interface, and the change of the potential upon its formation."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from ase import Atoms

from ase_les.properties.atomic_charges import optional_charges
from ase_les.properties.slab_electrostatics import POTENTIAL_NOTE, potential_step_V
from ase_les.properties.surface_energy import J_PER_M2
from ase_les.runs.provenance import describe_calculator, describe_structure
from ase_les.simulation.checks import check_structure
from ase_les.simulation.slab_geometry import area_A2, unit_normal


@dataclass(frozen=True)
class Adhesion:
    r"""Work of separation of two solids, :math:`W = (E_1 + E_2 - E_{12}) / nA`.

    Attributes
    ----------
    eV_per_A2 : float
        Positive if the two parts attract each other.
    interfaces : int
        n: 2 in a cell that is periodic along the normal, otherwise 1.
    area_A2 : float
    charge_gained_by_first_e, charge_gained_by_second_e : float
        nan without charges.
    potential_step_change_V : float
        Potential far beyond the second part minus that far beyond the first, relative to the sum
        of this difference for the separate parts; nan without charges, or if the normal is
        periodic.
    """

    eV_per_A2: float
    interfaces: int
    area_A2: float
    charge_gained_by_first_e: float
    charge_gained_by_second_e: float
    potential_step_change_V: float
    structure: Mapping[str, object]
    calculator: Mapping[str, object]

    @property
    def J_per_m2(self) -> float:
        """Work of adhesion in J/m²."""
        return self.eV_per_A2 * J_PER_M2

    def summary(self) -> dict[str, object]:
        """Return the result as plain containers for YAML and JSON."""
        return {
            "task": "work of adhesion",
            "input": {"interface": self.structure, "calculator": self.calculator},
            "notes": [POTENTIAL_NOTE],
            "results": {
                "work_of_adhesion_J_per_m2": self.J_per_m2,
                "work_of_adhesion_eV_per_A2": self.eV_per_A2,
                "interfaces": self.interfaces,
                "area_A2": self.area_A2,
                "charge_gained_by_first_e": self.charge_gained_by_first_e,
                "charge_gained_by_second_e": self.charge_gained_by_second_e,
                "potential_step_change_V": self.potential_step_change_V,
            },
        }


def work_of_adhesion(interface: Atoms, first: Sequence[int]) -> Adhesion:
    """Compute the work of separation of an interface at fixed geometry.

    For relaxed parts, relax them first and use their energies in the equation of `Adhesion`.

    Parameters
    ----------
    interface : Atoms
        With a calculator and two periodic directions (one interface) or three (two interfaces);
        the layers are parallel to the first two cell vectors.
    first : sequence of int
        Indices of the atoms of one part.

    Raises
    ------
    ValueError
        If one of the parts is empty, or the first two directions are not periodic.
    """
    check_structure(interface)
    if not interface.pbc[:2].all():
        raise ValueError(
            "the interface must be parallel to the first two cell vectors, which must be periodic; "
            f"pbc is {interface.pbc.tolist()}"
        )
    inside = np.zeros(len(interface), dtype=bool)
    inside[np.asarray(first)] = True
    if inside.all() or not inside.any():
        raise ValueError(
            f"`first` must contain some of the {len(interface)} atoms, not none or all, got "
            f"{inside.sum()}"
        )
    masks = (inside, ~inside)
    parts = [interface[mask] for mask in masks]
    for part in parts:
        part.calc = interface.calc
    charges = optional_charges(interface)
    energy = interface.get_potential_energy()
    step = potential_step_V(interface)
    separate = [
        (part.get_potential_energy(), optional_charges(part), potential_step_V(part))
        for part in parts
    ]
    charge_gains = [math.nan, math.nan]
    if charges is not None:
        charge_gains = [
            float(charges[mask].sum() - (0.0 if q is None else q.sum()))
            for mask, (_, q, _) in zip(masks, separate, strict=True)
        ]
    area = area_A2(interface, "c")
    heights = [part.positions @ unit_normal(interface, "c") for part in parts]
    outward = 1.0 if heights[1].mean() > heights[0].mean() else -1.0
    interfaces = 2 if interface.pbc[2] else 1
    return Adhesion(
        eV_per_A2=(sum(e for e, _, _ in separate) - energy) / (interfaces * area),
        interfaces=interfaces,
        area_A2=area,
        charge_gained_by_first_e=charge_gains[0],
        charge_gained_by_second_e=charge_gains[1],
        potential_step_change_V=outward * (step - sum(s for _, _, s in separate)),
        structure=describe_structure(interface),
        calculator=describe_calculator(interface.calc),
    )

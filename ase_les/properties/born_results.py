"""Results of a Born charge calculation."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ase_les.properties.born_layers import BornLayers
from ase_les.runs.provenance import plain

# Violation of the sum rule per atom, in e, that is attributed to rounding (float32 included).
_SUM_RULE_TOLERANCE = 1e-3


@dataclass(frozen=True)
class ElementCharges:
    """Born charges of the atoms of one element.

    Parameters
    ----------
    atoms : int
        Number of atoms.
    eigenvalues_e : tuple of float
        Eigenvalues of the symmetric parts in ascending order, averaged over the atoms.
    isotropic_e : float
        Mean of one third of the traces.
    spread_e : float
        Standard deviation of one third of the traces.
    """

    atoms: int
    eigenvalues_e: tuple[float, float, float]
    isotropic_e: float
    spread_e: float


@dataclass(frozen=True)
class BornCharges:
    """Born effective charges of a structure.

    Parameters
    ----------
    tensors : array, shape (N, 3, 3)
        Charges in e, [atom, polarization, displacement]; nan for atoms that were not chosen. With
        `components` "normal", the other components are zero.
    sum_over_atoms_e : array, shape (3, 3), or None
        Sum over all atoms before the sum rule is imposed: zero, or the total charge, if charge is
        conserved locally (see `ase_les.response`). None if not all atoms were chosen.
    symbols : tuple of str
    numbers : array, shape (N,)
        Atomic numbers.
    dielectric : array, shape (3, 3)
        Electronic dielectric tensor that belongs to the charges: they contain its square root.
    method : str
        "analytic", "displacement" or "field".
    symmetrized, sum_rule : bool
        Whether symmetry and the sum rule were imposed.
    displacement_A : float or None
        Displacement of the finite differences.
    displaced_atoms : tuple of int
        Atoms that were displaced; the charges of the others follow by symmetry.
    calculator, structure : dict
        Provenance.
    atoms : tuple of int or None
        Chosen atoms; None for all.
    components : str
        "all", or "normal" for the normal component of a slab.
    moments : dict
        Sources of the finite differences of moments.
    layers : BornLayers or None
        Charges by layer, for slabs and if a layer axis was given.
    notes : tuple of str
        Remarks on the results.
    """

    tensors: np.ndarray
    sum_over_atoms_e: np.ndarray | None
    symbols: tuple[str, ...]
    numbers: np.ndarray
    dielectric: np.ndarray
    method: str
    symmetrized: bool
    sum_rule: bool
    displacement_A: float | None
    displaced_atoms: tuple[int, ...]
    calculator: dict[str, object]
    structure: dict[str, object]
    atoms: tuple[int, ...] | None = None
    components: str = "all"
    moments: dict[str, object] = field(default_factory=dict)
    layers: BornLayers | None = None
    notes: tuple[str, ...] = ()

    @property
    def _chosen(self) -> np.ndarray:
        mask = np.ones(len(self.symbols), dtype=bool)
        if self.atoms is not None:
            mask[:] = False
            mask[list(self.atoms)] = True
        return mask

    @property
    def elements(self) -> dict[str, ElementCharges]:
        """Mean and spread over the atoms of each element; empty for the normal component alone."""
        if self.components != "all":
            return {}
        chosen = np.array(self.symbols)[self._chosen]
        return {symbol: self._element(symbol) for symbol in dict.fromkeys(chosen.tolist())}

    def _element(self, symbol: str) -> ElementCharges:
        tensors = self.tensors[(np.array(self.symbols) == symbol) & self._chosen]
        symmetric = 0.5 * (tensors + tensors.transpose(0, 2, 1))
        isotropic = np.trace(tensors, axis1=1, axis2=2) / 3
        low, middle, high = np.linalg.eigvalsh(symmetric).mean(axis=0).tolist()
        return ElementCharges(
            atoms=len(tensors),
            eigenvalues_e=(low, middle, high),
            isotropic_e=float(isotropic.mean()),
            spread_e=float(isotropic.std()),
        )

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the arrays by name."""
        layers = {} if self.layers is None else self.layers.arrays()
        return {
            "born_effective_charges_e": self.tensors,
            "numbers": self.numbers,
            "dielectric": self.dielectric,
            **layers,
        }

    def summary(self) -> dict[str, object]:
        """Return the result as plain containers for YAML and JSON."""
        return {
            "structure": self.structure,
            "calculator": self.calculator,
            "method": self.method,
            "displacement_A": self.displacement_A,
            "displaced_atoms": list(self.displaced_atoms),
            "atoms": "all" if self.atoms is None else list(self.atoms),
            "components": self.components,
            **self.moments,
            "symmetrized": self.symmetrized,
            "sum_rule_imposed": self.sum_rule,
            "sum_over_atoms_before_e": plain(self.sum_over_atoms_e),
            "dielectric": self.dielectric.tolist(),
            "notes": list(self.notes),
            "elements": plain(self.elements),
            **({} if self.layers is None else {"layers": self.layers.summary()}),
            "born_effective_charges_e": self.tensors.tolist(),
        }


def notes_on(result: BornCharges, shifts_charge: bool, total_charge: float) -> tuple[str, ...]:
    """Return remarks on the conservation of charge.

    Parameters
    ----------
    shifts_charge : bool
        Whether the structure is a slab and its charges are not conserved locally.
    total_charge : float
        In e.
    """
    notes = []
    if result.sum_over_atoms_e is not None and result.components == "all" and not result.sum_rule:
        excess = np.abs(result.sum_over_atoms_e - total_charge * np.eye(3)).max()
        if excess > _SUM_RULE_TOLERANCE * len(result.symbols):
            notes.append(
                f"the sum over all atoms deviates by {excess:.3g} e: charge is not conserved "
                "locally when an atom moves. For a model whose excess charge is distributed "
                "evenly, this is the charge created by a strain. sum_rule=True (--sum-rule) "
                "subtracts the excess from all atoms"
            )
    if shifts_charge:
        notes.append(
            "the charges of this model are not conserved locally: Z*⊥ contains the charge created "
            "by a displaced atom times its height above the middle of the slab. This vanishes in "
            "bulk-like layers and grows with the thickness at surfaces; models with neutrality "
            "'split' are not affected"
        )
    return tuple(notes)

"""Optional features of calculators that dynamics and relaxation use beyond ASE's interface.

========================================  ========================================================
Attribute or method                       Use
========================================  ========================================================
``reset()``                               discards everything that depends on earlier structures;
                                          called at checkpoints, needed for exact restarts
``model_hash``                            identifies the model when a run is resumed
``field_V_per_A``                         external field that a run may set
``model.card``                            limits of the training data, see :mod:`alarms`
``model.config.cutoff``                   cutoff in Å, compared with the size of the cell
``get_current(atoms)``                    current in e Å/fs, cheaper than Born charges
``electrodes``                            electrodes at a potential, or None
``get_electrode_state(atoms)``            charge and potential of electrodes
``polarization_follows_positions``        True: the polarization has no jumps by quanta
========================================  ========================================================

Every feature may be missing; :class:`ase_les.LESCalculator` has all of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from ase import Atoms


def reset(calculator: Any) -> None:
    """Reset the calculator if it supports it."""
    if hasattr(calculator, "reset"):
        calculator.reset()


def fresh_forces(atoms: Atoms, calculator: Any) -> np.ndarray:
    """Return forces of a calculator just reset, without constraints, shape (N, 3), in eV/Å."""
    reset(calculator)
    return calculator.get_forces(atoms)


def supports(calculator: Any, name: str) -> bool:
    """Return whether the calculator has an ASE property."""
    return name in supported_properties(calculator)


def supported_properties(calculator: Any) -> Sequence[str]:
    """Return the names of the ASE properties of the calculator."""
    return getattr(calculator, "implemented_properties", ())


def model_hash(calculator: Any) -> str | None:
    """Return the hash of the calculator's model, if it has one."""
    return getattr(calculator, "model_hash", None)


def model_card(calculator: Any) -> Mapping[str, Any]:
    """Return the card of the calculator's model, empty if there is none."""
    return getattr(getattr(calculator, "model", None), "card", None) or {}


def model_cutoff(calculator: Any) -> float | None:
    """Return the cutoff of the calculator's model in Å, if it has one."""
    return getattr(getattr(getattr(calculator, "model", None), "config", None), "cutoff", None)


def has_field(calculator: Any) -> bool:
    """Return whether the calculator supports an external field."""
    return hasattr(calculator, "field_V_per_A")


def get_field(calculator: Any) -> Sequence[float] | None:
    """Return the external field in V/Å, if the calculator supports one."""
    return getattr(calculator, "field_V_per_A", None)


def set_field(calculator: Any, field_V_per_A: Sequence[float]) -> None:
    """Set the external field in V/Å."""
    calculator.field_V_per_A = field_V_per_A

"""Electrodes as a setting of the calculator."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ase_les.response import Electrodes

#: Largest plausible difference of potential in V; water decomposes at 1.2.
LARGEST_POTENTIAL_V = 20.0
#: Quantities that are held constant.
HELD = ("potential_V", "charge_e")
_NAMES = ("left", "right", *HELD)


@dataclass(frozen=True)
class ElectrodeSettings:
    """Two groups of metal atoms with a difference of potential, or with a charge.

    Parameters
    ----------
    left, right : tuple of int
        Indices of the atoms.
    potential_V : float or None
        Potential of the left electrode relative to the right one, in V.
    charge_e : float or None
        Charge of the left electrode in e; the right one has the opposite charge.

    Raises
    ------
    ValueError
        If a group is empty, an atom is in both, or not exactly one of potential and charge is
        given.
    """

    left: tuple[int, ...]
    right: tuple[int, ...]
    potential_V: float | None = None
    charge_e: float | None = None

    def __post_init__(self) -> None:
        for name in ("left", "right"):
            object.__setattr__(self, name, _indices(name, getattr(self, name)))
        both = sorted(set(self.left) & set(self.right))
        if both:
            raise ValueError(f"`electrodes`: atom {both[0]} is in both electrodes")
        if (self.potential_V is None) == (self.charge_e is None):
            raise ValueError(
                "`electrodes` need either `potential_V`, of the left electrode relative to the "
                f"right one, or `charge_e` of the left one; got potential_V={self.potential_V!r}, "
                f"charge_e={self.charge_e!r}"
            )
        for name in HELD:
            value = getattr(self, name)
            if value is None:
                continue
            is_number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
            if not is_number or not math.isfinite(value):
                raise ValueError(f"`electrodes`: `{name}` must be a finite number, got {value!r}")
            object.__setattr__(self, name, float(value))
        if self.potential_V is not None and abs(self.potential_V) > LARGEST_POTENTIAL_V:
            raise ValueError(
                f"`electrodes`: `potential_V` must be at most {LARGEST_POTENTIAL_V:g} V, got "
                f"{self.potential_V:g}"
            )

    @property
    def groups(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Indices of the left and of the right electrode."""
        return self.left, self.right

    def as_dict(self) -> dict[str, Any]:
        """Return the settings in plain containers, without those that are None."""
        found: dict[str, Any] = {"left": list(self.left), "right": list(self.right)}
        for name in HELD:
            if getattr(self, name) is not None:
                found[name] = getattr(self, name)
        return found

    def latent(self, scaling: float, device: torch.device) -> Electrodes:
        """Return the electrodes in latent units.

        Parameters
        ----------
        scaling : float
            Physical over latent charge; potentials have the inverse ratio.
        device : torch.device
        """
        return Electrodes(
            torch.tensor(self.left, device=device),
            torch.tensor(self.right, device=device),
            None if self.potential_V is None else self.potential_V * scaling,
            None if self.charge_e is None else self.charge_e / scaling,
        )


def electrode_settings(
    given: ElectrodeSettings | Mapping[str, Any] | None,
) -> ElectrodeSettings | None:
    """Return electrodes from a mapping.

    Raises
    ------
    ValueError
        If an entry is missing, unknown or invalid.
    """
    if given is None or isinstance(given, ElectrodeSettings):
        return given
    check_entries(given)
    return ElectrodeSettings(**given)


def check_entries(given: object) -> None:
    """Raise ValueError if a mapping for electrodes has unknown entries or lacks their atoms."""
    if not isinstance(given, Mapping) or not set(given) <= set(_NAMES):
        raise ValueError(f"`electrodes` have the entries {', '.join(_NAMES)}, got {given!r}")
    missing = [name for name in ("left", "right") if name not in given]
    if missing:
        raise ValueError(f"`electrodes` need `{missing[0]}`, the indices of its atoms")


def _indices(name: str, given: Sequence[int] | np.ndarray | str) -> tuple[int, ...]:
    """Return sorted indices of atoms."""
    if isinstance(given, str):
        raise ValueError(
            f"`electrodes`: `{name}` must be indices of atoms, got {given!r}. Select them with "
            "ase_les.properties.electrodes.select_electrodes(atoms, left=..., right=...)"
        )
    array = np.asarray(given)
    if array.ndim != 1 or len(array) == 0 or array.dtype.kind not in "iu" or array.min() < 0:
        raise ValueError(
            f"`electrodes`: `{name}` must be indices of atoms, at least one and not negative, got "
            f"{given!r}"
        )
    found = tuple(sorted({int(index) for index in array}))
    if len(found) < len(array):
        raise ValueError(f"`electrodes`: `{name}` contains an atom twice")
    return found

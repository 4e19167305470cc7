r"""Born charges of slabs and interfaces by layer, normal to the surface and in the plane.

.. math::
    Z^*_\perp = \mathbf{n} \cdot Z^* \mathbf{n}, \qquad
    Z^*_\parallel = \tfrac12 (\operatorname{tr} Z^* - Z^*_\perp)

where :math:`\mathbf{n}` is the unit normal. In a cubic bulk both equal the isotropic charge.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from ase import Atoms

from ase_les.runs.provenance import plain
from ase_les.simulation.slab_geometry import LAYER_GAP_A, heights_A, layer_numbers, unit_normal


@dataclass(frozen=True)
class ElementInLayer:
    r"""Mean Born charges of the atoms of one element in one layer.

    Parameters
    ----------
    layer : int
        Counted from the bottom, starting from 0.
    height_A : float
        Mean height along the normal of the atoms with known charges.
    atoms : int
        Number of atoms with known charges.
    in_plane_e, normal_e : float
        :math:`Z^*_\parallel` (nan if only the normal component is known) and
        :math:`Z^*_\perp`.
    in_plane_spread_e, normal_spread_e : float
        Standard deviations over the atoms.
    """

    layer: int
    height_A: float
    symbol: str
    atoms: int
    in_plane_e: float
    normal_e: float
    in_plane_spread_e: float
    normal_spread_e: float


@dataclass(frozen=True)
class BornLayers:
    r"""In-plane and normal Born charges.

    Parameters
    ----------
    height_A : array, shape (N,)
        Heights of the atoms along the normal.
    layer : array, shape (N,)
        Layer of each atom; 0 is the lowest.
    in_plane_e, normal_e : array, shape (N,)
        :math:`Z^*_\parallel` and :math:`Z^*_\perp` of each atom, nan where unknown.
    symbols : tuple of str
    normal : array, shape (3,)
        Unit normal.
    bulk_e : mapping of str to float
        Isotropic charges of elements in the bulk, if given.
    """

    height_A: np.ndarray
    layer: np.ndarray
    in_plane_e: np.ndarray
    normal_e: np.ndarray
    symbols: tuple[str, ...]
    normal: np.ndarray
    bulk_e: Mapping[str, float]

    @property
    def rows(self) -> list[ElementInLayer]:
        """Each element of each layer, from the top down."""
        found = []
        symbols, known = np.array(self.symbols), np.isfinite(self.normal_e)
        for layer in range(int(self.layer.max()), -1, -1):
            in_layer = known & (self.layer == layer)
            for symbol in dict.fromkeys(symbols[in_layer].tolist()):
                chosen = in_layer & (symbols == symbol)
                found.append(
                    ElementInLayer(
                        layer=layer,
                        height_A=float(self.height_A[chosen].mean()),
                        symbol=symbol,
                        atoms=int(chosen.sum()),
                        in_plane_e=float(self.in_plane_e[chosen].mean()),
                        normal_e=float(self.normal_e[chosen].mean()),
                        in_plane_spread_e=float(self.in_plane_e[chosen].std()),
                        normal_spread_e=float(self.normal_e[chosen].std()),
                    )
                )
        return found

    def summary(self) -> dict[str, object]:
        """Return the result as plain containers for YAML and JSON."""
        return {
            "normal": self.normal.tolist(),
            "bulk_e": dict(self.bulk_e),
            "rows": plain(self.rows),
        }

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the arrays by name."""
        return {
            "height_A": self.height_A,
            "layer": self.layer,
            "in_plane_e": self.in_plane_e,
            "normal_e": self.normal_e,
            "normal": self.normal,
        }


def born_layers(
    atoms: Atoms,
    tensors: np.ndarray,
    *,
    axis: str | None = None,
    gap_A: float = LAYER_GAP_A,
    bulk: Mapping[str, float] | None = None,
    components: str = "all",
) -> BornLayers:
    """Return Born charges by layer.

    Parameters
    ----------
    atoms : ase.Atoms
        With two or three periodic directions.
    tensors : array, shape (N, 3, 3)
        Born charges in e; nan where unknown.
    axis, gap_A
        See `ase_les.simulation.slab_geometry`.
    bulk : mapping of str to float, or None
        Isotropic charges of elements in the bulk, in e.
    components : str
        "normal" if the tensors contain only the normal component.
    """
    normal = unit_normal(atoms, axis)
    heights = heights_A(atoms, axis)
    across = np.einsum("a,iab,b->i", normal, tensors, normal)
    in_plane = 0.5 * (np.trace(tensors, axis1=1, axis2=2) - across)
    return BornLayers(
        height_A=heights,
        layer=layer_numbers(heights, gap_A),
        in_plane_e=in_plane if components == "all" else np.full(len(atoms), np.nan),
        normal_e=across,
        symbols=tuple(atoms.symbols),
        normal=normal,
        bulk_e=dict(bulk or {}),
    )

r"""Born charges of slabs and interfaces by layer, across the surface and along it.

.. math::
    Z^*_\perp = \mathbf{n} \cdot Z^* \mathbf{n}, \qquad
    Z^*_\parallel = \tfrac12 (\operatorname{tr} Z^* - Z^*_\perp)

with :math:`\mathbf{n}` the unit normal. In a cubic bulk both are the isotropic charge.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase import Atoms
from rich.table import Table

from ase_les.properties.layers import LAYER_GAP_A, heights_A, layer_numbers, unit_normal
from ase_les.runs.provenance import plain


@dataclass(frozen=True)
class ElementInLayer:
    """Born charges of the atoms of one element in one layer, as means over them.

    Parameters
    ----------
    layer : int
        Counted from the bottom, 0.
    height_A : float
        Mean height along the normal of its atoms that have charges.
    symbol : str
    atoms : int
        How many of them have charges.
    in_plane_e, normal_e : float
        :math:`Z^*_\\parallel` (nan if only the normal component was asked for) and
        :math:`Z^*_\\perp`.
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
    """Born charges along and across a surface.

    Parameters
    ----------
    height_A : array, shape (N,)
        Of every atom along the normal.
    layer : array, shape (N,)
        Of every atom, 0 is the lowest.
    in_plane_e, normal_e : array, shape (N,)
        :math:`Z^*_\\parallel` and :math:`Z^*_\\perp` of every atom, nan where there is none.
    symbols : tuple of str
    normal : array, shape (3,)
        Unit vector.
    bulk_e : mapping of str to float
        Isotropic charges of elements in the bulk, those that are known.
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
        """Every element of every layer, from the top down."""
        found = []
        symbols, known = np.array(self.symbols), np.isfinite(self.normal_e)
        for layer in range(int(self.layer.max()), -1, -1):
            here = known & (self.layer == layer)
            for symbol in dict.fromkeys(symbols[here].tolist()):
                chosen = here & (symbols == symbol)
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
        """Plain containers for YAML and JSON."""
        return {
            "normal": self.normal.tolist(),
            "bulk_e": dict(self.bulk_e),
            "rows": plain(self.rows),
        }

    def arrays(self) -> dict[str, np.ndarray]:
        """Arrays to save, by name."""
        return {
            "height_A": self.height_A,
            "layer": self.layer,
            "in_plane_e": self.in_plane_e,
            "normal_e": self.normal_e,
            "normal": self.normal,
        }

    def table(self) -> Table:
        """A row for every element of every layer, from the top down."""
        heads = ["layer", "height / Å", "element", "atoms", "Z*∥ / e", "Z*⊥ / e"]
        if self.bulk_e:
            heads.append("bulk / e")
        table = Table(title="Born charges by layer", title_justify="left")
        for head in heads:
            table.add_column(head, justify="left" if head == "element" else "right")
        for row in self.rows:
            cells = [str(row.layer), f"{row.height_A:.2f}", row.symbol, str(row.atoms)]
            cells.append(_cell(row.in_plane_e, row.in_plane_spread_e, row.atoms))
            cells.append(_cell(row.normal_e, row.normal_spread_e, row.atoms))
            if self.bulk_e:
                bulk = self.bulk_e.get(row.symbol)
                cells.append("" if bulk is None else f"{bulk:+.4f}")
            table.add_row(*cells)
        return table

    def save_figure(self, path: Path) -> None:
        """Draw both components of every atom against its height, bulk values as lines."""
        from matplotlib.figure import Figure

        figure = Figure(figsize=(7.2, 5.4), layout="constrained")
        panels = figure.subplots(2, 1, sharex=True)
        symbols = np.array(self.symbols)
        known = np.isfinite(self.normal_e)
        values = {"Z*∥ / e": self.in_plane_e, "Z*⊥ / e": self.normal_e}
        for axis, (label, component) in zip(panels, values.items(), strict=True):
            for number, symbol in enumerate(dict.fromkeys(symbols[known].tolist())):
                chosen = known & (symbols == symbol) & np.isfinite(component)
                if not chosen.any():
                    continue
                color = f"C{number}"
                axis.plot(
                    self.height_A[chosen], component[chosen], "o", ms=4, color=color, label=symbol
                )
                if symbol in self.bulk_e:
                    axis.axhline(self.bulk_e[symbol], color=color, linewidth=0.9, alpha=0.7)
            axis.set_ylabel(label)
        panels[-1].set_xlabel("height along the normal / Å")
        if self.bulk_e:
            panels[0].set_title("lines: isotropic charges of the bulk", fontsize="small")
        if known.any():
            figure.legend(*panels[1].get_legend_handles_labels(), loc="outside right upper")
        figure.savefig(path, dpi=150)


def born_layers(
    atoms: Atoms,
    tensors: np.ndarray,
    *,
    axis: str | None = None,
    gap_A: float = LAYER_GAP_A,
    bulk: Mapping[str, float] | None = None,
    components: str = "all",
) -> BornLayers:
    """Born charges by layer.

    Parameters
    ----------
    atoms : ase.Atoms
        With two or three periodic directions.
    tensors : array, shape (N, 3, 3)
        In e; nan for atoms without.
    axis, gap_A
        See `ase_les.properties.layers`.
    bulk : mapping of str to float, or None
        Isotropic charges of elements in the bulk, in e.
    components : str
        "normal" says that the tensors have nothing else.
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


def _cell(mean: float, spread: float, count: int) -> str:
    if not np.isfinite(mean):
        return ""
    return f"{mean:+.4f}" + (f" ± {spread:.4f}" if count > 1 else "")

"""Table of charges by element."""

from __future__ import annotations

from rich.table import Table

from ase_les.charges.electronegativity import ELECTRONEGATIVITY
from ase_les.properties.charges_by_element import ChargesByElement


def table(result: ChargesByElement) -> Table:
    """Return a table with one row per element."""
    found = Table(
        title=f"Charges / e, {result.physical_over_latent:.4g} times the latent charges",
        title_justify="left",
    )
    found.add_column("element")
    for column in ("atoms", "χ (Pauling)", "charge q", "std of q", "GAPT tr Z*/3"):
        found.add_column(column, justify="right")
    for symbol, mean in result.mean.items():
        chi = ELECTRONEGATIVITY.get(symbol)
        found.add_row(
            symbol,
            str(result.count[symbol]),
            "–" if chi is None else f"{chi:.2f}",
            f"{mean:+.3f}",
            f"{result.std[symbol]:.3f}",
            "–" if result.gapt is None else f"{result.gapt[symbol]:+.3f}",
        )
    return found

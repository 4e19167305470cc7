"""Born effective charges of water, silica or an oxide, by edge vectors and as published.

    python workflows/03_born_charges.py --model water-rpbe-d3 --structures water.extxyz \\
        --dielectric 1.78

The published formula takes (L/2π) sin(2π Δr/L) for the distance Δr that a change of charge moves,
which is too short in any cell of finite size; edge vectors are exact. The structures carry
reference tensors as ``REF_born_effective_charges`` (nine per atom, rows are polarizations), as
those of Zhong, Kim, King, Cheng, arXiv 2504.05169. Latent charges are multiplied by √ε∞.

Writes ``<output>/born-charges-summary.yml`` and two parity figures, and a table of the deviation
of the published formula against the size of the cell: the first structure repeated.
"""

import argparse
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.io import read
from rich.console import Console
from rich.table import Table

from ase_les import LESCalculator
from ase_les.properties.born_charges import acoustic_sum_rule
from ase_les.reports.figures import Parity, save_parity_figure
from ase_les.runs.output import write_summary

METHODS = {"edges": "edge vectors (exact)", "phase": "published formula"}


def agreement(model: np.ndarray, reference: np.ndarray) -> dict[str, float]:
    """R² of a line, its slope, and the RMSE, of tensor components."""
    x, y = reference.ravel(), model.ravel()
    return {
        "R2": float(np.corrcoef(x, y)[0, 1] ** 2),
        "slope": float(np.polyfit(x, y, 1)[0]),
        "rmse_e": float(np.sqrt(np.mean((y - x) ** 2))),
    }


def mean_diagonal(tensors: np.ndarray, chosen: np.ndarray) -> float:
    return float(np.trace(tensors[chosen], axis1=1, axis2=2).mean() / 3)


def deviation_by_cell(atoms: Atoms, calculator: LESCalculator, largest: int) -> list[dict]:
    """Published formula against edge vectors in repeated cells; the exact tensors never change."""
    rows = []
    for repeats in range(1, largest + 1):
        cell = atoms * (repeats, 1, 1)
        exact, phase = (calculator.get_born_effective_charges(cell, m) for m in METHODS)
        oxygen = cell.numbers == 8
        # Along the repeated direction only: the others keep the length of the cell.
        along = [tensors[oxygen][:, 0, 0].mean() for tensors in (exact, phase)]
        rows.append(
            {
                "length_A": float(cell.cell.lengths()[0]),
                "exact_O_xx_e": float(along[0]),
                "published_O_xx_e": float(along[1]),
                "published_too_small_percent": float(100 * (1 - along[1] / along[0])),
            }
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True, help="model name, file or published checkpoint")
    parser.add_argument("--structures", type=Path, required=True)
    parser.add_argument("--frames", type=int, default=None, help="as many as there are")
    parser.add_argument("--dielectric", type=float, default=1.78)
    parser.add_argument("--repeats", type=int, default=4, help="largest repeated cell")
    parser.add_argument("--output", type=Path, default=Path("born_charges"))
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)

    frames = read(arguments.structures, index=":")[: arguments.frames]
    calculator = LESCalculator(arguments.model, dtype="float64", dielectric=arguments.dielectric)
    reference = np.concatenate(
        [a.arrays["REF_born_effective_charges"].reshape(-1, 3, 3) for a in frames]
    )
    symbols = np.concatenate([atoms.get_chemical_symbols() for atoms in frames])
    elements = list(dict.fromkeys(map(str, symbols)))
    found, results = {}, {}
    for method, label in METHODS.items():
        tensors = [calculator.get_born_effective_charges(atoms, method) for atoms in frames]
        found[method] = np.concatenate(tensors)
        corrected = np.concatenate([acoustic_sum_rule(part) for part in tensors])
        results[label] = {
            **agreement(found[method], reference),
            "mean_by_element_e": {e: mean_diagonal(found[method], symbols == e) for e in elements},
            "largest_sum_over_atoms_e": float(max(np.abs(t.sum(0)).max() for t in tensors)),
            "with_sum_rule": agreement(corrected, reference),
        }
    by_cell = deviation_by_cell(frames[0], calculator, arguments.repeats)

    table = Table(title=f"Born charges of {len(frames)} frames, ε∞ = {arguments.dielectric}")
    of_elements = [f"{element} / e" for element in elements]
    for column in ("formula", "R²", "slope", "RMSE / e", *of_elements, "max |ΣZ*| / e"):
        table.add_column(column)
    for label, row in results.items():
        values = [row[k] for k in ("R2", "slope", "rmse_e")]
        values += row["mean_by_element_e"].values()
        table.add_row(
            label, *(f"{v:.4f}" for v in values), f"{row['largest_sum_over_atoms_e']:.2e}"
        )
    means = [mean_diagonal(reference, symbols == element) for element in elements]
    table.add_row("reference", "", "", "", *(f"{v:.4f}" for v in means), "")
    sizes = Table(title="Published formula against the length of the cell, Z*xx of O")
    for column in ("length / Å", "exact / e", "published / e", "too small by / %"):
        sizes.add_column(column)
    for row in by_cell:
        sizes.add_row(*(f"{value:.4f}" for value in row.values()))
    console = Console()
    console.print(table)
    console.print(sizes)
    write_summary(
        arguments.output / "born-charges-summary.yml",
        {
            "model": arguments.model,
            "model_hash": calculator.model_hash,
            "dielectric": arguments.dielectric,
            "frames": len(frames),
            "agreement": results,
            "published_formula_by_cell": by_cell,
        },
    )
    diagonal = np.eye(3, dtype=bool)
    for method, label in METHODS.items():
        save_parity_figure(
            arguments.output / f"born-charges-{method}.png",
            f"Born charges, {label}",
            [
                Parity(f"{name} / e", reference[:, part].ravel(), found[method][:, part].ravel())
                for name, part in (("diagonal", diagonal), ("off-diagonal", ~diagonal))
            ],
        )


if __name__ == "__main__":
    main()

"""Dipoles and infrared lines of dipeptides, from the charges of a model.

    python workflows/10_dipeptide_dipoles.py                          the shipped model
    python workflows/10_dipeptide_dipoles.py --model checkpoint.pth
    python workflows/10_dipeptide_dipoles.py --model M --structures valid.extxyz

``dipeptides.extxyz`` beside this script holds four polar dipeptides with dipoles by density
functional theory (SPICE, Eastman et al., Sci. Data 10, 11 (2023); ωB97M-D3(BJ)/def2-TZVPPD), in e
Å as ``REF_dipole``; any file of that kind will do. The dipole of the model is that of its charges
as they are, molecules stand in vacuum. The smallest molecule is then relaxed and its harmonic
infrared spectrum taken from the model's own Born charges.
"""

import argparse
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.io import read
from rich.console import Console
from rich.table import Table

from ase_les import LESCalculator
from ase_les.properties.infrared_harmonic import harmonic_infrared
from ase_les.reports import infrared
from ase_les.reports import relaxation as report
from ase_les.reports.figures import Panel, Parity, save_figure, save_parity_figure
from ase_les.runs.output import write_summary
from ase_les.simulation import relax

STRONGEST = 8


def infrared_of(
    atoms: Atoms, calculator: LESCalculator, arguments: argparse.Namespace, console: Console
) -> dict[str, object]:
    """Relax, find the modes, print the strongest lines and draw the spectrum."""
    smallest = atoms.copy()
    smallest.calc = calculator
    relaxed = relax(
        smallest,
        fmax=arguments.fmax,
        steps=arguments.steps,
        output=arguments.output / "relaxed",
        overwrite=arguments.overwrite,
    )
    report.write(relaxed)
    if not relaxed.converged:
        console.print(f"NOT CONVERGED after {relaxed.steps} steps: modes may be imaginary.")
    final = relaxed.atoms
    final.calc = calculator
    modes = harmonic_infrared(
        final, output=arguments.output / "infrared", overwrite=arguments.overwrite
    )
    infrared.write(modes, arguments.output / "infrared")
    strongest = np.sort(np.argsort(-modes.intensities_km_per_mol)[:STRONGEST])
    lines = Table(
        title=f"Strongest lines of {smallest.get_chemical_formula()}", title_justify="left"
    )
    lines.add_column("wave number / cm⁻¹")
    lines.add_column("intensity / (km/mol)")
    for mode in strongest:
        lines.add_row(
            f"{modes.wavenumbers_per_cm[mode]:.0f}", f"{modes.intensities_km_per_mol[mode]:.1f}"
        )
    console.print(lines)
    wavenumbers = np.arange(0.0, 4200.0, 2.0)
    save_figure(
        arguments.output / "spectrum.png",
        wavenumbers,
        "wave number / cm⁻¹",
        [Panel("absorption / (km mol⁻¹ cm)", {"": modes.spectrum(wavenumbers)})],
    )
    return {
        "relaxed": {"converged": relaxed.converged, "steps": relaxed.steps},
        "infrared": modes.summary(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="dipeptides", help="model name, file or checkpoint")
    parser.add_argument(
        "--structures", type=Path, default=Path(__file__).with_name("dipeptides.extxyz")
    )
    parser.add_argument("--fmax", type=float, default=0.002, help="in eV/Å, before the spectrum")
    parser.add_argument("--steps", type=int, default=500, help="of the relaxation, at most")
    parser.add_argument("--no-spectrum", action="store_true", help="dipoles only")
    parser.add_argument("--output", type=Path, default=Path("dipeptide_dipoles"))
    parser.add_argument("--overwrite", action="store_true")
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    console = Console(stderr=True)

    frames = read(arguments.structures, index=":")
    calculator = LESCalculator(arguments.model, dtype="float64")
    # Charges of a model may not sum to zero; about the center of mass that does least harm.
    found = np.array([calculator.get_property("dipole", atoms) for atoms in frames])
    reference = np.array([atoms.info["REF_dipole"] for atoms in frames])

    table = Table(title=f"Dipoles, {arguments.model}", title_justify="left")
    for column in ("molecule", "reference / (e Å)", "model / (e Å)", "angle / °", "Σq / e"):
        table.add_column(column)
    rows = []
    for atoms, ours, theirs in zip(frames, found, reference, strict=True):
        sizes = np.linalg.norm(theirs), np.linalg.norm(ours)
        cosine = np.clip(ours @ theirs / (sizes[0] * sizes[1]), -1, 1)
        rows.append(
            {
                "formula": atoms.get_chemical_formula(),
                "reference_eA": float(sizes[0]),
                "model_eA": float(sizes[1]),
                "angle_degrees": float(np.degrees(np.arccos(cosine))),
                "sum_of_charges_e": float(calculator.get_property("charges", atoms).sum()),
            }
        )
        name, *numbers = rows[-1].values()
        table.add_row(name, *(f"{number:.3f}" for number in numbers))
    console.print(table)
    x, y = reference.ravel(), found.ravel()
    agreement = {
        "R2": float(np.corrcoef(x, y)[0, 1] ** 2),
        "slope": float((x @ y) / (x @ x)),
        "rmse_eA": float(np.sqrt(np.mean((x - y) ** 2))),
    }
    console.print(
        f"components: R² {agreement['R2']:.3f}, slope {agreement['slope']:.3f}, "
        f"RMSE {agreement['rmse_eA']:.4f} e Å",
        highlight=False,
    )
    save_parity_figure(
        arguments.output / "dipoles.png",
        f"Dipoles, {arguments.model}",
        [Parity("dipole / (e Å)", x, y)],
    )

    spectrum = None
    if not arguments.no_spectrum:
        spectrum = infrared_of(min(frames, key=len), calculator, arguments, console)
    write_summary(
        arguments.output / "study-summary.yml",
        {
            "model": arguments.model,
            "model_hash": calculator.model_hash,
            "dipoles": rows,
            "agreement": agreement,
            "spectrum": spectrum,
        },
    )


if __name__ == "__main__":
    main()

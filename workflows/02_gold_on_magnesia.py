"""Does Au2 wet MgO(001)? Aluminum far below the surface decides, through charge alone.

    python workflows/02_gold_on_magnesia.py --model checkpoint.pth --structures dft-optimized.extxyz

The structures are those of Ko et al., Nat. Commun. 12, 398 (2021), named ``1-doped``, ``3-doped``,
``1-undoped`` and ``3-undoped``: geometry 1 stands upright (non-wetting), geometry 3 lies flat
(wetting). The gold atoms are relaxed, the substrate is kept. The dopant is out of reach of any
local environment that the gold sees, so a short-range model gives the same answer with and
without it. The shipped ``au2-mgo`` is for the smaller slabs of study 13: give the path of a
published checkpoint (CC BY-NC 4.0, from its authors).
"""

import argparse
from pathlib import Path

from ase.constraints import FixAtoms
from ase.data import atomic_numbers
from ase.io import read
from rich.console import Console
from rich.table import Table

from ase_les import LESCalculator
from ase_les.reports import relaxation as report
from ase_les.reports.figures import save_bars
from ase_les.reports.terminal import TerminalProgress
from ase_les.runs.output import write_summary
from ase_les.simulation import relax

SUBSTRATES = ("doped", "undoped")
NON_WETTING, WETTING = "1", "3"
GOLD = atomic_numbers["Au"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True, help="model file or published checkpoint")
    parser.add_argument("--structures", type=Path, required=True)
    parser.add_argument("--output", type=Path, default=Path("gold_on_magnesia"))
    parser.add_argument("--fmax", type=float, default=0.005, help="in eV/Å")
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--overwrite", action="store_true")
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    structures = {atoms.info["name"]: atoms for atoms in read(arguments.structures, index=":")}
    reference = {name: atoms.info["REF_energy"] for name, atoms in structures.items()}

    calculator = LESCalculator(arguments.model, dtype="float64")
    relaxed, charge = {}, {}
    for name, atoms in structures.items():
        atoms.set_constraint(FixAtoms(mask=atoms.numbers != GOLD))
        atoms.calc = calculator
        result = relax(
            atoms,
            optimizer="bfgs",
            fmax=arguments.fmax,
            steps=arguments.steps,
            output=arguments.output / name,
            overwrite=arguments.overwrite,
            progress=TerminalProgress(),
        )
        report.write(result)
        report.show(result)
        final = result.atoms
        final.calc = calculator
        relaxed[name] = final.get_potential_energy()
        charge[name] = final.get_charges()[final.numbers == GOLD].sum()

    def wetting(energy: dict[str, float]) -> dict[str, float]:
        """E(wetting) − E(non-wetting) of each substrate in meV."""
        return {
            substrate: 1000
            * (energy[f"{WETTING}-{substrate}"] - energy[f"{NON_WETTING}-{substrate}"])
            for substrate in SUBSTRATES
        }

    dft, model = wetting(reference), wetting(relaxed)
    table = Table(title="E(wetting) − E(non-wetting) of Au2 on MgO(001)", title_justify="left")
    for column in ("substrate", "DFT / meV", "model / meV", "charge of Au2, upright | flat / e"):
        table.add_column(column)
    for substrate in SUBSTRATES:
        upright, flat = (charge[f"{geometry}-{substrate}"] for geometry in (NON_WETTING, WETTING))
        table.add_row(
            substrate,
            f"{dft[substrate]:+.1f}",
            f"{model[substrate]:+.1f}",
            f"{upright:+.3f} | {flat:+.3f}",
        )
    Console().print(table)
    write_summary(
        arguments.output / "wetting-summary.yml",
        {
            "model": arguments.model,
            "wetting_minus_nonwetting_meV": {"DFT": dft, "model": model},
            "charge_of_Au2_e": charge,
        },
    )
    save_bars(
        arguments.output / "wetting.png",
        list(SUBSTRATES),
        {"DFT": list(dft.values()), "LES model": list(model.values())},
        "E(wetting) − E(non-wetting) / meV",
    )


if __name__ == "__main__":
    main()

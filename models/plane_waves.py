"""Labels of plane waves against more of them: ``python plane_waves.py NAME [--cutoff-eV 600]``.

Calculates structures of a model's own data again, with its settings but for the cutoff, and says
how far the shipped forces are from those. What plane waves lack is much the same in like
structures, so that models learn it as if it were physics: their errors do not show it.
"""

import argparse
from pathlib import Path

import numpy as np
from ase.io import read

from ase_les.training.engines import make_reference
from ase_les.training.own_data import read_plan

HERE = Path(__file__).parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", help="a model whose label.yml says gpaw")
    parser.add_argument("--cutoff-eV", type=float, default=600.0)
    parser.add_argument("--index", default="0", help="in data.extxyz, as 0, 3 or ::20")
    asked = parser.parse_args()
    plan = read_plan(HERE / asked.name / "label.yml")
    if plan.engine != "gpaw":
        raise SystemExit(f"{asked.name} is labelled by {plan.engine}; plane waves are gpaw's")
    found = read(HERE / asked.name / "data.extxyz", asked.index)
    for atoms in found if isinstance(found, list) else [found]:
        settings = {**plan.settings, **plan.sets[atoms.info["set"]].settings}
        settings["mode"] = {**settings["mode"], "ecut": asked.cutoff_eV}
        # The grid of the density has to follow the waves.
        settings.pop("h", None)
        calculator = make_reference(plan.engine, settings, stress=False).calculator(atoms)
        change = atoms.arrays["REF_forces"] - calculator.get_property("forces", atoms)
        print(
            f"{atoms.info['set']}, {len(atoms)} atoms: forces change by {_rms(change):.0f} meV/Å ("
            + ", ".join(
                f"{each} {_rms(change[atoms.symbols == each]):.0f}"
                for each in dict.fromkeys(atoms.symbols)
            )
            + f") of {_rms(atoms.arrays['REF_forces']):.0f}",
            flush=True,
        )


def _rms(forces: np.ndarray) -> float:
    return 1000 * float(np.sqrt((forces**2).mean()))


if __name__ == "__main__":
    main()

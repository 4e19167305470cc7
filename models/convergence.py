"""Labels against better converged ones: ``python convergence.py NAME --k-points 3 3 1``.

Calculates structures of a model's own data again, with its settings but for the plane waves
(``--cutoff-eV``) or the k-points, and says how far the shipped forces are from those. What labels
lack is much the same in like structures, so that models learn it as if it were physics: their
errors do not show it.
"""

import argparse
from pathlib import Path

import numpy as np
from ase.io import read

from ase_les.training.engines import make_reference
from ase_les.training.labelling_plan import read_plan

HERE = Path(__file__).parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", help="a model whose label.yml says gpaw")
    better = parser.add_argument_group("what to converge, one of these or both")
    better.add_argument("--cutoff-eV", type=float)
    better.add_argument("--k-points", type=int, nargs=3, metavar="N")
    parser.add_argument("--index", default="0", help="in data.extxyz, as 0, 3 or ::20")
    asked = parser.parse_args()
    if asked.cutoff_eV is None and asked.k_points is None:
        parser.error("give --cutoff-eV, --k-points or both")
    plan = read_plan(HERE / asked.name / "label.yml")
    if plan.engine != "gpaw":
        raise SystemExit(f"{asked.name} is labelled by {plan.engine}, not by plane waves of gpaw")
    found = read(HERE / asked.name / "data.extxyz", asked.index)
    for atoms in found if isinstance(found, list) else [found]:
        settings = {**plan.settings, **plan.sets[atoms.info["set"]].settings}
        if asked.cutoff_eV is not None:
            settings["mode"] = {**settings["mode"], "ecut": asked.cutoff_eV}
            # The grid of the density has to follow the waves.
            settings.pop("h", None)
        if asked.k_points is not None:
            settings["kpts"] = {"size": asked.k_points}
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

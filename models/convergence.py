"""Compare labels with better converged ones: ``python convergence.py NAME --k-points 3 3 1``.

Recalculates structures of the training data of a model with its settings except for the plane-wave
cutoff (``--cutoff-eV``) or the k-points, and prints how much the forces change. Convergence errors
of labels are similar in similar structures, so that models learn them; they are not visible in the
test errors.
"""

import argparse
from pathlib import Path

import numpy as np
from ase.io import read

from ase_les.training import make_reference, read_labeling_plan

HERE = Path(__file__).parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", help="model labeled with gpaw (label.yml)")
    better = parser.add_argument_group("what to converge (one or both)")
    better.add_argument("--cutoff-eV", type=float)
    better.add_argument("--k-points", type=int, nargs=3, metavar="N")
    parser.add_argument(
        "--index", default="0", help="structures of data.extxyz, such as 0, 3 or ::20"
    )
    args = parser.parse_args()
    if args.cutoff_eV is None and args.k_points is None:
        parser.error("give --cutoff-eV, --k-points or both")
    plan = read_labeling_plan(HERE / args.name / "label.yml")
    if plan.engine != "gpaw":
        raise SystemExit(f"{args.name} is labeled with {plan.engine}, not with gpaw")
    found = read(HERE / args.name / "data.extxyz", args.index)
    for atoms in found if isinstance(found, list) else [found]:
        settings = {**plan.settings, **plan.sets[atoms.info["set"]].settings}
        if args.cutoff_eV is not None:
            settings["mode"] = {**settings["mode"], "ecut": args.cutoff_eV}
            # The density grid depends on the cutoff.
            settings.pop("h", None)
        if args.k_points is not None:
            settings["kpts"] = {"size": args.k_points}
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

r"""Pairs of molecules farther apart than published: ``python charged_dimers_far.py --data FOLDER``.

Distances of the BioFragment dimers are a geometric series that ends at 15 Å, of which the folder
has the first ten, and for some classes the last three. The molecules are rigid and move along one
line, so that the missing ones are known but for their labels. Those begin at the published ones of
the farthest pair at hand, and HSE06 in Gaussians (PySCF) says how they go on,

.. math::
    F(d) = F_\text{published}(d_{10}) + F_\text{HSE06}(d) - F_\text{HSE06}(d_{10}),

and energies alike: levels of theory differ within the molecules, hardly in how these attract each
other from afar (dispersion, which HSE06 lacks, is weak there). Pairs whose far labels are at hand
tell by how much.

Writes ``charged_dimers_far.extxyz`` beside this file. Start it again to continue after an
interruption.
"""

import argparse
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.io import read

from ase_les.reading.extended_xyz import without_labels, write_labeled
from ase_les.reports.terminal import TerminalProgress
from ase_les.training import label_structures

LAST_A = 15.0
BEYOND = 3
SETTINGS = {"xc": "HSE06", "basis": "def2-tzvp", "grid_level": 2, "conv_tol": 1e-9}
SOURCE = (
    "BioFragment dimers (Huguenin-Dumittan et al. 2023), molecules moved apart; "
    "published labels of the farthest pair plus differences by HSE06/def2-TZVP"
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the dimers")
    parser.add_argument("--classes", nargs="+", default=["CP", "CA", "PP", "AA", "PA"])
    parser.add_argument("--work", type=Path, default=Path("dimers-far"))
    arguments = parser.parse_args()
    output = Path(__file__).with_name("charged_dimers_far.extxyz")
    # Classes not asked for keep what they have.
    kept = read(output, ":") if output.exists() else []
    found = [a for a in kept if a.info["label"] not in arguments.classes]
    for kind in arguments.classes:
        near = read(arguments.data / f"{kind}-train.extxyz", ":")
        near.sort(key=lambda atoms: atoms.info["distance"])
        labeled = label_structures(
            [_in_vacuum(atoms) for atoms in (near[-1], *farther(near))],
            "pyscf",
            settings=SETTINGS,
            output=arguments.work / kind,
            resume=True,
            retry_failed=True,
            progress=TerminalProgress(),
        )
        if labeled.labeled < BEYOND + 1:
            raise SystemExit(f"{kind}: labels are missing; start again")
        frames = continued(near[-1], read(labeled.files.frames, ":"))
        published = arguments.data / f"{kind}-test.extxyz"
        if published.exists():
            print(f"{kind}: {_compared(frames, read(published, ':'))}")
        else:
            found += frames
    write_labeled(output, found)


def farther(near: list[Atoms]) -> list[Atoms]:
    """The pair at the distances that follow the farthest of ten, up to `LAST_A`."""
    first, last = near[0], near[-1]
    # The molecule that moves does so as a whole.
    shifts = last.positions - first.positions
    moves = np.linalg.norm(shifts, axis=1) > 1e-6
    step = shifts[moves].mean(axis=0)
    if np.abs(shifts[moves] - step).max() > 1e-3:
        raise ValueError(f"{first.info['label']}: the molecules turn or bend between distances")
    direction = step / np.linalg.norm(step)
    ratio = (LAST_A / first.info["distance"]) ** (1 / (len(near) + BEYOND - 1))
    found = []
    for power in range(1, BEYOND + 1):
        distance = last.info["distance"] * ratio**power
        atoms = without_labels(last)
        atoms.positions[moves] += (distance - last.info["distance"]) * direction
        atoms.info["distance"] = float(distance)
        found.append(atoms)
    return found


def continued(last: Atoms, labeled: list[Atoms]) -> list[Atoms]:
    """Far pairs with published labels plus differences; `labeled` begins with the last one."""
    base, *far = labeled
    found = []
    for atoms in far:
        frame = without_labels(atoms)
        frame.pbc = last.pbc
        rise = atoms.info["REF_energy"] - base.info["REF_energy"]
        frame.info["REF_energy"] = float(last.info["REF_energy"] + rise)
        change = atoms.arrays["REF_forces"] - base.arrays["REF_forces"]
        frame.arrays["REF_forces"] = last.arrays["REF_forces"] + change
        frame.info["source"] = SOURCE
        found.append(frame)
    return found


def _in_vacuum(atoms: Atoms) -> Atoms:
    finite = without_labels(atoms)
    finite.pbc = False
    return finite


def _compared(found: list[Atoms], published: list[Atoms]) -> str:
    """How far positions and labels are from the published ones."""
    pairs = list(zip(found, published, strict=True))
    moved = max(np.abs(a.positions - b.positions).max() for a, b in pairs)
    energies = [a.info["REF_energy"] - b.info["REF_energy"] for a, b in pairs]
    forces = np.array([a.arrays["REF_forces"] - b.arrays["REF_forces"] for a, b in pairs])
    return (
        f"positions within {moved:.1e} Å of the published, energies within "
        f"{1e3 * np.abs(energies).max():.2f} meV, forces {1e3 * np.sqrt((forces**2).mean()):.3f} "
        "meV/Å (RMS)"
    )


if __name__ == "__main__":
    main()

"""Born charges of rattled crystals by perturbation theory: ``python born_charges.py nacl mgo``.

ABINIT gives Born charges and the electronic dielectric tensor of every structure from its response
to an electric field. They are stored in ``<name>/born.extxyz``, are never used for training, and
serve as reference for charges learned from energies and forces. An interrupted calculation is
continued when started again.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from ase import Atoms, units
from ase.io import read

from ase_les.reading.extended_xyz import write_labeled

HERE = Path(__file__).parent
STDEV_A = 0.08
PSEUDOPOTENTIALS = Path("/usr/share/abinit/psp")
FILES = {"Na": "11na.1.hgh", "Cl": "17cl.7.hgh", "Mg": "12mg.pspnc", "O": "8o.pspnc"}
ECUT_HARTREE = 30
LEVEL = f"LDA, norm-conserving, {ECUT_HARTREE} Ha, 2×2×2 shifted k-points: ABINIT"

INPUT = """
ndtset 3
acell 3*1.0
rprim {cell}
ntypat {n_elements} znucl {numbers}
natom {n_atoms} typat {types}
xcart {positions}
pp_dirpath "{folder}"
pseudos "{files}"
ixc 1 ecut {ecut} nband {bands}
# Only time reversal is left of the symmetry of a rattled crystal.
kptopt 2 ngkpt 2 2 2 nshiftk 1 shiftk 0.5 0.5 0.5
nstep 60 diemac 3.0
tolvrs1 1e-12
nqpt2 1 qpt2 0 0 0 getwfk2 1 rfelfd2 2 rfdir2 1 1 1 iscf2 -3 tolwfr2 1e-14
nqpt3 1 qpt3 0 0 0 getwfk3 1 getddk3 2 rfelfd3 3 rfdir3 1 1 1 tolvrs3 1e-8
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="+", help="models: nacl, mgo")
    parser.add_argument("--structures", type=int, default=4)
    args = parser.parse_args()
    if shutil.which("abinit") is None:
        raise SystemExit("ABINIT is not installed; apt-get install abinit abinit-data")
    for name in args.names:
        path = HERE / name / "born.extxyz"
        done = read(path, ":") if path.exists() else []
        structures = rattled(read(HERE / name / "crystal.extxyz"), args.structures)
        for atoms in structures[len(done) :]:
            done.append(with_response(atoms))
            write_labeled(path, done)


def rattled(crystal: Atoms, count: int) -> list[Atoms]:
    """Return rattled structures, with other random numbers than in the training data."""
    found = []
    for index in range(count):
        atoms = crystal.copy()
        noise = np.random.default_rng([2026, index]).normal(0.0, STDEV_A, (len(atoms), 3))
        atoms.positions += noise
        found.append(atoms)
    return found


def with_response(atoms: Atoms) -> Atoms:
    """Return a structure with its Born charges and dielectric tensor."""
    with tempfile.TemporaryDirectory(prefix="abinit-") as folder:
        (Path(folder) / "run.abi").write_text(_input(atoms), encoding="utf-8")
        subprocess.run(
            ["abinit", "run.abi"], cwd=folder, check=True, stdout=subprocess.DEVNULL, timeout=3600
        )
        output = (Path(folder) / "run.abo").read_text(encoding="utf-8")
    labeled = atoms.copy()
    charges = born_charges(output, len(atoms))
    labeled.arrays["REF_born_effective_charges"] = charges.reshape(len(atoms), 9)
    labeled.info["REF_dielectric"] = dielectric_tensor(output).ravel()
    labeled.info["level_of_theory"] = LEVEL
    return labeled


def born_charges(output: str, n_atoms: int) -> np.ndarray:
    """Return Born charges (N, 3, 3) in e, [atom, polarization, displacement], with zero sum."""
    found = np.full((n_atoms, 3, 3), np.nan)
    for displaced, atom, field, value in _matrix(output, "(from electric field response)"):
        if atom <= n_atoms:
            found[atom - 1, field - 1, displaced - 1] = value
    if np.isnan(found).any():
        raise RuntimeError("ABINIT did not print all Born charges; see its log")
    return found - found.mean(axis=0)


def dielectric_tensor(output: str) -> np.ndarray:
    """Return the dielectric tensor (3, 3)."""
    found = np.full((3, 3), np.nan)
    for first, _, second, value in _matrix(output, "Dielectric tensor, in cartesian coordinates"):
        found[first - 1, second - 1] = value
    return found


def _matrix(output: str, title: str) -> list[tuple[int, int, int, float]]:
    """Return direction and perturbation of the first index, direction of the second, and value."""
    block = output.split(title)[-1]
    rows = []
    for line in block.splitlines()[1:]:
        numbers = re.fullmatch(r"\s*(\d+)\s+(\d+)\s+(\d+)\s+\d+\s+(\S+)\s+\S+\s*", line)
        if numbers:
            first, perturbation, second = map(int, numbers.groups()[:3])
            rows.append((first, perturbation, second, float(numbers.group(4))))
        elif rows and line.strip():
            break
    return rows


def _input(atoms: Atoms) -> str:
    elements = list(dict.fromkeys(atoms.symbols))
    missing = [name for name in FILES.values() if not (PSEUDOPOTENTIALS / name).exists()]
    if missing:
        raise SystemExit(f"no {missing[0]} in {PSEUDOPOTENTIALS}; apt-get install abinit-data")

    def words(values: np.ndarray) -> str:
        # ABINIT limits the length of lines.
        return "\n".join(" ".join(f"{x:.12f}" for x in row) for row in values)

    valence = {"Na": 1, "Cl": 7, "Mg": 2, "O": 6}
    return INPUT.format(
        cell=words(atoms.cell.array / units.Bohr),
        n_elements=len(elements),
        numbers=" ".join(str(Atoms(symbol).numbers[0]) for symbol in elements),
        n_atoms=len(atoms),
        types=" ".join(str(elements.index(symbol) + 1) for symbol in atoms.symbols),
        positions=words(atoms.positions / units.Bohr),
        folder=PSEUDOPOTENTIALS,
        files=", ".join(FILES[symbol] for symbol in elements),
        ecut=ECUT_HARTREE,
        bands=sum(valence[symbol] for symbol in atoms.symbols) // 2,
    )


if __name__ == "__main__":
    main()

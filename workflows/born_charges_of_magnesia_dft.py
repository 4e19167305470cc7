r"""Born charges of a slab of MgO(001) by DFT: ``python born_charges_of_magnesia_dft.py`` (GPAW).

Four layers in the smallest cell (4 Mg, 4 O), bulk-terminated at the lattice constant of
``models/mgo``. Atoms of the two layers of one half are displaced by ±h along the normal, and those
of the surface by +h along x; mirror planes give the rest.

Along the normal the dipole of the slab is differentiated. The slab stands in vacuum without a field
outside, so its electrons screen what a displaced layer does: the result is
:math:`\partial\mu_z/\partial z`, in the bulk :math:`Z^*/\epsilon_\infty`. In the plane the Berry
phase is differentiated, at zero field: :math:`Z^*_\parallel`.

Writes ``born_charges_of_magnesia_dft.extxyz`` beside this file: the slab with columns
``REF_born_charge_normal_at_zero_D`` and ``REF_born_charge_in_plane`` (e, diagonal components; nan
where the latter was not calculated). Interrupted, it goes on with the displacements in ``--work``.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.io import write

LATTICE_CONSTANT_A = 4.25
LAYERS = 4
VACUUM_A = 6.0
STEP_A = 0.02
NORMAL = np.array([0, 0, 1])
SETTINGS = {
    "mode": {"name": "pw", "ecut": 450.0},
    "xc": "PBE",
    "setups": {"Mg": "2"},
    "convergence": {"density": 1e-7, "eigenstates": 1e-9},
}
LEVEL = (
    "GPAW, PBE, plane waves to 450 eV, Mg with two valence electrons, 6 x 6 x 1 k-points, "
    f"{VACUUM_A} A of vacuum on both sides and a dipole layer; displacements of {STEP_A} A"
)
SLAB_KPTS = (6, 6, 1)
AT_SURFACE = 2
"""Atoms of the lowest layer, which come first."""


def slab() -> Atoms:
    """Mg4O4, normal along z, pbc (True, True, False)."""
    edge = LATTICE_CONSTANT_A / 2**0.5
    atoms = Atoms(cell=[edge, edge, 1.0], pbc=(True, True, False))
    for layer in range(LAYERS):
        sites = [(0, 0), (edge / 2, edge / 2)]
        z = layer * LATTICE_CONSTANT_A / 2
        for symbol, (x, y) in zip(("Mg", "O") if layer % 2 else ("O", "Mg"), sites, strict=True):
            atoms += Atoms(symbol, [(x, y, z)])
    atoms.center(vacuum=VACUUM_A, axis=2)
    return atoms


def moments(
    atoms: Atoms, kpts: tuple[int, int, int], phases: bool, text: Path
) -> dict[str, list[float]]:
    """Dipole of a slab along z in e Å; or phases along the cell vectors (2π is a quantum)."""
    from gpaw import GPAW
    from gpaw.berryphase import polarization_phase

    settings = dict(SETTINGS)
    if phases:
        # A Berry phase needs all k-points.
        settings["symmetry"] = "off"
    if not atoms.pbc[2]:
        settings["poissonsolver"] = {"dipolelayer": "xy"}
    atoms = atoms.copy()
    atoms.calc = GPAW(**settings, kpts={"size": kpts, "gamma": False}, txt=str(text))
    atoms.get_potential_energy()
    if not phases:
        return {"dipole_eA": [float(x) for x in atoms.get_dipole_moment()]}
    saved = text.with_suffix(".gpw")
    atoms.calc.write(saved, mode="all")
    phase = polarization_phase(gpw_wfs=saved)["phase_c"]
    saved.unlink()
    return {"phases": [float(x) for x in phase]}


def known(
    work: Path, name: str, atoms: Atoms, kpts: tuple[int, int, int], phases: bool = True
) -> dict[str, list[float]]:
    """Moments from the folder of an earlier try, or calculated now and left there."""
    path = work / f"{name}.json"
    if not path.exists():
        found = moments(atoms, kpts, phases, work / f"{name}.txt")
        path.write_text(json.dumps(found))
        print(name, found, flush=True)
    return json.loads(path.read_text())


def moved(atoms: Atoms, index: int, step: np.ndarray) -> Atoms:
    other = atoms.copy()
    other.positions[index] += step
    return other


def change_along(atoms: Atoms, after: dict, before: dict) -> np.ndarray:
    """Change of dipole in e Å from Berry phases, on the branch nearest to zero."""
    change = np.array(after["phases"]) - np.array(before["phases"])
    change -= 2 * np.pi * np.round(change / (2 * np.pi))
    return change / (2 * np.pi) @ atoms.cell.array


def of_slab(atoms: Atoms, work: Path) -> tuple[np.ndarray, np.ndarray]:
    """In-plane and normal (zero D) charges of all atoms, in e."""
    in_plane, normal = np.full(len(atoms), np.nan), np.zeros(len(atoms))
    for index in range(len(atoms) // 2):
        up, down = (
            known(work, f"slab-{index}-{name}", moved(atoms, index, step), SLAB_KPTS, phases=False)
            for name, step in (("up", STEP_A * NORMAL), ("down", -STEP_A * NORMAL))
        )
        normal[index] = (up["dipole_eA"][2] - down["dipole_eA"][2]) / (2 * STEP_A)
    start = known(work, "slab", atoms, SLAB_KPTS)
    for index in range(AT_SURFACE):
        along_x = moved(atoms, index, np.array([STEP_A, 0, 0]))
        after = known(work, f"slab-{index}-x", along_x, SLAB_KPTS)
        in_plane[index] = change_along(atoms, after, start)[0] / STEP_A
    # A glide plane exchanges Mg above O with O above Mg.
    height = atoms.positions[:, 2].min() + atoms.positions[:, 2].max()
    for index in range(len(atoms) // 2, len(atoms)):
        (twin,) = (
            other
            for other in range(len(atoms) // 2)
            if atoms.numbers[other] == atoms.numbers[index]
            and abs(atoms.positions[other, 2] + atoms.positions[index, 2] - height) < 1e-6
        )
        in_plane[index], normal[index] = in_plane[twin], normal[twin]
    return in_plane, normal


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, default=Path("magnesia-dft"))
    work = parser.parse_args().work
    work.mkdir(parents=True, exist_ok=True)
    film = slab()
    in_plane, normal = of_slab(film, work)
    film.arrays["REF_born_charge_in_plane"] = in_plane
    film.arrays["REF_born_charge_normal_at_zero_D"] = normal
    film.info["level_of_theory"] = LEVEL
    write(Path(__file__).with_name("born_charges_of_magnesia_dft.extxyz"), film)


if __name__ == "__main__":
    main()

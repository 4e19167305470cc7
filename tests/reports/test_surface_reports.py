"""Reports on surfaces, adsorption and profiles contain the numbers of the results."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, fcc100
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator
from rich.console import Console

from ase_les.properties.adsorption import adsorption_of
from ase_les.properties.profiles import profiles
from ase_les.properties.surface_energy import surface_energy
from ase_les.reports import profiles as profile_report
from ase_les.reports import surfaces as report
from ase_les.simulation import RelaxationSettings


def printed(table) -> str:
    console = Console(width=160)
    with console.capture() as capture:
        console.print(table)
    return capture.get()


@pytest.fixture
def copper():
    atoms = bulk("Cu", cubic=True)
    atoms.calc = EMT()
    return atoms


def test_surface_table_and_figure(copper, tmp_path, capsys):
    output = tmp_path / "cu-0.5"
    found = surface_energy(copper, (1, 1, 1), layers=(1, 2), relaxation=None, output=output)
    text = printed(report.table(found))
    assert f"{found.J_per_m2:.6g}" in text
    assert "1 1 1" in text
    assert f"{found.unrelaxed_eV_per_A2[1] * 16.0217663:.5f} |" in text
    report.write(found, output)
    assert (tmp_path / "cu-0.5.png").stat().st_size > 1000
    report.show(found, quiet=True)
    assert capsys.readouterr().err == ""


def test_relaxations_are_reported_and_missing_steps_told(copper, tmp_path, capsys):
    found = surface_energy(
        copper,
        (1, 0, 0),
        layers=(2,),
        relaxation=RelaxationSettings(fmax=1e-3, steps=1),
        output=tmp_path / "cu",
        on_result=report.RelaxationReports(quiet=True),
    )
    assert (tmp_path / "cu-2-summary.yml").exists()
    assert capsys.readouterr().err == ""
    report.show(found)
    assert "NOT CONVERGED" in capsys.readouterr().err


def test_adsorption_table_and_figure(tmp_path):
    slab = fcc100("Cu", (1, 1, 2), vacuum=8, periodic=False)
    slab.pbc = (True, True, False)
    both = slab + Atoms("N", [slab.positions[-1] + (0, 0, 1.2)])
    charges = {2: [0.0, 0.0], 3: [0.1, 0.15, -0.25], 1: [0.0]}
    structures = (both, slab, Atoms("N"))
    for energy, atoms in zip((-7.5, -4.0, -2.25), structures, strict=True):
        atoms.calc = SinglePointCalculator(atoms, energy=energy, charges=charges[len(atoms)])
    found = adsorption_of(*structures)
    text = printed(report.table(found))
    assert "-1.25" in text and "-0.25" in text
    report.write(found, tmp_path / "n")
    assert (tmp_path / "n.png").stat().st_size > 1000


def test_profile_table_and_figure(tmp_path):
    atoms = Atoms("Na2", [[0, 0, 5], [0, 0, 11]], cell=[5, 6, 20], pbc=(1, 1, 0))
    atoms.calc = SinglePointCalculator(atoms, charges=np.array([-0.1, 0.1]))
    found = profiles([atoms])
    text = printed(profile_report.table(found))
    # e/ε0 is 180.9513 V Å.
    assert f"{180.9513 * 0.1 * 6 / 30:.3g} (error unknown)" in text
    profile_report.write(found, tmp_path / "film")
    assert (tmp_path / "film.png").stat().st_size > 1000

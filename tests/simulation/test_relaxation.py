"""Relaxation: the minimum that is reached, and what is said when it is not."""

from pathlib import Path

import numpy as np
import pytest
import yaml
from ase import Atoms
from ase.build import bulk, fcc111, molecule
from ase.calculators.emt import EMT
from ase.calculators.lj import LennardJones
from ase.constraints import FixAtoms
from ase.io import read

from ase_les import reporting
from ase_les.simulation import relax


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(reporting, "save_figure", lambda *_: None)


def shaken_copper() -> Atoms:
    atoms = bulk("Cu", cubic=True)
    atoms.rattle(0.1, seed=3)
    atoms.calc = EMT()
    return atoms


@pytest.mark.parametrize("optimizer", ["bfgs", "lbfgs", "fire"])
def test_a_pair_relaxes_to_the_minimum_of_lennard_jones(optimizer):
    pair = Atoms("Ar2", [[0, 0, 0], [0, 0, 3.4]], calculator=LennardJones(sigma=3.0, rc=30.0))
    result = relax(pair, optimizer=optimizer, fmax=1e-4, quiet=True)
    assert result.converged and result.max_force_eV_per_A < 1e-4
    assert result.atoms.get_distance(0, 1) == pytest.approx(2 ** (1 / 6) * 3.0, abs=1e-4)
    assert result.energy_change_eV < 0


def test_a_crystal_finds_one_volume_from_both_sides():
    volumes = []
    for strain in (0.97, 1.03):
        crystal = bulk("Cu", a=3.6 * strain)
        crystal.calc = EMT()
        result = relax(crystal, cell="full", fmax=1e-3, quiet=True, output=f"from-{strain}")
        assert result.converged
        assert result.max_stress_eV_per_A3 < 1e-3
        volumes.append(result.atoms.get_volume())
    assert volumes[0] == pytest.approx(volumes[1], rel=1e-3)
    # Where a scan of the energy has its minimum: no stress enters here.
    edges = np.linspace(3.55, 3.63, 9)
    minima = np.roots(np.polyder(np.polyfit(edges, [energy_of_copper(a) for a in edges], 3)))
    lowest = minima[np.abs(minima - 3.59).argmin()]
    assert (4 * volumes[0]) ** (1 / 3) == pytest.approx(lowest, abs=1e-3)


def energy_of_copper(edge: float) -> float:
    crystal = bulk("Cu", a=edge)
    crystal.calc = EMT()
    return crystal.get_potential_energy()


def test_a_fixed_cell_is_not_strained():
    crystal = shaken_copper()
    result = relax(crystal, quiet=True)
    assert np.array_equal(result.atoms.cell, crystal.cell)
    assert np.isnan(result.max_stress_eV_per_A3)


def test_fixed_atoms_are_not_moved_and_do_not_hinder_convergence():
    slab = fcc111("Cu", (2, 2, 2), vacuum=6.0)
    slab.rattle(0.1, seed=1)
    slab.set_constraint(FixAtoms([0, 1, 2, 3]))
    slab.calc = EMT()
    result = relax(slab, fmax=0.02, quiet=True)
    assert result.converged
    assert np.array_equal(result.atoms.positions[:4], slab.positions[:4])
    assert np.abs(result.atoms.positions[4:] - slab.positions[4:]).max() > 0.01


def test_given_atoms_are_not_moved():
    crystal = shaken_copper()
    before = crystal.positions.copy()
    relax(crystal, quiet=True)
    assert np.array_equal(crystal.positions, before)


def test_too_few_steps_are_no_convergence_and_it_is_said(capsys):
    result = relax(shaken_copper(), steps=2, fmax=1e-4)
    assert not result.converged
    assert result.steps == 2
    assert "NOT CONVERGED: 2 steps were not enough" in capsys.readouterr().err
    assert len(read("relaxed.traj", index=":")) == 3
    assert yaml.safe_load(Path("relaxed-summary.yml").read_text())["results"]["converged"] is False


def test_log_trajectory_and_summary_tell_the_same():
    result = relax(shaken_copper(), quiet=True, provenance={"model": "m"})
    log = np.loadtxt("relaxed.log")
    frames = read("relaxed.traj", index=":")
    summary = yaml.safe_load(Path("relaxed-summary.yml").read_text())
    assert len(log) == len(frames) == result.steps + 1
    assert np.allclose(log[:, 1], [frame.get_potential_energy() for frame in frames], atol=1e-7)
    largest = [np.linalg.norm(frame.get_forces(), axis=1).max() for frame in frames]
    assert np.allclose(log[:, 2], largest, atol=1e-7)
    assert np.array_equal(frames[-1].positions, result.atoms.positions)
    assert summary["results"]["energy_eV"] == pytest.approx(log[-1, 1], abs=1e-7)
    assert summary["input"]["settings"]["fmax"] == 0.01
    assert summary["input"]["provenance"] == {"model": "m"}


def test_forces_that_are_not_finite_end_the_search():
    class Broken(EMT):
        evaluations = 0

        def calculate(self, *args, **kwargs):
            super().calculate(*args, **kwargs)
            self.evaluations += 1
            if self.evaluations == 4:
                self.results["forces"][2] = np.nan

    crystal = shaken_copper()
    crystal.calc = Broken()
    result = relax(crystal, fmax=1e-6, quiet=True)
    assert not result.converged
    assert result.stopped == "step 3: the forces on atoms 2 are not finite"
    assert len(read("relaxed.traj", index=":")) == 3
    assert np.isfinite(result.energy_eV)


def isolated() -> Atoms:
    atoms = molecule("N2")
    atoms.calc = EMT()
    return atoms


def without_stress() -> Atoms:
    atoms = shaken_copper()
    atoms.calc.implemented_properties = ["energy", "forces"]
    return atoms


@pytest.mark.parametrize(
    ("make", "settings", "message"),
    [
        (isolated, {"cell": "full"}, "needs three periodic directions"),
        (without_stress, {"cell": "full"}, "needs the stress, which EMT does not give"),
        (isolated, {"cell": "half"}, "`cell` must be one of"),
        (isolated, {"optimizer": "newton"}, "`optimizer` must be one of"),
        (isolated, {"fmax": 0.0}, "`fmax` must be positive and finite, got 0.0"),
        (lambda: Atoms("Cu2", np.zeros((2, 3)), calculator=EMT()), {}, "0.000 Å apart"),
    ],
)
def test_what_cannot_be_relaxed_is_refused_before_anything_is_written(make, settings, message):
    with pytest.raises(ValueError, match=message):
        relax(make(), quiet=True, **settings)
    assert list(Path().iterdir()) == []


def test_an_earlier_relaxation_is_replaced_only_when_allowed():
    relax(shaken_copper(), steps=1, quiet=True)
    with pytest.raises(FileExistsError, match="allow it to be replaced"):
        relax(shaken_copper(), quiet=True)
    assert relax(shaken_copper(), quiet=True, overwrite=True).converged

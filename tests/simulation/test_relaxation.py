"""Relaxation: the minimum that is reached, and what is said when it is not."""

from pathlib import Path

import numpy as np
import pytest
import yaml
from ase import Atoms
from ase.build import bulk, fcc111, molecule
from ase.calculators.calculator import Calculator
from ase.calculators.emt import EMT
from ase.calculators.lj import LennardJones
from ase.constraints import FixAtoms
from ase.io import read
from ase.spacegroup.symmetrize import check_symmetry

from ase_les.reports import figures
from ase_les.reports import relaxation as report
from ase_les.simulation import relax


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(figures, "save_figure", lambda *_: None)


def shaken_copper() -> Atoms:
    atoms = bulk("Cu", cubic=True)
    atoms.rattle(0.1, seed=3)
    atoms.calc = EMT()
    return atoms


@pytest.mark.parametrize("optimizer", ["bfgs", "lbfgs", "fire"])
def test_a_pair_relaxes_to_the_minimum_of_lennard_jones(optimizer):
    pair = Atoms("Ar2", [[0, 0, 0], [0, 0, 3.4]], calculator=LennardJones(sigma=3.0, rc=30.0))
    result = relax(pair, optimizer=optimizer, fmax=1e-4)
    assert result.converged and result.max_force_eV_per_A < 1e-4
    assert result.atoms.get_distance(0, 1) == pytest.approx(2 ** (1 / 6) * 3.0, abs=1e-4)
    assert result.energy_change_eV < 0


def test_a_crystal_finds_one_volume_from_both_sides():
    volumes = []
    for strain in (0.97, 1.03):
        crystal = bulk("Cu", a=3.6 * strain)
        crystal.calc = EMT()
        result = relax(crystal, cell="full", fmax=1e-3, output=f"from-{strain}")
        assert result.converged
        assert result.max_stress_eV_per_A3 < 1e-3
        volumes.append(result.atoms.get_volume())
    assert volumes[0] == pytest.approx(volumes[1], rel=1e-3)
    # Where a scan of the energy has its minimum: no stress enters here.
    edges = np.linspace(3.55, 3.63, 9)
    minima = np.roots(np.polyder(np.polyfit(edges, [energy_of_copper(a) for a in edges], 3)))
    lowest = minima[np.abs(minima - 3.59).argmin()]
    assert (4 * volumes[0]) ** (1 / 3) == pytest.approx(lowest, abs=1e-3)


def test_under_pressure_the_volume_is_where_the_enthalpy_is_least():
    pressure_bar = 50_000.0
    crystal = bulk("Cu", a=3.6)
    crystal.calc = EMT()
    result = relax(crystal, cell="isotropic", pressure_bar=pressure_bar, smax_bar=10)
    assert result.converged
    edges = np.linspace(3.45, 3.57, 13)
    enthalpies = [energy_of_copper(a) + pressure_bar * 6.241509074e-7 * a**3 / 4 for a in edges]
    minima = np.roots(np.polyder(np.polyfit(edges, enthalpies, 4)))
    lowest = min(minima.real, key=lambda a: abs(a - 3.51))
    edge = (4 * result.atoms.get_volume()) ** (1 / 3)
    assert edge == pytest.approx(lowest, abs=5e-4)
    assert edge < 3.56
    # The shape is that of the start.
    assert np.allclose(result.atoms.cell.array / edge, crystal.cell.array / 3.6, atol=1e-9)


def test_a_cell_counts_as_relaxed_only_when_its_stress_does():
    strained = bulk("Cu", a=3.63)
    strained.calc = EMT()
    # By symmetry there are no forces: only the stress has something to say.
    loose, tight = (
        relax(strained, cell="full", smax_bar=smax, output=f"s{smax}") for smax in (1e5, 10.0)
    )
    assert loose.converged and loose.steps == 0
    assert tight.converged and tight.steps > 0
    assert tight.max_stress_eV_per_A3 < 10 * 6.241509074e-7 < loose.max_stress_eV_per_A3


# A slab under full periodic boundaries has its vacuum along c.
@pytest.mark.parametrize(("normal", "periodic_across"), [(2, False), (0, False), (2, True)])
def test_an_in_plane_cell_finds_its_lattice_and_leaves_the_vacuum_alone(normal, periodic_across):
    slab = fcc111("Cu", (1, 1, 3), a=3.7, vacuum=7.0)
    if normal == 0:
        order = [2, 0, 1]
        slab = Atoms(
            slab.symbols,
            slab.positions[:, order],
            cell=slab.cell.array[order][:, order],
            pbc=slab.pbc[order],
        )
    if periodic_across:
        slab.pbc = True
    slab.calc = EMT()
    result = relax(slab, cell="in-plane", smax_bar=10, fmax=1e-3)
    assert result.converged
    across = np.delete(np.arange(3), normal)
    assert np.array_equal(result.atoms.cell[normal], slab.cell[normal])
    assert np.array_equal(result.atoms.cell.array[:, normal], slab.cell.array[:, normal])
    # Along the slab there is no stress left, and the energy has no slope there either.
    lengths = np.linalg.norm(result.atoms.cell.array[across], axis=1)
    assert (lengths < 3.7 / np.sqrt(2) - 0.02).all()
    for scale in (0.997, 1.003):
        other = result.atoms.copy()
        cell = other.cell.array.copy()
        cell[across] *= scale
        other.set_cell(cell, scale_atoms=True)
        other.calc = EMT()
        assert relax(other, fmax=1e-3, overwrite=True).energy_eV > result.energy_eV


def spoilt_gold_copper() -> Atoms:
    """Layers of gold and copper, each atom at most 0.005 Å from its symmetric place."""
    atoms = bulk("Cu", cubic=True, a=3.8)
    atoms.symbols[[0, 1]] = "Au"
    atoms.rattle(0.002, seed=5)
    atoms.calc = EMT()
    return atoms


@pytest.mark.parametrize("cell", ["fixed", "full"])
def test_a_space_group_is_kept(cell):
    pytest.importorskip("spglib")
    result = relax(spoilt_gold_copper(), symmetry=True, symprec_A=0.02, cell=cell, fmax=1e-3)
    assert result.converged
    # The tolerance of the search is far below the displacements of the start.
    exact = check_symmetry(result.atoms, symprec=1e-7)
    assert exact.international == "P4/mmm"
    assert result.space_group == "P4/mmm (123)"
    assert check_symmetry(spoilt_gold_copper(), symprec=1e-7).international != "P4/mmm"
    assert result.atoms.constraints == []
    if cell == "full":
        lengths = result.atoms.cell.lengths()
        assert lengths[1] == pytest.approx(lengths[2], abs=1e-9)
        assert abs(lengths[0] - lengths[1]) > 0.05


def test_fixed_atoms_that_break_the_symmetry_are_refused():
    pytest.importorskip("spglib")
    crystal = spoilt_gold_copper()
    crystal.set_constraint(FixAtoms([0]))
    with pytest.raises(ValueError, match="the fixed atoms break the symmetry"):
        relax(crystal, symmetry=True, symprec_A=0.02)
    crystal.set_constraint(FixAtoms([0, 1]))
    assert relax(crystal, symmetry=True, symprec_A=0.02).converged


def test_the_bottom_of_a_slab_is_held_by_its_height():
    slab = fcc111("Cu", (2, 2, 3), vacuum=6.0)
    slab.rattle(0.1, seed=1)
    slab.calc = EMT()
    result = relax(slab, fix_below_A=7.0, fmax=0.05)
    low = slab.positions[:, 2] < 7.0
    assert low.sum() == 4
    assert np.array_equal(result.atoms.positions[low], slab.positions[low])
    assert (result.atoms.positions[~low] != slab.positions[~low]).any(axis=1).all()
    assert result.notes == ("4 of 12 atoms fixed, those with z below 7 Å",)
    assert read("relaxed.traj").constraints[0].index.tolist() == np.flatnonzero(low).tolist()


class Repulsion(LennardJones):
    """Forces all atoms away from their center, ever more."""

    def calculate(self, atoms=None, properties=("energy",), system_changes=()):
        Calculator.calculate(self, atoms, properties, system_changes)
        ways = atoms.positions - atoms.positions.mean(axis=0)
        self.results = {"energy": -0.5 * (ways**2).sum(), "forces": ways}


def test_atoms_that_fly_apart_are_caught():
    cluster = Atoms("Ar3", [[0, 0, 0], [3, 0, 0], [0, 3, 0]], calculator=Repulsion())
    result = relax(cluster, optimizer="fire", steps=500)
    assert not result.converged
    assert "the structure disintegrates" in result.stopped
    assert result.max_displacement_A < 15
    assert len(read("relaxed.traj", ":")) == result.steps + 1


def test_a_crystal_under_tension_that_it_cannot_bear_is_caught():
    crystal = bulk("Cu", a=3.6)
    crystal.calc = EMT()
    result = relax(crystal, cell="isotropic", pressure_bar=-1e6)
    assert "the cell is unstable" in result.stopped
    assert result.atoms.get_volume() < 2 * crystal.get_volume()


def test_atoms_that_collapse_are_caught(capsys):
    class Attraction(Repulsion):
        def calculate(self, *args, **kwargs):
            super().calculate(*args, **kwargs)
            self.results["forces"] = -self.results["forces"]
            self.results["energy"] = -self.results["energy"]

    pair = Atoms("Ar2", [[0, 0, 0], [2, 0, 0]], calculator=Attraction())
    result = relax(pair, fmax=1e-3, provenance={"model": "m"})
    report.show(result)
    assert "the atoms collapse" in result.stopped
    assert result.atoms.get_distance(0, 1) > 0.4
    # A resumed relaxation would meet them again.
    assert "--resume" not in capsys.readouterr().err


def energy_of_copper(edge: float) -> float:
    crystal = bulk("Cu", a=edge)
    crystal.calc = EMT()
    return crystal.get_potential_energy()


def test_a_fixed_cell_is_not_strained():
    crystal = shaken_copper()
    result = relax(crystal)
    assert np.array_equal(result.atoms.cell, crystal.cell)
    assert np.isnan(result.max_stress_eV_per_A3)


def test_fixed_atoms_are_not_moved_and_do_not_hinder_convergence():
    slab = fcc111("Cu", (2, 2, 2), vacuum=6.0)
    slab.rattle(0.1, seed=1)
    slab.set_constraint(FixAtoms([0, 1, 2, 3]))
    slab.calc = EMT()
    result = relax(slab, fmax=0.02)
    assert result.converged
    assert np.array_equal(result.atoms.positions[:4], slab.positions[:4])
    assert np.abs(result.atoms.positions[4:] - slab.positions[4:]).max() > 0.01


def test_given_atoms_are_not_moved():
    crystal = shaken_copper()
    before = crystal.positions.copy()
    relax(crystal)
    assert np.array_equal(crystal.positions, before)


def test_too_few_steps_are_no_convergence_and_it_is_said(capsys):
    result = relax(shaken_copper(), steps=2, fmax=1e-4)
    report.write(result)
    report.show(result)
    assert not result.converged
    assert result.steps == 2
    assert "NOT CONVERGED: not converged within 2 steps" in capsys.readouterr().err
    assert len(read("relaxed.traj", index=":")) == 3
    assert yaml.safe_load(Path("relaxed-summary.yml").read_text())["results"]["converged"] is False


def test_log_trajectory_and_summary_tell_the_same():
    result = relax(shaken_copper(), provenance={"model": "m"})
    report.write(result)
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
    result = relax(crystal, fmax=1e-6)
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
        (without_stress, {"cell": "full"}, "needs the stress, which EMT does not provide"),
        (isolated, {"cell": "in-plane"}, "needs two periodic directions"),
        (shaken_copper, {"pressure_bar": 10.0}, "needs a cell that can relax"),
        (shaken_copper, {"smax_bar": -1.0}, "`smax_bar` must be positive"),
        (shaken_copper, {"fix_below_A": -5.0}, "no atom is below"),
        (shaken_copper, {"f_max": 1.0}, "a relaxation has no setting f_max"),
        (isolated, {"symmetry": True}, "needs three cell vectors"),
        (isolated, {"cell": "half"}, "`cell` must be one of"),
        (isolated, {"optimizer": "newton"}, "`optimizer` must be one of"),
        (isolated, {"fmax": 0.0}, "`fmax` must be positive and finite, got 0.0"),
        (lambda: Atoms("Cu2", np.zeros((2, 3)), calculator=EMT()), {}, "0.000 Å apart"),
    ],
)
def test_what_cannot_be_relaxed_is_refused_before_anything_is_written(make, settings, message):
    with pytest.raises(ValueError, match=message):
        relax(make(), **settings)
    assert list(Path().iterdir()) == []


def test_an_earlier_relaxation_is_replaced_only_when_allowed():
    relax(shaken_copper(), steps=1)
    with pytest.raises(FileExistsError, match="replace it with overwrite"):
        relax(shaken_copper())
    assert relax(shaken_copper(), overwrite=True).converged

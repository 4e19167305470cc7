"""The verbs `born`, `phonons` and `infrared`: one library call each, mistakes told clearly."""

import inspect
import json
import types
from pathlib import Path

import numpy as np
import pytest
import yaml
from ase.build import bulk, molecule
from ase.calculators.calculator import Calculator, all_changes
from ase.calculators.lj import LennardJones
from ase.io import write

from ase_les.cli import _calculator, main
from ase_les.cli import born as born_module
from ase_les.cli import infrared as infrared_module
from ase_les.cli import phonons as phonons_module
from ase_les.cli import surface as surface_module
from ase_les.properties.born_charges import BornSettings, born_charges
from ase_les.properties.infrared_harmonic import harmonic_infrared
from ase_les.properties.normal_modes import ModeSettings
from ase_les.properties.phonons import PhononSettings, phonons
from ase_les.properties.surface_energy import SurfaceSettings


class ChargedLennardJones(LennardJones):
    """Attracting spheres that carry fixed charges along."""

    implemented_properties = [  # noqa: RUF012
        *(*LennardJones.implemented_properties, "dipole", "polarization"),
        *("born_effective_charges", "dielectric_tensor"),
    ]

    def __init__(self, dielectric=1.0):
        super().__init__(sigma=2.6, epsilon=0.3, rc=6.0, smooth=True)
        self.dielectric = dielectric

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        charges = np.sqrt(self.dielectric) * np.where(self.atoms.numbers == 8, -0.2, 0.2)
        self.results["born_effective_charges"] = charges[:, None, None] * np.eye(3)
        self.results["dielectric_tensor"] = self.dielectric * np.eye(3)
        self.results["dipole"] = charges @ self.atoms.positions
        if self.atoms.pbc.all():
            self.results["polarization"] = self.results["dipole"] / self.atoms.get_volume()


@pytest.fixture(autouse=True)
def models_are_spheres(tmp_path, monkeypatch):
    made = []

    def make(model, device, dtype, accuracy, dielectric=1.0) -> Calculator:
        made.append((model, device, dtype, accuracy, dielectric))
        return ChargedLennardJones(dielectric)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(_calculator, "make_calculator", make)
    write("oxide.vasp", bulk("MgO", "rocksalt", a=4.2))
    write("molecule.xyz", molecule("CO"))
    return made


def exit_code(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    return ended.value.code or 0


def test_born_of_a_chosen_part_of_a_slab_comes_by_layer(capsys):
    film = bulk("MgO", "rocksalt", a=4.2, cubic=True)
    film.pbc = (True, True, False)
    film.center(vacuum=5, axis=2)
    write("film.traj", film)
    options = ("--model", "M", "--method", "displacement", "--components", "normal")
    options += ("--atoms", "Mg&top", "--bulk", "Mg=0.3,O=-0.3")
    assert exit_code("born", "film.traj", *options, "--json") == 0
    told = capsys.readouterr()
    summary = json.loads(told.out)
    assert "Born charges by layer" in told.err
    assert len(summary["displaced_atoms"]) == 1
    (row,) = summary["layers"]["rows"]
    assert (row["symbol"], row["in_plane_e"]) == ("Mg", None)
    assert row["normal_e"] == pytest.approx(0.2)
    assert summary["layers"]["bulk_e"] == {"Mg": 0.3, "O": -0.3}
    assert exit_code("born", "film.traj", *options, "--bulk", "Mg=x", "--overwrite") != 0
    assert "--bulk needs numbers by element" in " ".join(capsys.readouterr().err.split())


def test_born_is_the_library_call_in_double_precision(models_are_spheres, capsys):
    options = ("--model", "M", "--method", "displacement", "--dielectric", "4", "--sum-rule")
    assert exit_code("born", "oxide.vasp", *options, "--json") == 0
    told = capsys.readouterr()
    summary = json.loads(told.out)
    assert models_are_spheres == [("M", "cpu", "float64", 1e-7, 4.0)]
    np.testing.assert_allclose(
        summary["born_effective_charges_e"], [0.4 * np.eye(3), -0.4 * np.eye(3)], atol=1e-8
    )
    assert summary["sum_rule_imposed"] is True
    assert "eigenvalues" in told.err
    assert "charges are latent" not in told.err
    factor, dielectric, *charges = Path("born-BORN").read_text().splitlines()
    assert float(factor.split()[0]) == pytest.approx(14.39965, rel=1e-5)
    assert dielectric.split()[0] == "4.00000000"
    assert len(charges) == 2
    assert exit_code("born", "oxide.vasp", *options) == 2
    assert "--overwrite" in capsys.readouterr().err


def test_latent_charges_of_a_crystal_are_called_so(capsys):
    assert exit_code("born", "oxide.vasp", "--model", "M", "--json") == 0
    told = capsys.readouterr()
    assert "charges are latent (ε∞ = 1); give ε∞ of the bulk with --dielectric" in told.err
    assert "charges are latent" not in told.out
    for asked in (("oxide.vasp", "--epsilon-infinity", "1"), ("molecule.xyz",)):
        assert exit_code("born", *asked, "--model", "M", "--overwrite") == 0
        assert "charges are latent" not in capsys.readouterr().err


def test_both_names_of_the_dielectric_constant_are_one_option(models_are_spheres):
    options = {"structure": "oxide.vasp", "model": "M", "quiet": True, "overwrite": True}
    for number, name in enumerate(("dielectric", "epsilon-infinity"), start=2):
        assert (
            exit_code(
                "born",
                "oxide.vasp",
                "--model",
                "M",
                "--quiet",
                "--overwrite",
                f"--{name}",
                str(number),
            )
            == 0
        )
        Path("born.yml").write_text(yaml.safe_dump({**options, name: number}))
        assert exit_code("born", "--config", "born.yml") == 0
        made = models_are_spheres[-2:]
        assert made == 2 * [("M", "cpu", "float64", 1e-7, number)]


@pytest.mark.slow
def test_phonons_is_the_library_call_and_resumes(capsys):
    pytest.importorskip("seekpath")
    options = ("--model", "M", "--supercell", "2", "2", "2", "--mesh-length", "10")
    assert exit_code("phonons", "oxide.vasp", *options, "--output", "run", "--json") == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["supercell_atoms"] == 16
    assert summary["non_analytic"]["born_effective_charges_e"][0][0][0] == pytest.approx(0.2)
    Path("run-summary.yml").unlink()
    before = Path("run-displacements.jsonl").read_text()
    assert exit_code("phonons", "oxide.vasp", *options, "--output", "run") == 2
    assert "--resume" in capsys.readouterr().err
    assert exit_code("phonons", "oxide.vasp", *options, "--output", "run", "--resume") == 0
    assert Path("run-displacements.jsonl").read_text() == before
    assert exit_code("phonons", "oxide.vasp", *options, "--no-nac", "--output", "bare") == 0
    assert yaml.safe_load(Path("bare-summary.yml").read_text())["non_analytic"] is None
    assert not Path("bare-BORN").exists()


def test_infrared_of_a_structure_is_harmonic(capsys):
    options = ("--model", "M", "--method", "displacement", "--json", "--quiet")
    assert exit_code("infrared", "molecule.xyz", *options) == 0
    told = capsys.readouterr()
    assert told.err == ""
    summary = json.loads(told.out)
    atoms = molecule("CO", calculator=ChargedLennardJones())
    same = harmonic_infrared(atoms, "displacement")
    assert summary["intensities_km_per_mol"] == pytest.approx(same.intensities_km_per_mol.tolist())


def test_properties_are_those_of_the_total_charge_that_is_asked_for(capsys):
    """Fixed charges on the ends: the sum rule has whatever total charge is named."""
    quick = ("--model", "M", "--json", "--quiet", "--charge", "1")
    assert exit_code("born", "molecule.xyz", *quick, "--sum-rule") == 0
    born = json.loads(capsys.readouterr().out)
    assert born["structure"]["charge_e"] == 1
    np.testing.assert_allclose(
        np.sum(born["born_effective_charges_e"], axis=0), np.eye(3), atol=1e-12
    )
    assert exit_code("infrared", "molecule.xyz", *quick) == 0
    assert json.loads(capsys.readouterr().out)["structure"]["charge_e"] == 1
    cell = ("phonons", "oxide.vasp", "--no-nac", "--supercell", "1", "1", "1", "--mesh-length", "9")
    assert exit_code(*cell, *quick) == 0
    assert json.loads(capsys.readouterr().out)["structure"]["charge_e"] == 1


def test_infrared_of_a_run_reads_its_current(monkeypatch, capsys):
    called = {}

    class Result:
        run = types.SimpleNamespace(
            volume_A3=900.0, screening=types.SimpleNamespace(epsilon_infinity=1.0)
        )

        def summary(self):
            return {"peaks": {}}

    def infrared_from_run(stem, **settings):
        called.update(settings, stem=stem)
        return Result()

    monkeypatch.setattr("ase_les.properties.infrared_dynamics.infrared_from_run", infrared_from_run)
    for name in ("write", "show"):
        monkeypatch.setattr(f"ase_les.reports.infrared_dynamics.{name}", lambda *given: None)
    assert exit_code("infrared", "--from-run", "water") == 0
    assert called["epsilon_infinity"] is None
    assert (
        "charges are latent (ε∞ = 1); give ε∞ of the bulk with --dielectric"
        in capsys.readouterr().err
    )
    options = ("--epsilon-infinity", "1.78", "--resolution", "10", "--json")
    assert exit_code("infrared", "--from-run", "water", *options) == 0
    told = capsys.readouterr()
    assert json.loads(told.out)["peaks"] == {}
    assert told.err == ""
    assert called["stem"] == "water"
    assert called["epsilon_infinity"] == 1.78
    assert called["resolution_per_cm"] == 10.0
    assert called["window"] == "gaussian"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("infrared",), "no structure given"),
        (("raman",), "no structure given"),
        (("raman", "molecule.xyz", "--from-run", "run"), "omit structure"),
        (("raman", "molecule.xyz", "--model", "M", "--window", "hann"), "does not use"),
        (("infrared", "molecule.xyz"), "no model given"),
        (("infrared", "molecule.xyz", "--from-run", "run"), "omit structure"),
        (("infrared", "molecule.xyz", "--model", "M", "--window", "hann"), "does not use"),
        (("infrared", "oxide.vasp", "--model", "M"), "without periodic directions"),
        (("phonons", "molecule.xyz", "--model", "M"), "three (crystal) periodic directions"),
        (("born", "oxide.vasp", "--model", "M", "--method", "x"), "--method must be one of"),
    ],
)
def test_a_mistake_of_the_user_is_one_clear_message(arguments, message, capsys):
    assert exit_code(*arguments) == 2
    told = capsys.readouterr()
    assert message in told.err
    assert len(told.err.splitlines()) == 1
    assert not list(Path().glob("*-summary.yml"))


def test_every_process_makes_the_same_calculator(models_are_spheres):
    atoms, jobs = _calculator.differentiable_structure(
        Path("oxide.vasp"), "M", None, None, processes=2, threads=4, dielectric=3.0
    )
    assert jobs.processes == 2 and jobs.threads_each == 2
    assert isinstance(jobs.make_calculator(), type(atoms.calc))
    first, second = models_are_spheres
    assert first == second == ("M", "cpu", "float64", 1e-7, 3.0)


@pytest.mark.parametrize(
    ("verb", "calls", "renamed", "count"),
    [
        (born_module.born, (born_charges, BornSettings), {}, 16),
        (phonons_module.phonons, (phonons, PhononSettings), {"non_analytic": "nac"}, 11),
        (infrared_module.infrared, (harmonic_infrared, ModeSettings), {}, 7),
        (surface_module.surface, (SurfaceSettings,), {}, 5),
    ],
)
def test_defaults_on_the_command_line_are_those_of_the_library(verb, calls, renamed, count):
    options = inspect.signature(verb).parameters
    checked = 0
    named = {name: each for call in calls for name, each in signature_of(call).items()}
    for name, parameter in named.items():
        bare = name.removesuffix("_A").removesuffix("_K").removesuffix("_per_cm")
        option = options.get(renamed.get(name, bare))
        if option is None or name in ("output", "jobs", "atoms", "layers"):
            continue
        assert option.default == parameter.default, name
        checked += 1
    assert checked == count


def signature_of(call) -> dict[str, inspect.Parameter]:
    return dict(inspect.signature(call).parameters)

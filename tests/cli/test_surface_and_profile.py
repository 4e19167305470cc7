"""The verbs `surface` and `profile`: one library call each, clean errors."""

import json

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import Trajectory, write

from ase_les.cli import _calculator, main
from ase_les.properties.profiles import profiles
from ase_les.properties.surface_energy import surface_energy
from ase_les.simulation import RelaxationSettings


@pytest.fixture(autouse=True)
def models_are_emt(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(_calculator, "make_calculator", lambda *_, **__: EMT())
    write("copper.xyz", bulk("Cu", cubic=True))


def exit_code(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    return ended.value.code or 0


SURFACE = ("surface", "copper.xyz", "--model", "M", "--quiet")


def test_surface_is_the_library_call(capsys):
    options = ("--miller", "1,1,1", "--layers", "3,4", "--fmax", "0.02", "--json")
    assert exit_code(*SURFACE, *options, "--output", "run") == 0
    told = json.loads(capsys.readouterr().out)
    copper = bulk("Cu", cubic=True)
    copper.calc = EMT()
    same = surface_energy(
        copper,
        (1, 1, 1),
        layers=(3, 4),
        relaxation=RelaxationSettings(fmax=0.02),
        output="same",
    )
    assert told["results"]["surface_energy_J_per_m2"] == same.J_per_m2
    assert told["input"]["provenance"]["model"] == "M"


def test_a_surface_that_does_not_converge_is_no_success_and_can_be_resumed():
    few = ("--layers", "2", "--fmax", "0.001", "--output", "run")
    assert exit_code(*SURFACE, *few, "--steps", "1") == 1
    assert exit_code(*SURFACE, *few, "--steps", "100", "--resume") == 0


def test_a_surface_that_does_not_converge_tells_commands_to_go_on_with(capsys):
    loud = ("surface", "copper.xyz", "--model", "M", "--layers", "2", "--fmax", "0.001")
    assert exit_code(*loud, "--output", "run", "--steps", "1") == 1
    told = capsys.readouterr().err
    assert "Continue with: ase-les relax --resume run-2 --steps 2" in told
    assert "resume and more steps (--resume, --steps)" in told
    assert exit_code("relax", "--resume", "run-2", "--steps", "100", "--quiet") == 0
    assert exit_code(*loud, "--output", "run", "--steps", "100", "--resume") == 0


def test_an_adsorbate_by_name_gives_its_energy(capsys):
    options = ("--adsorbate", "N", "--height", "1.2", "--layers", "2", "--fixed-layers", "1")
    assert exit_code(*SURFACE, *options, "--fmax", "0.05", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["task"] == "adsorption"
    assert told["results"]["adsorption_energy_eV"] < 0


def test_profile_is_the_library_call(capsys):
    frames = []
    with Trajectory("md.traj", "w") as file:
        for height in (8.0, 9.0, 10.0, 11.0):
            atoms = Atoms("Na2", [[0, 0, 5], [0, 0, height]], cell=[5, 6, 20], pbc=(1, 1, 0))
            atoms.calc = SinglePointCalculator(atoms, charges=np.array([-0.1, 0.1]))
            file.write(atoms)
            frames.append(atoms)
    options = ("--axis", "z", "--start", "1", "--stride", "2", "--center", "film", "--json")
    assert exit_code("profile", "md.traj", *options, "--quiet", "--output", "film") == 0
    told = json.loads(capsys.readouterr().out)
    same = profiles(frames[1::2], center_on="film")
    assert told["results"]["configurations"] == 2
    assert told["results"]["potential_step_V"]["mean"] == pytest.approx(same.step_V.mean)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((*SURFACE, "--miller", "1,1"), "--miller needs 3 or 4 numbers separated by commas"),
        ((*SURFACE, "--layers", "two"), "--layers needs numbers separated by commas"),
        ((*SURFACE, "--adsorbate", "unobtainium"), "not a molecule of ase.build.molecule"),
        (("surface", "copper.xyz"), "no model given"),
        (("profile",), "no trajectory given"),
        (("profile", "copper.xyz", "--axis", "w"), "--axis must be x, y or z"),
        (("profile", "copper.xyz", "--start", "5"), "has 1 frames"),
        (("profile", "missing.traj"), "missing.traj"),
    ],
)
def test_a_mistake_of_the_user_is_one_clear_message(arguments, message, capsys):
    assert exit_code(*arguments) == 2
    told = capsys.readouterr()
    assert message in told.err
    assert "Traceback" not in told.err

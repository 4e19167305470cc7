"""Active learning: the loop, its criterion, and what a kill leaves."""

import os
import signal
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from ase import Atoms
from ase.build import bulk
from ase.io import write

from ase_les import Committee, LESCalculator, load_model
from ase_les.cli import main
from ase_les.committee import committee_hash
from ase_les.reading.extended_xyz import write_labeled
from ase_les.reports import learning as report
from ase_les.training.active_learning.exploration import chosen
from ase_les.training.active_learning.loop import Round, learn, seed_of
from ase_les.training.active_learning.plan import EXAMPLE, LearningPlan, read_learning_plan

IONS = {
    "charges": {"Na": 1, "Cl": -1},
    "repulsion": {"Na-Na": [424, 0.317], "Na-Cl": [1256, 0.317], "Cl-Cl": [3485, 0.317]},
}
PLAN = {
    "start": "nacl.extxyz",
    "engine": "ions",
    "settings": IONS,
    "stress": False,
    "sample": {"moves": [{"kind": "rattle", "structures": 12, "stdev_A": 0.1}]},
    "conditions": [{"temperature_K": 300, "timestep_fs": 2.0}],
    "model": {
        "representation": {
            **{"cutoff": 3.5, "n_radial": 3, "n_mixed": 2, "n_embedding": 1},
            **{"l_max": 1, "nu_max": 2},
        },
        "long_range": {"charges": {"formal_charges": {"Na": 0.9, "Cl": -0.9}}},
    },
    "fit": {"epochs": 6, "batch_size": 2},
    "refit": {"epochs": 2},
    "committee": 2,
    "explore": {"runs": 1, "picoseconds": 0.02, "structures": 4, "disagreement_eV_per_A": 50},
    "criterion": {
        **{"runs": 1, "picoseconds": 0.02, "disagreement_eV_per_A": 50},
        "forces_rmse_meV_per_A": 0.001,
    },
    "rounds": 2,
    "validation": 0.2,
}


@pytest.fixture
def plan_file(tmp_path) -> Path:
    write_labeled(tmp_path / "nacl.extxyz", [bulk("NaCl", "rocksalt", a=5.64, cubic=True)])
    path = tmp_path / "plan.yml"
    path.write_text(yaml.safe_dump(PLAN))
    return path


def short(plan_file, **changes) -> LearningPlan:
    return replace(read_learning_plan(plan_file)[0], **changes)


@pytest.mark.slow
def test_a_learning_killed_at_any_moment_goes_on_to_the_same_models(plan_file, tmp_path):
    plan, rng = short(plan_file), np.random.default_rng(1)
    whole = learn(plan, tmp_path, tmp_path / "whole")
    kills = 0
    for _ in range(6):
        child = os.fork()
        if child == 0:
            learn(plan, tmp_path, tmp_path / "killed")
            os._exit(0)
        time.sleep(rng.uniform(0.3, 2.5))
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        kills += os.WIFSIGNALED(status)
    again = learn(plan, tmp_path, tmp_path / "killed")
    assert kills > 0
    assert committee_hash(load_model(again.model)) == committee_hash(load_model(whole.model))
    assert again.rounds == whole.rounds


@pytest.mark.slow
def test_the_command_says_what_fails_and_more_rounds_go_on(plan_file, tmp_path, capsys):
    state = tmp_path / "plan"
    with pytest.raises(SystemExit) as ended:
        main(["learn", str(plan_file)])
    assert ended.value.code == 1
    told = " ".join(capsys.readouterr().err.split())
    assert "does not meet the criterion after 2 rounds" in told
    assert "more than 0.001" in told
    page = (state / "report.html").read_text()
    assert page.count("data:image/png;base64,") == 4
    assert "http" not in page
    model = load_model(state / "model.safetensors")
    assert isinstance(model, Committee)
    assert model.card["calibration"]["forces_scale"] > 0
    rounds = [Round.read(state / f"round-{number}" / "round.json") for number in (1, 2)]
    # Structures of the first round's dynamics are trained on in the second.
    assert rounds[1].labeled == rounds[0].labeled + 4
    assert rounds[0].charges["Na"] > 0 > rounds[0].charges["Cl"]

    # What is done is not done again: the same numbers, in a moment.
    first = (state / "round-1" / "member-1.safetensors").stat().st_mtime_ns
    result = learn(short(plan_file, rounds=3), tmp_path, state)
    assert len(result.rounds) == 3
    assert (state / "round-1" / "member-1.safetensors").stat().st_mtime_ns == first
    with pytest.raises(ValueError, match="belongs to another plan"):
        learn(short(plan_file, seed=1), tmp_path, state)


@pytest.mark.slow
def test_a_model_that_satisfies_the_criterion_ends_the_learning(plan_file, tmp_path):
    plan = short(plan_file)
    plan = replace(plan, criterion=replace(plan.criterion, forces_rmse_meV_per_A=1e6))
    result = learn(plan, tmp_path, tmp_path / "state")
    assert result.holds
    assert len(result.rounds) == 1
    # The cell is doubled.
    assert result.rounds[0].held[0].atoms == 16
    assert "The model meets the criterion" in report.page(result).decode()
    atoms = bulk("NaCl", "rocksalt", a=5.64, cubic=True)
    assert LESCalculator(result.model).get_property("forces_std", atoms).shape == (8, 3)


@pytest.mark.slow
def test_runs_that_stop_do_not_hold(plan_file, tmp_path):
    plan = short(plan_file, rounds=1)
    plan = replace(plan, criterion=replace(plan.criterion, disagreement_eV_per_A=1e-7))
    result = learn(plan, tmp_path, tmp_path / "state")
    assert not result.holds
    assert "1 of 1 runs from held-back structures stopped" in result.rounds[0].reasons[0]
    assert "the committee disagrees" in result.rounds[0].held[0].stopped


def frames(path, disagreements, stopped=False):
    found = []
    for value in disagreements:
        atoms = Atoms("H", positions=[[value, 0, 0]])
        atoms.info["disagreement_eV_per_A"] = value
        found.append(atoms)
    if stopped:
        found[-1].info["stopped"] = True
    write_labeled(path, found)
    return path


def test_structures_are_chosen_evenly_and_by_disagreement(tmp_path):
    calm = frames(tmp_path / "a.extxyz", np.arange(10) / 10)
    stopped = frames(tmp_path / "b.extxyz", [0.05, 5.0, 7.0], stopped=True)
    usual, disputed = chosen([calm, stopped], 6)
    assert [each.positions[0, 0] for each in disputed] == [0.8, 0.9, 7.0]
    # The structure at which a run was stopped is not one that the model meets by itself.
    assert [each.positions[0, 0] for each in usual] == [0.0, 0.6, 5.0]
    assert chosen([frames(tmp_path / "c.extxyz", [1.0], stopped=True)], 4)[0] == []


def test_seeds_depend_on_the_place_alone():
    assert seed_of(0, 1, "member", 2) == seed_of(0, 1, "member", 2)
    seeds = {seed_of(0, number, "member", k) for number in range(5) for k in range(5)}
    assert len(seeds) == 25


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"conditions": []}, "conditions"),
        ({"committee": 1}, "committee"),
        ({"refit": {"epoch": 3}}, "`refit`: .*`epoch`: unknown key"),
        ({"sample": {"moves": [{"kind": "shake"}]}}, "shake"),
        ({"conditions": [{"temperature_K": 300, "pressure_bar": 1.0}]}, "stress: true"),
        ({"conditions": [{"temperature": 300}]}, "temperature"),
        ({"explore": {"structures": 1}}, "structures"),
        ({"criterion": {"picoseconds": 0}}, "picoseconds"),
        ({"star": "x"}, "star"),
        ({"rounds": "three"}, "rounds"),
    ],
)
def test_plans_are_checked_when_they_are_read(plan_file, change, message):
    plan_file.write_text(yaml.safe_dump({**PLAN, **change}))
    with pytest.raises(ValueError, match=message):
        read_learning_plan(plan_file)


def test_the_example_is_a_plan(tmp_path, capsys):
    path = tmp_path / "plan.yml"
    with pytest.raises(SystemExit):
        main(["learn", "--example"])
    path.write_text(capsys.readouterr().out)
    assert path.read_text() == EXAMPLE
    plan, folder = read_learning_plan(path)
    assert folder == tmp_path
    assert plan.fit_of(1).epochs == 30
    assert plan.quick().rounds == 2


@pytest.mark.slow
def test_the_example_runs_quickly_from_end_to_end(tmp_path):
    path = tmp_path / "plan.yml"
    path.write_text(EXAMPLE)
    write(tmp_path / "nacl.traj", bulk("NaCl", "rocksalt", a=5.64, cubic=True))
    began = time.process_time()
    with pytest.raises(SystemExit) as ended:
        main(["learn", str(path), "--quick", "--quiet"])
    # Five minutes on two cores; whether a model of ten epochs holds is not the point.
    assert time.process_time() - began < 300
    assert ended.value.code in (0, 1)
    assert (tmp_path / "plan-quick" / "report.html").is_file()
    assert isinstance(load_model(tmp_path / "plan-quick" / "model.safetensors"), Committee)


def test_an_engine_that_is_missing_is_told_before_anything_is_written(plan_file, tmp_path):
    with pytest.raises(ValueError, match="cannot import 'no_module'"):
        learn(short(plan_file, engine="no_module:function"), tmp_path, tmp_path / "state")
    assert not (tmp_path / "state").exists()


def test_an_engine_that_labels_nothing_is_an_error_with_its_reason(plan_file, tmp_path, capsys):
    plan = {
        **yaml.safe_load(plan_file.read_text()),
        "engine": "failing_engine:never",
        "settings": {},
    }
    plan_file.write_text(yaml.safe_dump(plan))
    with pytest.raises(SystemExit) as ended:
        main(["learn", str(plan_file), "--quiet"])
    assert ended.value.code == 2
    assert "could be labeled" in " ".join(capsys.readouterr().err.split())


def test_the_seed_of_the_fit_is_refused(plan_file):
    with pytest.raises(ValueError, match="seed of the plan"):
        short(plan_file, refit={"seed": 3})

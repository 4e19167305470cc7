"""The verbs `md` and `relax`: one library call each, clean errors, machine-readable output."""

import inspect
import json
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import yaml
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.io import read, write

from ase_les.cli import VERBS, _calculator, _dynamics_options, main
from ase_les.cli import md as md_module
from ase_les.cli import relax as relax_module
from ase_les.reports import figures
from ase_les.simulation import DynamicsSettings, RelaxationSettings, run_dynamics
from ase_les.simulation.checkpoint import read_checkpoint


@pytest.fixture(autouse=True)
def models_are_emt(tmp_path, monkeypatch):
    made = []

    def make_emt(model, device, dtype):
        made.append((model, device, dtype))
        return EMT()

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(_calculator, "make_calculator", make_emt)
    monkeypatch.setattr(figures, "save_figure", lambda *_: None)
    write("copper.xyz", copper())
    return made


def copper() -> Atoms:
    atoms = bulk("Cu", cubic=True)
    atoms.rattle(0.1, seed=2)
    return atoms


def exit_code(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    return ended.value.code or 0


MD = ("md", "copper.xyz", "--model", "water", "--temperature", "300", "--seed", "1")


def test_md_is_the_library_call(capsys):
    stride = ("--checkpoint-stride", "30")
    assert exit_code(*MD, "--steps", "30", "--timestep", "2", "--output", "run", *stride) == 0
    atoms = read("copper.xyz")
    atoms.calc = EMT()
    same = run_dynamics(
        atoms, temperature_K=300.0, seed=1, steps=30, timestep_fs=2.0, output="same"
    )
    assert Path("run.log").read_bytes() == Path("same.log").read_bytes()
    assert np.array_equal(
        read_checkpoint(Path("run.checkpoint")).atoms.positions, same.atoms.positions
    )
    assert capsys.readouterr().out == ""


def test_md_resumes_with_the_recorded_model(models_are_emt):
    options = ("--dtype", "float64", "--checkpoint-stride", "10", "--output")
    assert exit_code(*MD, "--steps", "40", *options, "long") == 0
    assert exit_code(*MD, "--steps", "20", *options, "run") == 0
    models_are_emt.clear()
    assert exit_code("md", "--resume", "run", "--steps", "40") == 0
    assert models_are_emt == [("water", "cpu", "float64")]
    assert Path("run.log").read_bytes() == Path("long.log").read_bytes()
    assert Path("run.traj").read_bytes() == Path("long.traj").read_bytes()


def test_resume_refuses_other_settings_and_other_atoms(capsys):
    assert exit_code(*MD, "--steps", "10", "--output", "run") == 0
    assert exit_code("md", "--resume", "run", "--temperature", "350") == 2
    assert "--temperature is 300.0, given 350.0" in capsys.readouterr().err
    write("silver.xyz", bulk("Ag", cubic=True))
    assert exit_code("md", "silver.xyz", "--resume", "run") == 2
    assert "the atoms are Cu4, given Ag4" in capsys.readouterr().err


def test_json_is_all_there_is_on_stdout(capsys):
    assert exit_code(*MD, "--steps", "20", "--json") == 0
    told = capsys.readouterr()
    summary = json.loads(told.out)
    assert summary["results"]["steps"] == 20
    assert summary["input"]["provenance"]["model"] == "water"
    assert "velocities drawn" in told.err


def test_config_supplies_options_and_the_command_line_wins():
    options = {
        "structure": "copper.xyz",
        "model": "water",
        "ensemble": "nve",
        "temperature": 100,
        "log-stride": 5,
        "steps": 10,
    }
    Path("run.yml").write_text(yaml.safe_dump(options))
    assert exit_code("md", "--config", "run.yml", "--steps", "20", "--output", "run") == 0
    settings = yaml.safe_load(Path("run-summary.yml").read_text())["input"]["settings"]
    assert settings["ensemble"] == "nve"
    assert settings["temperature_K"] == 100.0
    assert settings["log_stride"] == 5
    assert settings["steps"] == 20


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ("steps: yes", "`steps` must be a whole number, got True"),
        ("steps: 10.5", "`steps` must be a whole number, got 10.5"),
        ("timestep: no", "`timestep` must be a number, got False"),
    ],
)
def test_values_of_the_wrong_kind_in_a_config_are_refused(entry, told, capsys):
    Path("run.yml").write_text(f"structure: copper.xyz\nmodel: M\n{entry}\n")
    assert exit_code("md", "--config", "run.yml", "--output", "run") == 2
    assert told in " ".join(capsys.readouterr().err.split())
    assert not list(Path().glob("run[.-]*traj"))


def test_stages_and_ramps_come_from_a_file_or_the_command_line(capsys):
    stages = [
        {"name": "heat", "ensemble": "nvt-langevin", "temperature": [50, 300], "steps": 10},
        {"temperature": 300, "thermostat-time": 50, "steps": 10, "observe": {"pressure": 5}},
    ]
    Path("run.yml").write_text(yaml.safe_dump({"model": "M", "stages": stages, "log-stride": 5}))
    assert exit_code("md", "copper.xyz", "--config", "run.yml", "--output", "run", "--quiet") == 0
    summary = yaml.safe_load(Path("run-summary.yml").read_text())
    assert [stage["name"] for stage in summary["results"]["stages"]] == ["heat", "stage 2"]
    assert summary["input"]["settings"]["stages"][0]["temperature_K"] == [50, 300]
    assert summary["input"]["settings"]["stages"][1]["thermostat_time_fs"] == 50
    assert np.isfinite(np.loadtxt("run.log")[-1, 7])
    ramp = ("md", "copper.xyz", "--model", "M", "--temperature", "50:300", "--steps", "4")
    assert exit_code(*ramp, "--output", "ramp", "--observe", "pressure:2") == 0
    settings = yaml.safe_load(Path("ramp-summary.yml").read_text())["input"]["settings"]
    assert settings["temperature_K"] == [50.0, 300.0]
    assert settings["observe"] == {"pressure": {"stride": 2}}
    assert exit_code(*ramp, "--stages", "x", "--output", "other") == 2
    assert "stages are a list of mappings" in capsys.readouterr().err


def test_observations_in_a_file_are_a_mapping_or_a_list():
    for number, observe in enumerate(({"pressure": 2}, ["pressure:2"], [{"pressure": 2}])):
        options = {"structure": "copper.xyz", "model": "M", "temperature": 9, "observe": observe}
        Path("run.yml").write_text(yaml.safe_dump({**options, "steps": 2, "output": f"{number}"}))
        assert exit_code("md", "--config", "run.yml", "--quiet") == 0
        settings = yaml.safe_load(Path(f"{number}-summary.yml").read_text())["input"]["settings"]
        assert settings["observe"] == {"pressure": {"stride": 2}}


def test_relax_is_the_library_call_and_convergence_is_the_exit_code(capsys):
    relax = ("relax", "copper.xyz", "--model", "M", "--output", "relaxed", "--overwrite")
    assert exit_code(*relax, "--fmax", "0.02") == 0
    forces = read("relaxed.traj").get_forces()
    assert np.linalg.norm(forces, axis=1).max() < 0.02
    capsys.readouterr()
    assert exit_code(*relax, "--fmax", "1e-5", "--steps", "1", "--quiet") == 1
    assert "NOT CONVERGED" in capsys.readouterr().err
    assert Path("relaxed.traj").exists()


RELAX = ("relax", "copper.xyz", "--model", "M", "--fmax", "1e-4", "--checkpoint-stride", "2")


def test_relax_resumes_with_the_recorded_model(models_are_emt):
    assert exit_code(*RELAX, "--output", "long", "--dtype", "float64") == 0
    assert exit_code(*RELAX, "--output", "run", "--dtype", "float64", "--steps", "3") == 1
    models_are_emt.clear()
    assert exit_code("relax", "--resume", "run", "--steps", "500") == 0
    assert models_are_emt == [("M", "cpu", "float64")]
    assert Path("run.log").read_bytes() == Path("long.log").read_bytes()
    assert Path("run.traj").read_bytes() == Path("long.traj").read_bytes()


def test_relax_takes_every_frame_or_several_files(capsys):
    silver = bulk("Ag", cubic=True)
    silver.rattle(0.1, seed=2)
    write("two.xyz", [silver, copper()])
    relax = ("relax", "two.xyz", "--model", "M", "--json")
    assert exit_code(*relax, "--all", "--output", "frames") == 0
    table = json.loads(capsys.readouterr().out)["results"]["table"]
    assert [row["name"] for row in table] == ["two.xyz@0", "two.xyz@1"]
    assert [row["formula"] for row in table] == ["Ag4", "Cu4"]
    assert exit_code(*relax, "copper.xyz", "--output", "files", "--steps", "1") == 1
    table = json.loads(capsys.readouterr().out)["results"]["table"]
    assert [row["formula"] for row in table] == ["Cu4", "Cu4"]
    assert exit_code("relax", "--resume", "files", "--steps", "100") == 0
    assert all(frame.get_forces().max() < 0.01 for frame in read("files-relaxed.traj", ":"))


@pytest.mark.slow
def test_a_config_names_one_structure_or_several():
    options = {"structure": "copper.xyz", "model": "M", "cell": "isotropic", "output": "one"}
    Path("relax.yml").write_text(yaml.safe_dump(options))
    assert exit_code("relax", "--config", "relax.yml") == 0
    options |= {"structure": ["copper.xyz", "copper.xyz"], "output": "two"}
    Path("relax.yml").write_text(yaml.safe_dump(options))
    assert exit_code("relax", "--config", "relax.yml") == 0
    assert len(read("two-relaxed.traj", ":")) == 2
    options |= {"structure": "two-relaxed.traj", "output": "all", "all": True}
    Path("relax.yml").write_text(yaml.safe_dump(options))
    assert exit_code("relax", "--config", "relax.yml") == 0
    assert len(read("all-relaxed.traj", ":")) == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("relax", "copper.xyz", "--resume", "run"), "remove the structures"),
        (("relax", "--resume", "nothing"), "no checkpoint at nothing.checkpoint"),
        (("md", "missing.xyz", "--model", "M"), "missing.xyz"),
        (("md", "copper.xyz"), "no model given"),
        (("relax", "--model", "M"), "no structure given"),
        (("md", "copper.xyz", "--model", "M"), "needs --temperature\n"),
        (("md", "--resume", "nothing"), "no checkpoint at nothing.checkpoint"),
        (("md", "notes.zzz", "--model", "M"), "cannot read notes.zzz as zzz"),
        (("md", "bad.cif", "--model", "M"), "cannot read bad.cif as cif (AssertionError)"),
        (("relax", "bad.cif", "--model", "M"), "cannot read bad.cif as cif (AssertionError)"),
        (("relax", "bad.xyz", "--model", "M"), "cannot read bad.xyz as extxyz (XYZError: "),
        (("relax", "bad.xyz", "--all", "--model", "M"), "cannot read bad.xyz as extxyz"),
        (("relax", "copper.xyz", "--model", "M", "--symprec", "0"), "--symprec must be positive"),
        (
            ("relax", "--config", "typo.yml"),
            "`relax` has no option f-max; it has all, beyond",
        ),
        (("relax", "--config", "notes.zzz"), "must contain lines of the form"),
    ],
)
def test_a_mistake_of_the_user_is_one_clear_message(arguments, message, capsys):
    Path("notes.zzz").write_text("hello")
    Path("typo.yml").write_text("f-max: 0.1")
    Path("bad.cif").write_text("garbage")
    Path("bad.xyz").write_text("garbage")
    assert exit_code(*arguments) == 2
    told = capsys.readouterr()
    assert message in told.err
    assert "Traceback" not in told.err
    assert len(told.err.splitlines()) == 1
    assert told.out == ""


def test_a_total_charge_belongs_to_the_run(capsys):
    options = {"structure": "copper.xyz", "model": "M", "temperature": 300, "steps": 4, "charge": 2}
    Path("run.yml").write_text(yaml.safe_dump({**options, "output": "run"}))
    assert exit_code("md", "--config", "run.yml", "--quiet") == 0
    assert read_checkpoint(Path("run.checkpoint")).atoms.info["charge"] == 2
    summary = yaml.safe_load(Path("run-summary.yml").read_text())["input"]
    assert summary["structure"]["charge_e"] == summary["provenance"]["charge"] == 2
    # The file does not tell the charge; the run does.
    go_on = ("md", "copper.xyz", "--resume", "run", "--quiet")
    assert exit_code(*go_on, "--steps", "6") == 0
    assert exit_code(*go_on, "--steps", "8", "--charge", "2") == 0
    assert exit_code(*go_on, "--steps", "9", "--charge", "0") == 2
    assert "its total charge is 2 e, given --charge 0" in capsys.readouterr().err


@pytest.mark.parametrize("files", [("copper.xyz",), ("copper.xyz", "copper.xyz")])
def test_structures_are_relaxed_under_the_total_charge_that_is_asked_for(files, capsys):
    assert exit_code("relax", *files, "--model", "M", "--steps", "1", "--charge", "-1") == 1
    relaxed = "relaxed.traj" if len(files) == 1 else "relaxed-relaxed.traj"
    assert {frame.info["charge"] for frame in read(relaxed, ":")} == {-1}
    assert exit_code("relax", "--resume", "relaxed", "--steps", "100", "--charge", "-1") == 0
    assert exit_code("relax", "--resume", "relaxed", "--steps", "100", "--charge", "1") == 2
    assert "its total charge is -1 e, given --charge 1" in capsys.readouterr().err


def test_a_run_that_ended_early_is_no_success(capsys):
    assert exit_code(*MD, "--steps", "20", "--max-temperature", "301", "--timestep", "30") == 1
    assert "Stopped: step" in capsys.readouterr().err


def test_defaults_on_the_command_line_are_those_of_the_library():
    names = {setting: option for option, setting in _dynamics_options.SETTINGS.items()}
    parameters = inspect.signature(md_module.md, eval_str=True).parameters
    for field in fields(DynamicsSettings):
        option = parameters[names.get(field.name, field.name)].annotation.__metadata__[0]
        if isinstance(field.default, int | float | str):
            assert option.show_default == str(field.default)
    names = {"smax_bar": "smax", "pressure_bar": "pressure", "symprec_A": "symprec"}
    names |= {"fix_below_A": "fix_below"}
    parameters = inspect.signature(relax_module.relax, eval_str=True).parameters
    for field in fields(RelaxationSettings):
        option = parameters[names.get(field.name, field.name)].annotation.__metadata__[0]
        if field.default not in (None, False):
            assert option.show_default == str(field.default)


def test_a_command_takes_one_core_unless_told_otherwise(monkeypatch):
    taken = []
    monkeypatch.setattr("torch.set_num_threads", taken.append)
    assert exit_code(*MD, "--steps", "1", "--output", "alone") == 0
    assert exit_code(*MD, "--steps", "1", "--output", "two", "--threads", "2") == 0
    assert taken == [1, 2]


def test_help_names_every_verb_and_loads_nothing_heavy():
    script = (
        "import sys; from ase_les.cli import main\n"
        "try: main(['--help'])\n"
        "finally: print([name for name in ('torch', 'ase', 'matplotlib') if name in sys.modules])"
    )
    environment = {"PYTHONPATH": ":".join(sys.path), "PATH": ""}
    told = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True
    ).stdout
    assert told.splitlines()[-1] == "[]"
    assert all(verb in told for verb in VERBS)

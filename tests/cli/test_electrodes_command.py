"""Electrodes from the command line: dynamics at a potential, its restart, capacitance."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import yaml
from ase import Atoms, units
from ase.build import fcc100
from ase.io import read, write

from ase_les.cli import main
from ase_les.model_io import save_model
from ase_les.properties.electrodes import MICROFARAD_PER_CM2, capacitance, select_electrodes
from ase_les.simulation.series import Series

LEFT, RIGHT = "left=Na & bottom:2", "right=Na & top:2"


def film() -> Atoms:
    low = fcc100("Na", (2, 2, 2), a=4.4)
    top = low.positions[:, 2].max()
    atoms = low + Atoms("OH", [(1, 1, top + 3.2), (1.7, 1, top + 3.9)])
    high = low.copy()
    high.positions[:, 2] += top + 7.5
    atoms += high
    atoms.cell[2] = (0, 0, 20.0)
    atoms.info.clear()
    atoms.pbc = (True, True, False)
    return atoms


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch, random_model):
    monkeypatch.chdir(tmp_path)
    model = random_model(
        charges={"scale": 0.3, "neutrality": "split"},
        equilibration={"elements": ("Na",), "hardness": 4.0},
        cutoff=4.5,
    )
    save_model("m.safetensors", model)
    write("film.xyz", film())


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main([*arguments, "--quiet"])
    return ended.value.code or 0


MD = ("md", "film.xyz", "--model", "m.safetensors", "--dtype", "float64", "--temperature", "100")
STEPS = ("--ensemble", "nve", "--seed", "1", "--checkpoint-stride", "4", "--timestep", "0.2")
OBSERVE = ("--observe", "electrodes:2", "--trajectory-stride", "2")


def test_a_run_at_a_potential_records_the_charge_and_continues_as_it_was():
    at = ("--electrodes", f"{LEFT}; {RIGHT}; potential_V=2.0")
    assert run(*MD, *STEPS, *OBSERVE, *at, "--steps", "12", "--output", "whole") == 0
    assert run(*MD, *STEPS, *OBSERVE, *at, "--steps", "4", "--output", "part") == 0
    assert run("md", "--resume", "part", "--steps", "12") == 0
    whole, part = (Series.load(f"{stem}-electrodes.npz") for stem in ("whole", "part"))
    for name, values in whole.columns.items():
        assert np.array_equal(values, part.columns[name], equal_nan=True), name
    assert whole.columns["potential_V"] == pytest.approx(2.0)
    assert whole.columns["area_A2"] == pytest.approx(np.linalg.det(film().cell[:2, :2]))
    frames = read("whole.traj", ":")
    recorded = np.array([frame.info["electrode_charges"] for frame in frames])
    assert recorded[:, 0] == pytest.approx(whole.columns["charge_e"], abs=1e-10)
    assert recorded.sum(1) == pytest.approx(0, abs=1e-10)
    conserved = np.loadtxt("whole.log")[:, 6]
    assert np.ptp(conserved) < 1e-6
    summary = yaml.safe_load(Path("whole-summary.yml").read_text(encoding="utf-8"))
    assert summary["input"]["provenance"]["electrodes"]["left"] == list(range(8))


def test_electrodes_in_a_file_and_another_potential_is_refused_on_restart(capsys):
    settings = {
        "model": "m.safetensors",
        "electrodes": {"left": "0:8", "right": "10:18", "charge_e": 0.05},
        "observe": ["electrodes:1"],
        "temperature": 100,
        "steps": 2,
        "output": "held",
    }
    Path("md.yml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    assert run("md", "film.xyz", "--config", "md.yml") == 0
    series = Series.load("held-electrodes.npz")
    assert series.columns["charge_e"] == pytest.approx(0.05, abs=1e-6)
    assert np.ptp(series.columns["potential_V"]) > 0
    other = f"{LEFT}; {RIGHT}; charge_e=0.1"
    assert run("md", "--resume", "held", "--electrodes", other) == 2
    assert "a run keeps its electrodes" in capsys.readouterr().err


def test_a_relaxation_at_a_potential_lowers_the_grand_potential():
    at = ("--electrodes", f"{LEFT}; {RIGHT}; potential_V=1.0")
    given = ("--model", "m.safetensors", "--steps", "3", "--dtype", "float64")
    # Three steps do not converge: exit code 1.
    assert run("relax", "film.xyz", *given, *at, "--output", "relaxed") == 1
    energy = np.loadtxt("relaxed.log", usecols=1)
    summary = yaml.safe_load(Path("relaxed-summary.yml").read_text(encoding="utf-8"))
    assert summary["input"]["provenance"]["electrodes"]["potential_V"] == 1.0
    assert energy[-1] < energy[0]


@pytest.mark.parametrize(
    "text", ["left=0:8", f"{LEFT};{RIGHT}", f"{LEFT};{RIGHT};potential_V=x", "volt=1"]
)
def test_incomplete_electrodes_are_refused(text, capsys):
    assert run(*MD, "--electrodes", text, "--steps", "1") == 2
    said = capsys.readouterr()
    assert "potential_V" in said.out + said.err
    assert not Path("md.log").exists()


def test_electrodes_can_be_observed_only_if_there_are_any(capsys):
    assert run(*MD, "--observe", "electrodes", "--steps", "1") == 2
    assert "the calculator has none" in capsys.readouterr().err


def series_of(charge, potential, response=0.02, temperature=300.0, area=50.0) -> Series:
    n = len(charge)
    columns = {
        "charge_e": charge,
        "potential_V": potential,
        "conjugate_charge_e": charge,
        "response_e_per_V": np.full(n, response),
        "area_A2": np.full(n, area),
        "temperature_K": np.full(n, temperature),
        "volume_A3": np.full(n, math.nan),
    }
    return Series(np.arange(n) * 5.0, columns)


def test_gaussian_charges_have_the_capacitance_of_their_variance(rng):
    held, expected = 0.02, 0.5
    spread = math.sqrt(expected * units.kB * 300.0)
    charge = 0.3 + spread * rng.standard_normal(20_000)
    found = capacitance(series_of(charge, np.full(20_000, 1.0), held))
    assert found.constant == "potential"
    total = found.capacitance_e_per_V
    assert abs(total.mean - expected - held) < 4 * total.standard_error
    assert total.standard_error < 0.02 * expected
    per_area = found.per_area(total)
    # 1 e/(V Å²) = 1.602e-19 C/V / 1e-16 cm² = 1602 µF/cm².
    assert per_area.mean == pytest.approx(1602.176634 / 50 * total.mean)
    assert pytest.approx(1602.176634) == MICROFARAD_PER_CM2


def test_both_ensembles_have_the_capacitance_of_a_linear_system(rng):
    # Ω = -X V - ½ r V² + ½ x²/a with X = x + r V: C = a + r; at charge Q, V = (Q - x)/r.
    a, r, kt, n = 0.4, 0.05, units.kB * 300.0, 40_000
    expected = a + r
    x = math.sqrt(a * kt) * rng.standard_normal(n)
    at_potential = capacitance(series_of(x + r * 1.0, np.full(n, 1.0), r))
    # At fixed Q: x²/2a + (Q - x)²/2r, so that x has variance 1/(1/a + 1/r).
    x = math.sqrt(kt / (1 / a + 1 / r)) * rng.standard_normal(n) + 0.1 * a / expected
    at_charge = capacitance(series_of(np.full(n, 0.1), (0.1 - x) / r, r))
    assert at_charge.constant == "charge"
    for found in (at_potential, at_charge):
        total = found.capacitance_e_per_V
        assert abs(total.mean - expected) < 4 * total.standard_error
        assert total.standard_error < 0.1 * expected


def test_capacitance_from_the_command_line(capsys, rng):
    charge = 0.3 + 0.01 * rng.standard_normal(400)
    series_of(charge, np.full(400, 1.5)).save("run-electrodes.npz")
    assert run("capacitance", "run", "--skip", "0.5", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["samples"] == 300
    assert found["potential_V"]["mean"] == 1.5
    assert Path("run-capacitance-summary.yml").exists()
    assert run("capacitance", "run") == 2
    assert "exists already" in capsys.readouterr().err
    assert run("capacitance", "missing") == 2
    assert "--observe electrodes" in capsys.readouterr().err


def test_a_series_of_changing_potential_has_no_capacitance():
    ramp = np.linspace(0, 1, 50)
    with pytest.raises(ValueError, match="neither the potential nor the charge"):
        capacitance(series_of(ramp, ramp))
    with pytest.raises(ValueError, match="at least two samples are needed, 0 are left"):
        capacitance(series_of(ramp, ramp), skip_ps=10.0)


def test_atoms_are_selected_as_elsewhere():
    atoms = film()
    found = select_electrodes(atoms, "Na & bottom:2", [10, 11], charge_e=0.1)
    assert found == {"left": list(range(8)), "right": [10, 11], "charge_e": 0.1}

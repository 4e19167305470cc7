"""The verb `sfg`, and layers of the verb `infrared`."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from ase.io import Trajectory

sys.path.insert(0, str(Path(__file__).parents[1] / "properties"))

from vibrating_bonds import Bond, PointCharges, frames

from ase_les.cli import main

BONDS = [
    Bond((2, 2, 20), (0, 0, 1), 3700.0, 0.1),
    Bond((6, 6, 15), (1, 0, 1), 3300.0, 0.9),
    Bond((2, 2, 10), (0, 0, -1), 3700.0, 2.0),
]


def exit_code(*arguments) -> int:
    try:
        main([str(each) for each in arguments])
    except SystemExit as done:
        return int(done.code or 0)
    return 0


@pytest.fixture
def film(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with Trajectory("film.traj", "w") as trajectory:
        trajectory.set_description({"timestep": 2 * 0.09822694788464063, "interval": 1})
        for atoms in frames(BONDS, 150, 2.0):
            trajectory.write(atoms)
    return tmp_path


def test_sfg_of_a_trajectory(film, monkeypatch, capsys):
    options = ("--max-lag", 150, "--layers", 2, "--surface", "planes", "--json")
    assert exit_code("sfg", "film.traj", *options) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["bands"]["free O–H, positive"]["center_per_cm"]["mean"] == pytest.approx(
        3700, abs=15
    )
    assert told["input"]["layers"] == pytest.approx({"|z| < 2 Å": 1, "|z| > 2 Å": 2})
    names = ("film-chi.npz", "film-chi.png", "film-chi-summary.yml")
    assert all((film / name).exists() for name in names)
    # The output is checked before the trajectory.
    monkeypatch.setattr("ase_les.properties.recorded_run.read_frames", None)
    assert exit_code("sfg", "film.traj", *options) == 2
    assert "exists already" in capsys.readouterr().err


def test_infrared_of_layers_of_a_trajectory(film, monkeypatch, capsys):
    monkeypatch.setattr(
        "ase_les.cli._calculator.make_calculator", lambda *given, **settings: PointCharges()
    )
    threads = []
    monkeypatch.setattr("ase_les.cli._calculator.set_threads", threads.append)
    options = (
        "--model",
        "M",
        "--threads",
        1,
        "--window",
        "hann",
        "--resolution",
        200,
        "--json",
        "--output",
        "ir",
    )
    assert exit_code("infrared", "--from-run", "film", "--layers", "2", *options) == 0
    assert threads == [1]
    told = json.loads(capsys.readouterr().out)
    (band,) = told["layers"]["|z| > 2 Å"]["peaks"].values()
    assert band["center_per_cm"]["mean"] == pytest.approx(3700, abs=15)
    assert (film / "ir.png").exists()
    with np.load(film / "ir.npz") as arrays:
        assert arrays["molar_absorption_km_per_mol_cm"].shape[:2] == (2, 3)
    # The currents are a record like that of a run.
    again = ("--layers", "recorded", "--resolution", 200, "--window", "hann", "--output", "again")
    assert exit_code("infrared", "--from-run", "ir", *again, "--quiet") == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("sfg", "other"), "no file"),
        *(
            (("sfg", "other", option, value), f"omit {option}")
            for option, value in (
                ("--frame-interval", "2"),
                ("--skip", "1"),
                ("--max-lag", "500"),
                ("--layers", "3"),
                ("--surface", "planes"),
                ("--cutoff", "0"),
                ("--perpendicular", "0.5"),
            )
        ),
        (("sfg", "film.traj", "--layers", "a"), "edges in Å"),
        (("sfg", "film.traj", "--surface", "rough"), "needed: one of planes, instantaneous"),
        (("sfg", "film.traj", "--surface", "planes"), "need 501 configurations"),
        (("infrared", "--from-run", "film", "--layers", "3"), "give --model"),
        (("infrared", "--from-run", "film", "--layers", "recorded"), "--observe layers"),
        (("infrared", "--from-run", "film", "--layers", "recorded"), "--layers 3,6 --model M"),
        (
            ("infrared", "--from-run", "film", "--layers", "recorded", "--center", "Ti"),
            "omit --center",
        ),
        (
            ("infrared", "--from-run", "film", "--layers", "recorded", "--surface", "planes"),
            "omit --surface",
        ),
        (("infrared", "--from-run", "film", "--center", "Ti"), "omit --center"),
        (("infrared", "--from-run", "film", "--surface", "planes"), "omit --surface"),
        (
            (
                *("infrared", "--from-run", "film", "--layers", "3", "--model", "M"),
                *("--surface", "instantaneous", "--center", "O"),
            ),
            "neither",
        ),
        (("infrared", "--from-run", "film", "--layers", "3", "--molecules", "3"), "do not use"),
        (("infrared", "a.xyz", "--model", "M", "--layers", "3"), "does not use"),
    ],
)
def test_mistakes_are_told(film, capsys, arguments, message):
    assert exit_code(*arguments) == 2
    assert message in " ".join(capsys.readouterr().err.split())

"""``ase-les dielectric`` and ``transport`` say what the library says."""

from __future__ import annotations

import json

import numpy as np
import pytest

from ase_les import cli
from ase_les.properties.dielectric import static_dielectric
from ase_les.simulation.series import Series


@pytest.fixture
def stem(tmp_path, rng):
    n = 4000
    common = {"volume_A3": np.full(n, 900.0), "temperature_K": np.full(n, 310.0)}
    current = rng.normal(size=(n, 3))
    steps = current[1:] + current[:-1]
    dipole = np.concatenate([np.zeros((1, 3)), np.cumsum(steps, axis=0)])
    for kind, column, values in (
        ("dipole", "dipole_eA", dipole),
        ("current", "current_eA_per_fs", current),
    ):
        Series(np.arange(n) * 2.0, {column: values, **common}).save(tmp_path / f"run-{kind}.npz")
    return tmp_path / "run"


def told(capsys, *arguments):
    with pytest.raises(SystemExit) as ended:
        cli.main([str(each) for each in arguments])
    said = capsys.readouterr()
    return ended.value.code, said.out, said.err


def test_dielectric_writes_its_files_beside_the_run_and_prints_json(stem, capsys):
    code, out, err = told(
        capsys, "dielectric", stem, "--epsilon-infinity", 1.78, "--resolution", 30, "--json"
    )
    assert code == 0, err
    dipole = np.sqrt(1.78) * Series.load(f"{stem}-dipole.npz").columns["dipole_eA"]
    expected = static_dielectric(dipole, 2.0, 900.0, 310.0, epsilon_infinity=1.78)
    assert json.loads(out)["static"]["epsilon"]["mean"] == pytest.approx(expected.epsilon.mean)
    assert "static ε" in err
    assert "charges are latent" not in err
    for ending in ("-summary.yml", ".npz", ".png"):
        assert stem.with_name(f"run-dielectric{ending}").exists()


def test_transport_writes_its_files_beside_the_run_and_prints_json(stem, capsys):
    code, out, err = told(capsys, "transport", stem, "--plateau", "0.5,1", "--json", "--quiet")
    assert code == 0 and err == ""
    found = json.loads(out)["conductivity"]
    assert found["plateau_ps"] == [0.5, 1.0]
    assert found["green_kubo_S_per_m"]["mean"] is not None
    for ending in ("-summary.yml", ".npz", ".png"):
        assert stem.with_name(f"run-transport{ending}").exists()


@pytest.mark.parametrize("verb", [("dielectric", "--resolution", 30), ("transport",)])
def test_charges_of_a_bulk_are_called_latent_until_someone_knows_better(verb, stem, capsys):
    code, out, err = told(capsys, *verb, stem, "--json")
    assert code == 0
    assert "charges are latent (ε∞ = 1); give ε∞ of the bulk with --dielectric" in err
    assert "charges are latent" not in out
    _, _, err = told(capsys, *verb, stem, "--dielectric", 1.78, "--overwrite")
    assert "charges are latent" not in err
    # What the calculator of the run had is known without being said.
    for kind in ("dipole", "current"):
        path = f"{stem}-{kind}.npz"
        series = Series.load(path)
        Series(series.time_fs, series.columns, 1.78 * np.eye(3)).save(path)
    _, _, err = told(capsys, *verb, stem, "--overwrite")
    assert "charges are latent" not in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["dielectric", "nowhere"], "--observe dipole "),
        (["transport", "nowhere"], "no run 'nowhere'"),
        (["transport", "nowhere", "--charges", "Na+"], "Na=1,Cl=-1"),
        (["transport", "nowhere", "--fit", "3"], "FROM,TO"),
    ],
)
def test_mistakes_end_in_one_message(arguments, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, _, err = told(capsys, *arguments)
    assert code == 2 and message in err
    assert list(tmp_path.iterdir()) == []

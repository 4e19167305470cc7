"""Tables, figures and summaries of dynamics runs and relaxations."""

from pathlib import Path

import numpy as np
import pytest
import yaml
from ase import Atoms, units
from ase.build import bulk
from ase.calculators.emt import EMT

from ase_les.reports import dynamics, figures, relaxation
from ase_les.simulation import relax, relax_many, run_dynamics


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def drawn(monkeypatch):
    """Figures instead of files: path, label of x, and panels by label."""
    found = []

    def record(path, x, label, panels):
        found.append((path.name, label, {panel.label: panel.curves for panel in panels}))

    monkeypatch.setattr(figures, "save_figure", record)
    return found


def copper() -> Atoms:
    atoms = bulk("Cu", cubic=True)
    atoms.rattle(0.1, seed=2)
    atoms.calc = EMT()
    return atoms


def rows(table) -> dict[str, str]:
    names, values = (list(column.cells) for column in table.columns)
    return dict(zip(names, values, strict=True))


def test_a_run_has_summary_figures_and_table(drawn):
    result = run_dynamics(
        copper(), steps=30, temperature_K=300, timestep_fs=2, observe={"rdf": 10}, output="run"
    )
    dynamics.write(result)
    names = [name for name, _, _ in drawn]
    assert names == ["run.png", "run-rdf-Cu-Cu.png"]
    energies = drawn[0][2]["energy − start / eV"]
    assert energies["total"][0] == 0.0
    assert np.isclose(energies["total"][-1], np.diff(result.series.total_energy_eV).sum())
    summary = yaml.safe_load(Path("run-summary.yml").read_text())
    assert summary["results"]["steps"] == 30
    assert summary["results"]["averages"]["rdf-Cu-Cu"]["configurations"] == 4
    assert rows(dynamics.table(result))["steps"] == "30 of 30 (0.06 ps)"


def test_each_stage_of_the_figure_starts_from_zero(drawn):
    stages = [{"steps": 10, "ensemble": "nvt-bussi"}, {"steps": 10, "ensemble": "nve"}]
    result = run_dynamics(copper(), stages=stages, temperature_K=300, timestep_fs=2, log_stride=1)
    dynamics.write(result)
    (conserved,) = drawn[0][2]["conserved − start\n/ (meV/atom)"].values()
    # The conserved quantities of both ensembles differ by the heat of the thermostat.
    assert abs(np.diff(result.series.conserved_eV_per_atom)[10]) > 1e-4
    assert conserved[0] == conserved[11] == 0.0


@pytest.mark.slow
def test_a_relaxed_cell_is_in_the_table(drawn):
    result = relax(copper(), cell="full", fmax=0.02)
    relaxation.write(result, "elsewhere")
    assert drawn[0][0] == "elsewhere.png"
    (stress,) = [curves for label, curves in drawn[0][2].items() if "stress" in label]
    assert stress["smax"][0] == pytest.approx(100 * units.bar)
    table = rows(relaxation.table(result))
    before, after = table["a, b, c (Å)"].split(" → ")
    assert before.split(", ")[0] == f"{copper().cell.lengths()[0]:.4f}"
    assert after.split(", ")[0] == f"{result.atoms.cell.lengths()[0]:.4f}"
    volume = float(table["volume (Å³)"].split(" → ")[1])
    assert volume == pytest.approx(result.atoms.get_volume(), abs=1e-3)
    assert "volume (Å³)" not in rows(relaxation.table(relax(copper(), fmax=1, output="fixed")))


def test_a_batch_that_stopped_names_what_remains(capsys):
    result = relax_many([copper(), copper()], EMT(), steps=1, fmax=1e-4)
    relaxation.write_batch(result)
    assert yaml.safe_load(Path("relaxed-summary.yml").read_text())["results"]["relaxed"] == 2
    relaxation.show_batch(result)
    assert capsys.readouterr().err.count("NOT CONVERGED") == 2
    relaxation.show_batch(result, quiet=True)
    assert capsys.readouterr().err == ""

"""The studies that record a current, as a newcomer would run them."""

from __future__ import annotations

import numpy as np
import pytest
import yaml
from test_studies import STUDIES, needs_water_model, run

from ase_les import list_models


@pytest.mark.slow
@needs_water_model
def test_water_absorbs_where_its_molecules_stretch_and_a_finished_run_is_used_again(tmp_path):
    arguments = ("05_infrared_of_water.py", "--smoke", "--output", tmp_path)
    said = run(*arguments)
    assert "O-H stretch" in said and "experiment" in said
    summary = yaml.safe_load((tmp_path / "water-infrared-summary.yml").read_text())
    # Nothing is converged after 0.2 ps, but protons are where they are.
    assert 3100 < summary["peaks"]["O-H stretch"]["center_per_cm"]["mean"] < 3700
    with np.load(tmp_path / "water-infrared.npz") as arrays:
        waves, absorption = arrays["wavenumber_per_cm"], arrays["absorption_per_cm"]
    # Which band is strongest depends on the few vibrations that 0.2 ps have time for; between bend
    # and stretch there is nothing whatever they do.
    stretch = absorption[(waves > 3100) & (waves < 3700)].max()
    assert absorption[(waves > 2000) & (waves < 2600)].max() < 0.2 * stretch
    log = (tmp_path / "water.log").read_text()
    run(*arguments)
    assert (tmp_path / "water.log").read_text() == log


@pytest.mark.slow
@needs_water_model
def test_salt_water_gives_structure_and_transport(tmp_path):
    said = run("06_salt_water.py", "--smoke", "--output", tmp_path)
    summary = yaml.safe_load((tmp_path / "salt-water-transport-summary.yml").read_text())
    assert "green_kubo_S_per_m" in summary["conductivity"]
    assert set(summary["diffusion"]) >= {"H", "O"}
    structure = yaml.safe_load((tmp_path / "salt-water-rdf.yml").read_text())["rdf"]
    # The first neighbors of oxygen in any water that is not falling apart.
    assert 2.5 < structure["O-O"]["first_peak"]["distance_A"] < 3.0
    if "nacl-aq" in list_models():
        assert "nernst_einstein_S_per_m" in summary["conductivity"]
    else:
        assert "No model of salt water is shipped yet" in said


@pytest.mark.slow
@pytest.mark.skipif("tio2-nacl-aq" not in list_models(), reason="tio2-nacl-aq is not shipped")
def test_layers_of_an_interface_add_up_and_a_finished_run_is_used_again(tmp_path):
    arguments = ("18_infrared_by_layer.py", "--quick", "--output", tmp_path)
    said = run(*arguments)
    assert "O–H stretch" in said and "quick mode" in said
    summary = yaml.safe_load((tmp_path / "study-summary.yml").read_text())
    assert summary["results"]["time / ps"] == pytest.approx(0.15)
    with np.load(tmp_path / "interface-layers.npz") as series:
        molecules = series["layer_molecules"].sum(axis=1)
    assert np.ptp(molecules) < 1e-9
    log = (tmp_path / "interface.log").read_text()
    run(*arguments)
    assert (tmp_path / "interface.log").read_text() == log


@pytest.mark.slow
@needs_water_model
def test_a_film_of_water_gives_sum_frequency_and_layers(tmp_path):
    said = run("19_sum_frequency_of_water.py", "--quick", "--output", tmp_path)
    assert "positive band of Im χ" in said and "quick mode" in said
    summary = yaml.safe_load((tmp_path / "study-summary.yml").read_text())
    assert summary["time_ps"] == pytest.approx(0.16)
    with np.load(tmp_path / "chi.npz") as arrays:
        assert np.isfinite(arrays["chi_1e22_m2_per_V"]).all()
    assert (tmp_path / "layers.png").stat().st_size > 1000
    # A continued run keeps its time step, whatever the arguments are.
    source, quick = (STUDIES / "19_sum_frequency_of_water.py").read_text(), "= 160, 1.0"
    assert quick in source
    (tmp_path / "other_step.py").write_text(source.replace(quick, "= 160, 0.8"))
    run(tmp_path / "other_step.py", "--quick", "--output", tmp_path)
    again = yaml.safe_load((tmp_path / "study-summary.yml").read_text())
    assert again["results"] == summary["results"]

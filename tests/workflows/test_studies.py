"""Every study of the gallery runs as a newcomer would run it, and gives its table."""

import io
import os
import runpy
import subprocess
import sys
from argparse import Namespace
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import yaml
from ase import Atoms
from ase.build import molecule
from ase.io import read, write

from ase_les import list_models
from ase_les.properties.molecules import molecular_dipoles

STUDIES = Path(__file__).parents[2] / "workflows"

needs_water_model = pytest.mark.skipif(
    "water-rpbe-d3" not in list_models(), reason="the model water-rpbe-d3 is not shipped"
)


def run(script, *arguments):
    """Run a study as `python script arguments` does, in this process; return what it printed."""
    printed = io.StringIO()
    command = [str(STUDIES / script), *map(str, arguments)]
    argv = mock.patch.object(sys, "argv", command)
    with argv, redirect_stdout(printed), redirect_stderr(printed):
        runpy.run_path(command[0], run_name="__main__")
    return printed.getvalue()


@pytest.mark.slow
@needs_water_model
def test_liquid_water_has_negative_oxygen_and_stays_near_its_temperature(tmp_path):
    """In a process of its own, with the shell's environment, as the README says."""
    command = [sys.executable, STUDIES / "01_liquid_water.py", "--steps", "40", "--threads", "1"]
    outcome = subprocess.run(
        [*command, "--output", tmp_path],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=False,
    )
    assert outcome.returncode == 0, outcome.stderr
    summary = yaml.safe_load((tmp_path / "water-summary.yml").read_text())
    assert 200 < summary["results"]["temperature_K"]["mean"] < 400
    assert "mean molecular dipole" in outcome.stderr
    assert (tmp_path / "water-dipoles.png").stat().st_size > 1000


@pytest.mark.slow
def test_a_dopant_deep_in_magnesia_decides_whether_gold_wets_it(tmp_path, shared):
    """DFT: −66.9 meV doped, +934.8 meV undoped (Ko et al. 2021); published LES −70.6, +931.3."""
    run(
        "02_gold_on_magnesia.py",
        *("--model", shared / "published/au-mgo-lr/checkpoint.pth"),
        *("--structures", shared / "data/au2-mgo/dft-optimized.extxyz"),
        *("--output", tmp_path),
    )
    summary = yaml.safe_load((tmp_path / "wetting-summary.yml").read_text())
    found = summary["wetting_minus_nonwetting_meV"]
    assert found["DFT"] == pytest.approx({"doped": -66.9, "undoped": 934.8}, abs=0.1)
    assert found["model"] == pytest.approx({"doped": -70.6, "undoped": 931.3}, abs=1.0)
    assert (tmp_path / "wetting.png").stat().st_size > 1000


@pytest.mark.slow
def test_salt_has_its_measured_optical_modes(tmp_path):
    """Measured: 164 and 264 cm⁻¹; the published splitting from perturbation theory is 193."""
    pytest.importorskip("seekpath")
    said = run("04_ionic_crystal_lo_to.py", "--min-length", 8, "--output", tmp_path)
    assert "measured" in said
    summary = yaml.safe_load((tmp_path / "crystal-summary.yml").read_text())
    gamma = summary["non_analytic"]["gamma"][0]
    assert 33.356 * gamma["without_field_THz"][-1] == pytest.approx(164, rel=0.15)
    assert 33.356 * gamma["with_field_THz"][-1] == pytest.approx(264, rel=0.1)
    assert gamma["splitting_term_per_cm"] == pytest.approx(193, rel=0.1)
    assert summary["lowest_frequency_THz"] > -0.5
    assert (tmp_path / "crystal-bands.png").stat().st_size > 10000


@pytest.mark.slow
def test_a_rock_salt_model_goes_through_the_study_of_its_splitting(tmp_path):
    pytest.importorskip("seekpath")
    from ase_les import LESModel, ModelConfig, save_model
    from ase_les.charges import ChargesConfig
    from ase_les.model import LongRangeConfig
    from ase_les.representation import CaceConfig

    charges = ChargesConfig(neutrality="split", formal_charges={"Na": 1, "Cl": -1})
    representation = CaceConfig(4.0, n_radial=3, n_mixed=2, n_embedding=2, l_max=2)
    config = ModelConfig(
        {"Na": 0.0, "Cl": 0.0}, representation, long_range=LongRangeConfig(charges)
    )
    save_model(tmp_path / "untrained.safetensors", LESModel(config, seed=1))
    said = run(
        "04_ionic_crystal_lo_to.py",
        *("--model", tmp_path / "untrained.safetensors", "--output", tmp_path / "study"),
        *("--min-length", 8, "--steps", 1),
    )
    assert "measured" in said and "LO" in said
    summary = yaml.safe_load((tmp_path / "study" / "crystal-summary.yml").read_text())
    (charge, *_) = summary["non_analytic"]["born_effective_charges_e"]
    # 4π k_e Z² / (V μ) of two ions, whatever Z and V have come out.
    volume = summary["primitive_volume_A3"]
    splitting = summary["non_analytic"]["gamma"][0]["splitting_term_per_cm"]
    reduced = 1 / (1 / 22.98976928 + 1 / 35.45)
    squared = 4 * 3.14159265 * 14.399645 * charge[0][0] ** 2 / (volume * reduced)
    assert splitting == pytest.approx(521.4709 * squared**0.5, rel=1e-3)


@pytest.mark.slow
def test_displaced_atoms_of_surfaces_agree_with_the_derivative(tmp_path):
    needed = {"nacl", "mgo", "tio2-nacl-aq"}
    if not needed <= set(list_models()):
        pytest.skip(f"of {sorted(needed)} not all are shipped")
    said = run(
        "15_born_charges_of_surfaces.py",
        *("--layers", 2, "--frames", 1, "--output", tmp_path),
    )
    assert "O of water" in said
    summary = yaml.safe_load((tmp_path / "surfaces-summary.yml").read_text())
    for each in summary["displacement_against_analytic"].values():
        assert each["largest_difference_e"] < 1e-4
    # A surface of a film: two layers are mirror images of each other.
    rows = summary["mgo_001"]["rows"]
    assert {row["layer"] for row in rows} == {0, 1}
    by_element = {}
    for row in rows:
        by_element.setdefault(row["symbol"], []).append(row["normal_e"])
    assert all(one == pytest.approx(two, abs=1e-6) for one, two in by_element.values())
    assert (tmp_path / "nacl-001-layers.png").stat().st_size > 10000


def test_dft_of_magnesia_obeys_its_sum_rule_and_is_screened_inside():
    film = read(STUDIES / "born_charges_of_magnesia_dft.extxyz")
    normal = film.arrays["REF_born_charge_normal_at_zero_D"]
    assert normal.sum() == pytest.approx(0.0, abs=0.02)
    # Bulk by another program, another functional and perturbation theory: Z*/ε∞.
    crystals = read(STUDIES.parent / "models" / "mgo" / "born.extxyz", ":")
    epsilon = np.mean([atoms.info["REF_dielectric"][::4] for atoms in crystals])
    magnesium = [
        atoms.arrays["REF_born_effective_charges"][atoms.symbols == "Mg", ::4] for atoms in crystals
    ]
    assert normal[2] == pytest.approx(np.mean(magnesium) / epsilon, rel=0.03)


@pytest.mark.slow
@needs_water_model
def test_a_water_film_does_not_feel_how_long_its_cell_is(tmp_path):
    run("07_water_film.py", "--steps", 20, "--repeats", 1, "--output", tmp_path, "--threads", 1)
    summary = yaml.safe_load((tmp_path / "profile-summary.yml").read_text())
    assert abs(summary["results"]["net_charge_e"]) < 1e-6
    study = yaml.safe_load((tmp_path / "study-summary.yml").read_text())["results"]
    assert study["energy change when the vacuum is doubled / eV"] == pytest.approx(0, abs=1e-4)
    with np.load(tmp_path / "profile-profiles.npz") as arrays:
        # 64 molecules of 18.015 u (1.66053907 g/cm³ per u/Å³) on 12.429² Å².
        width = arrays["position_A"][1] - arrays["position_A"][0]
        mass = arrays["mass_g_per_cm3"].sum() * width * 12.429**2
        assert mass == pytest.approx(64 * 18.015 * 1.66053907, rel=1e-6)
        # The tails of the smeared charges have not quite ended at the first point.
        assert abs(arrays["field_V_per_A"][0]) < 1e-9
        assert abs(arrays["field_V_per_A"][-1]) < 1e-6
    assert (tmp_path / "profile.png").stat().st_size > 1000


@pytest.mark.slow
def test_the_interface_study_runs_on_the_shipped_interface_and_says_so(tmp_path):
    arguments = ("--smoke", "--output", tmp_path, "--relax-steps", 2)
    assert "smoke mode" in run("08_titania_salt_water.py", *arguments)
    summary = yaml.safe_load((tmp_path / "study-summary.yml").read_text())
    assert summary["model"] == "tio2-nacl-aq"
    assert summary["results"]["sum of charges / e"] == pytest.approx(0, abs=1e-12)
    assert summary["results"]["steps of dynamics"] == 40
    assert summary["results"]["energy gained by relaxing / (meV/atom)"] > 0
    run("08_titania_salt_water.py", *arguments, "--resume", "--steps", 20)
    summary = yaml.safe_load((tmp_path / "study-summary.yml").read_text())
    assert summary["results"]["steps of dynamics"] == 60


@pytest.mark.slow
@needs_water_model
def test_three_ways_to_the_polarizability_of_a_molecule_agree(tmp_path):
    run("09_molecule_in_a_field.py", "--output", tmp_path, "--fields", 5)
    found = yaml.safe_load((tmp_path / "field-summary.yml").read_text())["results"]
    dipole = found["dipole without field / (e Å)"]
    assert found["dipole from the energy, −dF/d𝓔 / (e Å)"] == pytest.approx(dipole, rel=1e-4)
    modes = found["α along the dipole, Born charges and modes / Å³"]
    assert modes > 0
    for way in ("relaxed dipole", "energy"):
        assert found[f"α along the dipole, from the {way} / Å³"] == pytest.approx(modes, rel=0.01)
    assert found["α along the dipole, nuclei held / Å³"] == pytest.approx(0, abs=1e-9)
    assert (tmp_path / "field.png").stat().st_size > 1000


def test_dipoles_of_dipeptides_follow_from_charges(tmp_path):
    run("10_dipeptide_dipoles.py", "--output", tmp_path, "--no-spectrum")
    summary = yaml.safe_load((tmp_path / "study-summary.yml").read_text())
    assert summary["model"] == "dipeptides"
    assert summary["agreement"]["R2"] > 0.9
    assert all(abs(row["sum_of_charges_e"]) < 1e-12 for row in summary["dipoles"])


@pytest.mark.slow
def test_the_smallest_molecule_of_the_study_has_an_infrared_spectrum(tmp_path):
    """Methanol stands for the dipeptides: displacements of 6 atoms instead of 22."""
    small = molecule("CH3OH")
    small.info["REF_dipole"] = np.array([0.3, 0.1, 0.0])
    write(tmp_path / "small.extxyz", small)
    run(
        *("10_dipeptide_dipoles.py", "--structures", tmp_path / "small.extxyz"),
        *("--output", tmp_path, "--steps", 3),
    )
    spectrum = yaml.safe_load((tmp_path / "study-summary.yml").read_text())["spectrum"]
    assert spectrum["relaxed"] == {"converged": False, "steps": 3}
    assert (tmp_path / "spectrum.png").stat().st_size > 1000


def test_dipoles_of_dipeptides_follow_from_a_published_checkpoint(tmp_path, shared):
    """Published: R² 0.991 over all conformations, about the center of mass of neutral molecules."""
    checkpoint = shared / "published/les-dipeptides-r-4-nl-2-nu-3/checkpoint.pth"
    run("10_dipeptide_dipoles.py", "--model", checkpoint, "--no-spectrum", "--output", tmp_path)
    summary = yaml.safe_load((tmp_path / "study-summary.yml").read_text())
    assert summary["agreement"]["R2"] > 0.85


@pytest.mark.slow
@needs_water_model
def test_oxygens_of_water_have_neighbors_at_hydrogen_bond_distance(tmp_path):
    born = tmp_path / "born.extxyz"
    water = read(STUDIES / "water64.extxyz")
    charges = np.where(water.numbers == 8, -1.0, 0.5)
    water.arrays["REF_born_effective_charges"] = charges[:, None] * np.eye(3).ravel()
    write(born, water)
    said = run("11_structure_of_water.py", "--smoke", "--born-charges", born, "--output", tmp_path)
    summary = yaml.safe_load((tmp_path / "structure-summary.yml").read_text())
    assert 2.6 < summary["oxygen_oxygen"]["first_peak"]["distance_A"] < 3.0
    assert 0.3 < summary["molecular_dipole_eA"]["mean"] < 0.6
    rigid = np.linalg.norm(molecular_dipoles(water, charges), axis=1).mean()
    assert float(summary["published_rpbe_d3"]["dipole"]) == pytest.approx(rigid, abs=1e-3)
    assert "experiment" in said
    assert (tmp_path / "oxygen-oxygen.png").stat().st_size > 1000


@pytest.mark.slow
def test_pairs_of_molecules_are_learned_with_charges_and_without(tmp_path):
    said = run("12_charged_dimers.py", "--smoke", "--output", tmp_path)
    summary = yaml.safe_load((tmp_path / "dimers-summary.yml").read_text())
    found = summary["errors_beyond_training"]["CC"]
    assert set(found) == {"short range", "with charges"}
    assert all(0 < error["forces_rmse_meV_per_A"] < 2000 for error in found.values())
    assert min(summary["distances_A"]["CC"]) > 8
    assert "the numbers mean nothing" in said
    assert (tmp_path / "CC.png").stat().st_size > 1000


@pytest.mark.slow
def test_only_charges_carry_a_dopant_to_gold_out_of_its_reach(tmp_path):
    said = run("13_gold_out_of_reach.py", "--smoke", "--output", tmp_path)
    assert "short range" in said
    summary = yaml.safe_load((tmp_path / "wetting-summary.yml").read_text())
    assert summary["one_atom_sees_gold_and_aluminium_within_A"] > summary["cutoff_A"]
    effect = summary["pairs"]["effect_of_aluminium_meV"]
    assert len(effect["PBE"]) == 4
    # Whatever it has learned: two epochs blind it no less than three hundred.
    assert np.abs(effect["short range"]).max() < 1e-4
    assert np.std(effect["LES"]) > 50
    found = summary["wetting_minus_nonwetting_meV"]
    assert found["short range"]["doped"] == pytest.approx(found["short range"]["undoped"], abs=1.0)
    for substrate in ("doped", "undoped"):
        assert found["LES"][substrate] == pytest.approx(found["PBE"][substrate], abs=50)
    assert (tmp_path / "wetting.png").stat().st_size > 1000


@pytest.mark.slow
def test_electrodes_of_platinum_take_up_charge_at_a_potential(tmp_path):
    said = run("17_electrodes_at_a_potential.py", "--quick", "--output", tmp_path)
    assert "of the electrons" in said
    summary = yaml.safe_load((tmp_path / "electrodes-summary.yml").read_text())
    low, high = (summary["potentials"][name] for name in ("0 V", "2 V"))
    empty = high["capacitance_uF_per_cm2"]["electrons_at_fixed_positions"]["mean"]
    # Two planes 30 Å apart in vacuum: 8.854e-12 F/m / 30 Å = 0.295 µF/cm².
    assert empty == pytest.approx(0.295, rel=0.1)
    gained = high["charge_e"]["mean"] - low["charge_e"]["mean"]
    assert gained > 2 * empty * high["area_A2"] / 1602.18
    assert (tmp_path / "profiles.png").stat().st_size > 1000


def test_a_run_at_a_potential_starts_where_the_one_before_it_ended(tmp_path):
    study = runpy.run_path(str(STUDIES / "17_electrodes_at_a_potential.py"))
    starts = []

    def settled(atoms, potential_V, stem, arguments):
        starts.append(atoms.info.get("ended_at"))
        return {"atoms": Atoms("Pt", info={"ended_at": potential_V})}

    arguments = Namespace(model="pt-kf-aq", potentials=[2.0, 1.0, 0.0], output=tmp_path)
    at_potentials = study["at_potentials"]
    with mock.patch.dict(at_potentials.__globals__, settled=settled):
        at_potentials(arguments)
    assert starts == [None, 2.0, 1.0]


@pytest.mark.slow
def test_platinum_levels_the_potential_of_ions_before_it(tmp_path):
    said = run("14_ions_between_platinum.py", "--output", tmp_path)
    assert "K and F apart" in said
    summary = yaml.safe_load((tmp_path / "ions-summary.yml").read_text())
    drop = summary["potential_through_the_metal_V"]
    assert abs(drop["local"]) > 1.0
    assert abs(drop["all"]) < 0.4 * abs(drop["local"])
    of_flow, apart = np.array(summary["energy_of_flow_eV"]), np.array(summary["ions_apart_A"])
    # A minimum over what flows; ions far apart have the larger dipole.
    assert of_flow.max() <= 0
    assert of_flow[apart > 5].mean() < 2 * of_flow[apart < 3].mean()
    assert (tmp_path / "potential.png").stat().st_size > 1000


@pytest.mark.slow
def test_lines_of_quartz_have_their_symmetry_and_are_near_experiment(tmp_path):
    """P3₂21: 4 A1 and 8 E modes scatter, the breathing of the rings at 464 1/cm most."""
    if "sio2" not in list_models():
        pytest.skip("the model sio2 is not shipped")
    run("20_raman.py", "--only", "quartz", "--output", tmp_path)
    rows = yaml.safe_load((tmp_path / "raman-summary.yml").read_text())["quartz"]
    assert [row["symmetry"] for row in rows] == 4 * ["A1"] + 8 * ["E"]
    for row in rows:
        measured = row["experiment_per_cm"]
        assert row["wavenumber_per_cm"] == pytest.approx(measured, abs=0.06 * measured + 10)
    strongest = max(rows, key=lambda row: row["activity_A4_per_amu"])
    assert strongest["experiment_per_cm"] == 464.0
    harmonic = yaml.safe_load((tmp_path / "quartz-summary.yml").read_text())
    ratios = np.array(harmonic["depolarization_ratios"], dtype=float)
    pairs = np.isclose(np.diff(harmonic["wavenumbers_per_cm"]), 0, atol=0.5)
    np.testing.assert_allclose(ratios[:-1][pairs], 0.75, atol=1e-3)

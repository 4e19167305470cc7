"""Potentials relative to vacuum: what a reference determines, and what is refused."""

import math
from pathlib import Path

import numpy as np
import pytest
import yaml
from ase import Atoms
from ase.build import fcc111
from ase.calculators.singlepoint import SinglePointCalculator

from ase_les import LESCalculator
from ase_les.cli import main
from ase_les.model_io import save_model
from ase_les.properties.absolute_potential import (
    PotentialCalibration,
    absolute_potential,
    calibrate_potential,
    calibrate_work_function,
    macroscopic_average,
    work_functions,
)
from ase_les.properties.planar_potential import PlanarPotential
from ase_les.properties.vacuum_levels import calibrated, vacuum_levels
from ase_les.testing.rigid_charges import rigid_charge_model
from ase_les.units import COULOMB_CONSTANT

CORES = {"Mg": 35.0, "O": 22.0}
HEIGHT, AREA, SMEARED = 40.0, 9.0, 0.3
# Width of the cores in Å; the model of the calibration has none.
CORE = 0.25


def with_charges(atoms: Atoms) -> Atoms:
    charges = np.where(atoms.symbols == "Mg", 1.2, -1.2)
    atoms.calc = SinglePointCalculator(atoms, charges=charges)
    return atoms


def planes(symbols: str, heights) -> Atoms:
    """Planes of 9 Å² with one atom of each symbol."""
    atoms = Atoms(symbols, [(0, 0, z) for z in heights], cell=[3, 3, HEIGHT], pbc=(1, 1, 0))
    return with_charges(atoms)


def with_label(atoms: Atoms, zero: float = 0.0) -> Atoms:
    """Add a reference potential: that of smeared charges and of Gaussian cores.

    At i/n of the height, as on the grids of DFT programs.
    """
    along = PlanarPotential(axis=2, bin_A=0.1, smearing_A=SMEARED)
    # Its values are at (i + ½)/n.
    half = 0.05
    moved = atoms.copy()
    moved.positions[:, 2] += half
    along.add(with_charges(moved))
    result = along.result()
    label = result.curves["potential_V"] + zero
    for symbol, z in zip(atoms.symbols, atoms.positions[:, 2], strict=True):
        core = np.exp(-((result.position_A - half - z) ** 2) / (2 * CORE**2))
        label = label + CORES[symbol] / AREA * core / (math.sqrt(2 * math.pi) * CORE)
    atoms.info["REF_potential"] = label
    return atoms


def rocksalt(layers: int, start: float = 10.0) -> Atoms:
    heights = np.repeat(start + 2.1 * np.arange(layers), 2)
    return planes("MgO" * layers, heights)


def alternating(pairs: int, symbols: str = "MgO") -> Atoms:
    heights = 10.0 + 1.2 * np.arange(2 * pairs)
    return planes(symbols * pairs, heights)


def test_the_macroscopic_average_of_a_period_is_constant():
    position = (np.arange(800) + 0.5) * 0.05
    values = 2.0 + np.cos(2 * math.pi * position / 2.1)
    inside = macroscopic_average(position, values, 2.1)[100:-100]
    assert inside == pytest.approx(2.0, abs=1e-3)
    slope = macroscopic_average(position, 0.3 * position, 2.1)[100:-100]
    assert slope == pytest.approx(0.3 * position[100:-100], abs=1e-9)


def test_constants_of_elements_in_planes_of_their_own_are_found():
    found = calibrate_potential([with_label(alternating(6), zero=3.3)], 2.4, SMEARED)
    assert found.core_V_A3 == pytest.approx(CORES, rel=0.03)
    assert len(found.determined) == 2
    assert found.residual_V < 0.02


def test_a_calibration_keeps_the_smearing_of_its_potential():
    atoms = with_label(alternating(6), zero=3.3)
    found = calibrate_potential([atoms], 2.4, SMEARED)
    kept = PotentialCalibration.from_dict(found.as_dict())
    absolute = absolute_potential(alternating(6), kept)
    reference = atoms.info["REF_potential"]
    at = 0.1 * np.arange(len(reference))
    expected = macroscopic_average(at, reference, 2.4) - reference[0]
    potential = np.interp(at, absolute.position_A, absolute.potential_V)
    # Without the smearing it is 0.27 V off at the surfaces.
    assert potential == pytest.approx(expected, abs=0.1)


def test_the_smearing_of_a_stored_calibration_is_neither_guessed_nor_given_again():
    found = calibrate_potential([with_label(alternating(6))], 2.4, SMEARED)
    earlier = {name: value for name, value in found.as_dict().items() if name != "smearing_A"}
    with pytest.raises(ValueError, match="does not contain the smearing"):
        absolute_potential(alternating(6), PotentialCalibration.from_dict(earlier))
    with pytest.raises(ValueError, match="those of the stored calibration"):
        calibrated([], stored=found, smearing_A=SMEARED)


def test_elements_in_common_planes_are_determined_together_only():
    found = calibrate_potential([with_label(rocksalt(5), zero=-1.0)], 2.1)
    assert len(found.determined) == 1
    assert sum(found.core_V_A3.values()) == pytest.approx(sum(CORES.values()), rel=0.02)
    other = rocksalt(8, start=8.0)
    absolute = absolute_potential(other, found)
    # Mg and O in each 9 Å² and 2.1 Å; the charges cancel plane by plane.
    expected = sum(CORES.values()) / (AREA * 2.1)
    assert absolute.inside_V == pytest.approx(expected, rel=0.02)
    assert absolute.potential_V[[0, -1]] == pytest.approx(0, abs=1e-6)
    edges = absolute.band_edge_eV(2.0)
    assert edges == pytest.approx((2.0 - expected, 2.0 - expected), abs=0.05)
    with pytest.raises(ValueError, match="other proportions"):
        absolute_potential(planes("MgOO", (10, 12, 14)), found)


def test_both_references_together_determine_both_elements():
    single = [with_label(rocksalt(5)), with_label(planes("O2", (10, 12)))]
    found = calibrate_potential(single, 2.1, SMEARED)
    assert found.core_V_A3 == pytest.approx(CORES, rel=0.03)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda atoms: atoms.info.clear(), r"needs info\['REF_potential'\]"),
        (lambda atoms: atoms.set_pbc(True), "needs? a slab|need a slab"),
    ],
)
def test_incomplete_references_are_refused(change, message):
    atoms = with_label(rocksalt(3))
    change(atoms)
    with pytest.raises(ValueError, match=message):
        calibrate_potential([atoms], 2.1)


def test_without_a_calibration_nothing_is_absolute():
    with pytest.raises(ValueError, match="changes of the potential only"):
        calibrated([])
    with pytest.raises(ValueError, match="needs a calibration by a reference potential"):
        absolute_potential(rocksalt(3), PotentialCalibration(None, metal_V=1.0))
    with pytest.raises(ValueError, match="needs the known work function of the clean slab"):
        work_functions(rocksalt(3), PotentialCalibration(None))
    with pytest.raises(ValueError, match="period of the layers"):
        calibrated([with_label(rocksalt(3))])
    with pytest.raises(ValueError, match="between 0 and 15 eV"):
        calibrate_work_function(rocksalt(3), -5.0)


@pytest.fixture(scope="module")
def model():
    return rigid_charge_model({"K": 1.0, "F": -1.0}, hardness=5.0)


def slab() -> Atoms:
    atoms = fcc111("Pt", (2, 2, 4), a=3.97, vacuum=9.0)
    atoms.pbc = (True, True, False)
    atoms.info.clear()
    return atoms


def double_layer(above: float, below: float) -> Atoms:
    """K below F over the upper face, both at sites of the lattice."""
    atoms = slab()
    top = atoms.positions[:, 2].max()
    atoms += Atoms("KF", [(1.0, 1.0, top + above), (1.0, 1.0, top + below)])
    atoms.center(vacuum=9.0, axis=2)
    return atoms


def test_a_double_layer_changes_the_work_function_of_its_face(model):
    calculator = LESCalculator(model, dtype="float64")
    clean, covered = slab(), double_layer(6.0, 7.5)
    clean.calc = covered.calc = calculator
    calibration = calibrate_work_function(clean, 5.7)
    assert work_functions(clean, calibration) == pytest.approx((5.7, 5.7), abs=1e-9)
    lower, upper = work_functions(covered, calibration)
    area = np.linalg.norm(np.cross(*covered.cell.array[:2]))
    # Helmholtz: negative charge outside raises the work function by 4πk μ/A.
    shift = 4 * math.pi * COULOMB_CONSTANT * 1.5 / area
    assert shift > 3
    assert upper - lower == pytest.approx(shift, abs=1e-6)
    # The other face is behind the metal, whose electrons see the net field of a double layer.
    assert lower == pytest.approx(5.7, abs=0.02)


def test_a_calibration_belongs_to_its_model(model):
    clean = slab()
    clean.calc = LESCalculator(model, dtype="float64")
    calibration = calibrate_work_function(clean, 5.7)
    clean.calc = LESCalculator(rigid_charge_model({"K": 1.0, "F": -1.0}, hardness=6.0))
    with pytest.raises(ValueError, match="belongs to the model"):
        work_functions(clean, calibration)
    with pytest.raises(ValueError, match="belongs to the model"):
        calibrated([clean], stored=calibration, work_function_eV=5.7)
    with pytest.raises(ValueError, match="belongs to the model"):
        calibrated([with_label(rocksalt(5))], stored=calibration, window_A=2.1)


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main([*arguments, "--quiet"])
    return ended.value.code or 0


def test_work_functions_from_the_command_line(model, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    save_model("m.safetensors", model)
    slab().write("clean.xyz")
    double_layer(6.0, 7.5).write("covered.xyz")
    given = ("potential", "covered.xyz", "--model", "m.safetensors")
    assert run(*given) == 2
    assert "changes of the potential only" in capsys.readouterr().err
    reference = ("--reference", "clean.xyz", "--work-function", "5.7")
    assert run(*given, *reference, "--output", "first") == 0
    assert run(*given, "--calibration", "first-calibration.yml", "--output", "second") == 0
    first, second = (
        yaml.safe_load(Path(f"{stem}-summary.yml").read_text()) for stem in ("first", "second")
    )
    levels = first["levels_below_and_above_eV"]["work function"]
    assert levels[0] == pytest.approx(5.7, abs=0.02)
    assert {**second, "written": None} == {**first, "written": None}
    assert run(*given, *reference, "--edge", "1.0", "--output", "third") == 2
    assert "reference potential" in capsys.readouterr().err


def test_levels_of_an_oxide_need_its_potential():
    calibration = calibrate_potential([with_label(rocksalt(5))], 2.1)
    found = vacuum_levels(rocksalt(7, 8.0), calibration, edge_eV=-1.0)
    assert list(found.levels_eV) == ["band edge"]
    assert found.levels_eV["band edge"][0] == pytest.approx(-1.0 - found.potential.inside_V)
    kept = PotentialCalibration.from_dict(yaml.safe_load(yaml.safe_dump(calibration.as_dict())))
    assert kept.core_V_A3 == calibration.core_V_A3
    assert kept.determined == calibration.determined
    with pytest.raises(ValueError, match="not a calibration"):
        PotentialCalibration.from_dict({"volt": 1})

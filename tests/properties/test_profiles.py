"""Profiles against capacitors, Gaussian sheets and distributions that are known."""

import math

import numpy as np
import pytest
import torch
import yaml
from ase import Atoms
from ase.build import molecule
from ase.calculators.calculator import Calculator, all_changes
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import Trajectory
from scipy.special import erf

from ase_les.electrostatics import Electrostatics, ElectrostaticsConfig
from ase_les.electrostatics.potential import potential_at
from ase_les.graph import graph_from_atoms
from ase_les.neighbors import NeighborList
from ase_les.properties.planar_potential import PlanarPotential
from ase_les.properties.profiles import center_of_film, film_faces, profiles

E_OVER_EPSILON0 = 180.9512801
"""V Å: e/ε0 from CODATA 2018, 1.602176634e-19 C / 8.8541878128e-12 F/m, times 1e10."""


def charged(atoms: Atoms, charges) -> Atoms:
    atoms.calc = SinglePointCalculator(atoms, charges=np.asarray(charges, dtype=float))
    return atoms


def capacitor(rng, *, low=6.03, high=13.41, per_plane=4, pbc=(True, True, False)) -> Atoms:
    """Two planes of ∓0.1 e each atom, at heights that are no grid positions, in 5 × 6 Å."""
    places = rng.uniform(0, 5, (2 * per_plane, 3))
    places[:per_plane, 2], places[per_plane:, 2] = low, high
    atoms = Atoms(f"Na{2 * per_plane}", places, cell=[5, 6, 20], pbc=pbc)
    return charged(atoms, np.repeat([-0.1, 0.1], per_plane))


def at(found, name, height):
    return found.curves[name][np.abs(found.position_A - height).argmin()]


def test_a_capacitor_has_its_field_between_the_plates_and_its_step_across(rng):
    planar = PlanarPotential(bin_A=0.1)
    planar.add(capacitor(rng))
    found = planar.result()
    density = 0.4 / 30
    step = density * (13.41 - 6.03) * E_OVER_EPSILON0
    assert found.step_V.mean == pytest.approx(step, rel=1e-7)
    assert found.curves["potential_V"][0] == 0
    assert found.curves["potential_V"][-1] == pytest.approx(step, rel=1e-7)
    # From the positive plate above to the negative one below.
    assert at(found, "field_V_per_A", 10) == pytest.approx(-density * E_OVER_EPSILON0, rel=1e-7)
    assert at(found, "field_V_per_A", 1) == 0
    assert at(found, "field_V_per_A", 19) == pytest.approx(0, abs=1e-12)
    assert at(found, "potential_V", 9.95) == pytest.approx(
        density * (9.95 - 6.03) * E_OVER_EPSILON0, abs=density * 0.1 * E_OVER_EPSILON0
    )


def test_a_periodic_capacitor_returns_to_its_potential_and_has_none_on_average(rng):
    planar = PlanarPotential(bin_A=0.1)
    planar.add(capacitor(rng, pbc=True))
    found = planar.result()
    density, gap = 0.4 / 30, 13.41 - 6.03
    # The cell holds the same drop outside of the plates as inside: D is shared by the lengths.
    between = -density * (1 - gap / 20) * E_OVER_EPSILON0
    assert at(found, "field_V_per_A", 10) == pytest.approx(between, rel=1e-7)
    outside = density * gap / 20 * E_OVER_EPSILON0
    assert at(found, "field_V_per_A", 1) == pytest.approx(outside, rel=1e-7)
    assert found.curves["potential_V"].mean() == pytest.approx(0, abs=1e-9)
    assert math.isnan(found.step_V.mean)


@pytest.mark.parametrize("width", [0.5, 1.0])
def test_a_gaussian_sheet_has_its_analytic_density_field_and_potential(width):
    """+1 and −1 e per 30 Å², the second far above: around the first it is a sheet alone."""
    pair = Atoms("Na2", [[0, 0, 8.05], [0, 0, 30.05]], cell=[5, 6, 40], pbc=(True, True, False))
    planar = PlanarPotential(bin_A=0.1, smearing_A=width)
    planar.add(charged(pair, [1.0, -1.0]))
    found = planar.result()
    d = found.position_A - 8.05
    near = np.abs(d) < 10
    bell = np.exp(-0.5 * (d / width) ** 2) / (math.sqrt(2 * math.pi) * width)
    below = 0.5 * (1 + erf(d / (math.sqrt(2) * width)))
    expected = {
        "charge_e_per_A3": bell / 30,
        "field_V_per_A": below * E_OVER_EPSILON0 / 30,
        "potential_V": -(d * below + width**2 * bell) * E_OVER_EPSILON0 / 30,
    }
    for name, values in expected.items():
        assert found.curves[name][near] == pytest.approx(values[near], rel=1e-6, abs=1e-7)


@pytest.mark.slow
@pytest.mark.parametrize("periodic", [True, False])
@pytest.mark.parametrize("cell", ["orthorhombic", "tilted"])
def test_the_profile_is_that_of_the_model_electrostatics(periodic, cell, rng):
    """The potential that the charges of a model feel is the profile smeared with its σ."""
    vectors = np.diag([7.0, 8.0, 24.0])
    if cell == "tilted":
        vectors[1, 0], vectors[2, :2] = 2.0, (1.5, -0.7)
    charges = rng.normal(size=10)
    charges -= charges.mean()
    places = rng.uniform(0.3, 0.7, (10, 3)) @ vectors
    atoms = Atoms("Na10", places, cell=vectors, pbc=(True, True, periodic))
    planar = PlanarPotential(bin_A=0.02, smearing_A=1.0)
    planar.add(charged(atoms, charges))
    found = planar.result()
    sums = Electrostatics(
        ElectrostaticsConfig(smearing=1.0, k_cutoff=10.0, remove_self_energy=True)
    )
    graph = graph_from_atoms(atoms, NeighborList(2.0))
    grid = np.stack(np.meshgrid(*2 * [np.arange(10) / 10]), -1).reshape(-1, 2) @ vectors[:2]
    heights = slice(None, None, 150)
    expected = np.array(
        [
            potential_at(
                sums,
                graph,
                torch.tensor(charges[:, None]),
                torch.tensor(grid + np.array([0.0, 0.0, height])),
            ).potential.mean()
            for height in found.position_A[heights]
        ]
    )
    # The slab's zero is halfway between both sides there, below the film here.
    offset = 0.0 if periodic else expected[0]
    assert found.curves["potential_V"][heights] == pytest.approx(expected - offset, abs=2e-3)
    assert np.abs(expected).max() > 1.0


def test_the_step_has_the_error_of_independent_dipoles(rng):
    """σ/√n of the moments, within the spread of an estimated error."""
    planar = PlanarPotential(bin_A=0.1)
    steps = []
    for _ in range(64):
        high = 13.0 + rng.normal() * 0.5
        planar.add(capacitor(rng, high=high))
        steps.append(0.4 / 30 * (high - 6.03) * E_OVER_EPSILON0)
    found = planar.result().step_V
    assert found.mean == pytest.approx(np.mean(steps), rel=1e-6)
    assert found.standard_error == pytest.approx(np.std(steps, ddof=1) / 8, rel=0.7)


def test_an_interrupted_profile_goes_on_with_the_same_bits(rng):
    frames = [capacitor(rng) for _ in range(9)]
    whole, first = PlanarPotential(smearing_A=1.0), PlanarPotential(smearing_A=1.0)
    for frame in frames:
        whole.add(frame)
    for frame in frames[:5]:
        first.add(frame)
    second = PlanarPotential(smearing_A=1.0)
    second.restore(first.state())
    for frame in frames[5:]:
        second.add(frame)
    assert np.array_equal(
        whole.result().curves["potential_V"], second.result().curves["potential_V"]
    )
    with pytest.raises(ValueError, match=r"smearing_A=1\.0"):
        PlanarPotential().restore(first.state())


def film(rng, *, center: float, thickness=8.0, atoms=400, pbc=True) -> Atoms:
    """Evenly filled between two faces, in a cell of 10 × 10 × 20 Å."""
    places = rng.uniform(0, 10, (atoms, 3))
    places[:, 2] = center + thickness * (rng.uniform(size=atoms) - 0.5)
    return Atoms(f"Ar{atoms}", places, cell=[10, 10, 20], pbc=pbc)


def test_a_film_cut_by_the_cell_is_the_film_uncut(rng):
    whole = [film(rng, center=10.0) for _ in range(3)]
    cut = [frame.copy() for frame in whole]
    for n, frame in enumerate(cut):
        frame.positions[:, 2] += 7.3 + n
        frame.wrap()
    found = [profiles(frames, center_on="film") for frames in (whole, cut)]
    for name in ("mass_g_per_cm3", "number_Ar_per_A3"):
        # An atom on the border of two bins may change sides by rounding.
        difference = np.abs(found[0].curves[name] - found[1].curves[name])
        assert difference.sum() < 0.01 * found[0].curves[name].sum()


@pytest.mark.parametrize("periodic", [True, False])
def test_the_center_of_a_film_is_its_center_of_mass_wherever_it_is_cut(periodic, rng):
    atoms = film(rng, center=5.0)
    atoms.pbc = (True, True, periodic)
    expected = atoms.get_center_of_mass()[2] / 20
    everything = np.arange(len(atoms))
    assert center_of_film(atoms, 2, everything) == pytest.approx(expected, abs=1e-12)
    if periodic:
        atoms.positions[:, 2] -= 5.5
        atoms.wrap()
        assert center_of_film(atoms, 2, everything) == pytest.approx(
            (expected - 5.5 / 20) % 1.0, abs=1e-12
        )


def test_a_liquid_without_faces_has_no_middle():
    even = Atoms("Ar20", np.linspace(0, 20, 20, endpoint=False)[:, None] * [0, 0, 1])
    even.set_cell([10, 10, 20])
    even.pbc = True
    with pytest.raises(ValueError, match="have no center"):
        profiles([even], center_on="film")


def test_an_even_film_has_its_density_and_thickness(rng):
    frames = [film(rng, center=10.0) for _ in range(40)]
    found = profiles(frames, bin_A=0.25)
    # 400 argon atoms of 39.948 u (1.66053907 g/cm³ per u/Å³) in 800 Å³.
    expected = 400 * 39.948 * 1.66053907 / 800
    assert found.faces.density_g_per_cm3 == pytest.approx(expected, rel=0.02)
    assert found.faces.thickness_A == pytest.approx(8.0, abs=0.3)
    inside = np.abs(found.position_A - 10) < 3.5
    deviation = (found.curves["mass_g_per_cm3"] - expected)[inside]
    in_errors = deviation / found.standard_errors["mass_g_per_cm3"][inside]
    assert 0.5 < np.sqrt(np.mean(in_errors**2)) < 1.5
    assert not found.has_charges


def test_faces_of_a_tanh_profile_are_where_it_says():
    """Gibbs dividing surfaces at ∓6 Å; from 10 to 90 % in ln 9 × the width parameter."""
    z = np.arange(-15, 15, 0.05)
    rho = 0.25 * (1 + np.tanh((z + 6) / 1.0)) * (1 - np.tanh((z - 6) / 1.5))
    faces = film_faces(z, rho)
    assert (faces.lower_A, faces.upper_A) == pytest.approx((-6, 6), abs=0.02)
    assert faces.lower_width_A == pytest.approx(math.log(9), abs=0.02)
    assert faces.upper_width_A == pytest.approx(1.5 * math.log(9), abs=0.03)
    assert film_faces(z, np.ones_like(z)) is None


def test_water_turned_by_a_known_angle_shows_it():
    """Dipoles at 60° in the lower layer and at 180° in the upper one."""
    layers = []
    for height, angle in ((5.0, 60.0), (15.0, 180.0)):
        water = molecule("H2O")
        dipole = water.positions[1:].mean(axis=0) - water.positions[0]
        water.rotate(dipole, (math.sin(math.radians(angle)), 0, math.cos(math.radians(angle))))
        water.positions += (5, 5, height) - water.positions[0]
        layers.append(water)
    atoms = layers[0] + layers[1]
    atoms.set_cell([10, 10, 20])
    atoms.pbc = (True, True, False)
    found = profiles([atoms], bin_A=1.0)
    seen = np.isfinite(found.curves["orientation_cosine"])
    assert found.curves["orientation_cosine"][seen] == pytest.approx([0.5, -1.0], abs=1e-9)
    assert found.position_A[seen] == pytest.approx([5, 15], abs=0.6)


class ChargeBySpecies(Calculator):
    implemented_properties = ["charges"]  # noqa: RUF012

    def calculate(self, atoms=None, properties=("charges",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        self.results = {"charges": np.where(atoms.numbers == 8, -0.8, 0.4)}


def test_charges_come_from_a_calculator_where_frames_have_none(tmp_path):
    """The step of oriented molecules is their dipole over ε0 A, with files to prove it."""
    water = molecule("H2O")
    water.set_cell([10, 10, 20])
    water.pbc = (True, True, False)
    water.positions += (5, 5, 10)
    with Trajectory(tmp_path / "md.traj", "w") as file:
        file.write(water)
        file.write(water)
    found = profiles(
        Trajectory(tmp_path / "md.traj"),
        calculator=ChargeBySpecies(),
        center_on="O",
        output=tmp_path / "film",
    )
    moment = np.array([-0.8, 0.4, 0.4]) @ water.positions[:, 2]
    assert found.step_V.mean == pytest.approx(moment / 100 * E_OVER_EPSILON0, rel=1e-7)
    summary = yaml.safe_load((tmp_path / "film-summary.yml").read_text())
    assert summary["results"]["potential_step_V"]["mean"] == pytest.approx(found.step_V.mean)
    assert any("not absolute work functions" in note for note in summary["notes"])
    with np.load(tmp_path / "film-profiles.npz") as arrays:
        assert arrays["potential_V"] == pytest.approx(found.curves["potential_V"])
        assert "potential_V_standard_error" in arrays.files
    with pytest.raises(FileExistsError, match="--overwrite"):
        profiles([water], output=tmp_path / "film")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"axis": 3}, "`axis` must be"),
        ({"bin_A": 0}, "`bin_A`"),
        ({"smearing_A": -1}, "`smearing_A`"),
        ({"center_on": "Xe"}, "elements of the structure"),
        ({"frames": []}, "no frames"),
    ],
)
def test_impossible_settings_are_refused(change, message, rng):
    arguments = {"frames": [capacitor(rng)], **change}
    with pytest.raises(ValueError, match=message):
        profiles(**arguments)


def test_charges_outside_of_an_open_cell_are_not_dropped_silently(rng):
    with pytest.raises(ValueError, match="outside of the cell"):
        profiles([capacitor(rng, high=20.5)])


def test_the_plane_must_be_periodic(rng):
    with pytest.raises(ValueError, match="must be periodic"):
        profiles([capacitor(rng, pbc=(True, False, False))])


def test_potentials_and_densities_are_those_of_physical_charges(rng):
    """The same latent charges: physical ones are larger by √ε∞, their potential smaller by it."""
    plain = capacitor(rng)
    scaled = plain.copy()
    results = {"charges": 1.5 * plain.get_charges(), "dielectric_tensor": 2.25 * np.eye(3)}
    scaled.calc = SinglePointCalculator(scaled, **results)
    one, other = (profiles([atoms], smearing_A=0.5, center_on="film") for atoms in (plain, scaled))
    assert np.abs(one.curves["potential_V"]).max() > 0.1
    for name, factor in (
        ("potential_V", 1 / 1.5),
        ("field_V_per_A", 1 / 1.5),
        ("charge_e_per_A3", 1.5),
    ):
        np.testing.assert_allclose(other.curves[name], factor * one.curves[name], atol=1e-10)
    assert other.step_V.mean == pytest.approx(one.step_V.mean / 1.5, rel=1e-12)
    assert other.summary()["results"]["charges"]["physical_over_latent"] == pytest.approx(1.5)
    with pytest.raises(ValueError, match="one dielectric constant"):
        profiles([plain, scaled])


def test_the_scale_of_charges_survives_an_interruption(rng):
    atoms = capacitor(rng)
    results = {"charges": atoms.get_charges(), "dielectric_tensor": 2.25 * np.eye(3)}
    atoms.calc = SinglePointCalculator(atoms, **results)
    before, after = PlanarPotential(), PlanarPotential()
    before.add(atoms)
    after.restore(before.state())
    np.testing.assert_array_equal(
        after.result().curves["potential_V"], before.result().curves["potential_V"]
    )

"""Infrared spectra of layers against bonds that vibrate as written down."""

import numpy as np
import pytest
from ase import units
from scipy.constants import Avogadro, Boltzmann, elementary_charge, epsilon_0, speed_of_light
from vibrating_bonds import Bond, PointCharges, film, frames

from ase_les.properties.correlation import autocorrelation, symmetric_correlation
from ase_les.properties.infrared_layers import (
    infrared_of_layers,
    layer_spectra,
    record_layers,
)
from ase_les.properties.infrared_spectrum import infrared_from_current
from ase_les.properties.spectral_peaks import Band, peaks
from ase_les.simulation import resume_dynamics, run_dynamics
from ase_les.simulation.layer_currents import LayerCurrents, atomic_currents
from ase_les.simulation.series import Series
from ase_les.simulation.surface_layers import SurfaceLayers

T, INTERVAL = 300.0, 2.0
TOP, MIDDLE = 3700.0, 3300.0
BONDS = [
    Bond((2, 2, 20), (0, 0, 1), TOP, 0.1),
    Bond((2, 2, 15), (1, 0, 1), MIDDLE, 0.9),
    Bond((8, 8, 10), (0, 1, 0), 1500.0, 2.2),
]
LAYERS = SurfaceLayers((-2.5, 2.5), folded=False)
OPTIONS = {"resolution_per_cm": 60.0, "window": "hann", "upto_per_cm": 4500.0}


@pytest.fixture(scope="module")
def recorded():
    return record_layers(frames(BONDS, 900, INTERVAL), PointCharges(), LAYERS, INTERVAL)


def test_every_layer_shows_its_own_line_only(recorded):
    currents = recorded.columns["layer_current_eA_per_fs"]
    molecules = recorded.columns["layer_molecules"].mean(axis=0)
    assert molecules == pytest.approx([1, 1, 1])
    found = layer_spectra(currents, INTERVAL, T, LAYERS.names, molecules, **OPTIONS)
    x = found.wavenumber_per_cm
    lines = {0: 1500.0, 1: MIDDLE, 2: TOP}
    for layer, own in lines.items():
        height = found.molar[layer, 0]
        assert x[height.argmax()] == pytest.approx(own, abs=6)
        for other in set(lines.values()) - {own}:
            assert np.abs(height[np.abs(x - other) < 20]).max() < 0.01 * height.max()
    # Directions: along the normal at the top, in the plane at the bottom, both in the middle.
    tops = found.molar.max(axis=2)
    assert tops[2, 1] < 1e-9 * tops[2, 2] and tops[0, 2] < 1e-9 * tops[0, 1]
    assert tops[1, 2] == pytest.approx(2 * tops[1, 1], rel=0.01)


def test_intensity_of_a_layer_is_the_one_of_the_textbooks(recorded):
    """⟨v²⟩ = v0²/2 takes the place of kT/m: N_A q² v0²/2 / (12 ε0 c² kT)."""
    currents = recorded.columns["layer_current_eA_per_fs"]
    found = layer_spectra(currents, INTERVAL, T, LAYERS.names, np.ones(3), **OPTIONS)
    (peak,) = peaks(found.spectrum(2), [Band("stretch", TOP - 400, TOP + 400)])
    speed2 = 0.5 * (0.02e5) ** 2
    charge2 = (0.4 * elementary_charge) ** 2
    exact = Avogadro * charge2 * speed2 / (12 * epsilon_0 * speed_of_light**2 * Boltzmann * T)
    assert peak.intensity_km_per_mol.mean == pytest.approx(exact * 1e-3, rel=0.01)


def test_layers_add_up_to_the_spectrum_of_the_whole(rng):
    """A motion that layers share: their own correlations would not add up."""
    shared = rng.normal(size=(4000, 1, 3))
    currents = shared + 0.3 * rng.normal(size=(4000, 4, 3))
    found = layer_spectra(currents, INTERVAL, T, "abcd", np.full(4, 16.0), **OPTIONS)
    whole = infrared_from_current(currents.sum(axis=1), INTERVAL, None, T, molecules=64, **OPTIONS)
    total = whole.molar_absorption_km_per_mol_cm
    assert np.abs(found.molar[:, 0].sum(axis=0) - total).max() < 1e-10 * total.max()
    components = (2 * found.molar[:, 1] + found.molar[:, 2]) / 3
    assert components == pytest.approx(found.molar[:, 0], abs=1e-9 * total.max())
    error = whole.molar_error_km_per_mol_cm
    assert found.total.molar_error_km_per_mol_cm == pytest.approx(error, rel=1e-6)
    own = sum(autocorrelation(currents[:, layer], 5)[0] for layer in range(4))
    assert own < 0.5 * autocorrelation(currents.sum(axis=1), 5)[0]


def test_symmetric_correlation_is_the_plain_sum(rng):
    one, other = rng.normal(size=(2, 50, 3))
    found = symmetric_correlation(one, other, 7)
    for lag in range(7):
        there = (one[: 50 - lag] * other[lag:]).sum(axis=1).mean()
        back = (other[: 50 - lag] * one[lag:]).sum(axis=1).mean()
        assert found[lag] == pytest.approx(0.5 * (there + back), abs=1e-12)


def test_dipoles_of_layers_point_outward():
    bonds = [Bond((2, 2, 20), (0, 0, 1), TOP), Bond((2, 2, 10), (0, 0, -1), TOP)]
    atoms = film(bonds)
    atoms.calc = PointCharges(0.4)
    measured = LayerCurrents(atoms, SurfaceLayers((2.0,)))
    values = measured.measure(atoms)
    # Two currents, two dipoles, two numbers.
    assert values[6:12] == pytest.approx([0, 0, 0, 0, 0, 2 * 0.4 * 0.97])
    assert values[12:] == pytest.approx([0, 2])


def test_currents_of_a_model_add_up_to_its_current(random_model, rng):
    """Also while molecules exchange charge; `get_current` differentiates along the motion."""
    from ase_les import LESCalculator

    atoms = film([Bond((2, 2, 12), (0, 0.5, 1), TOP), Bond((4, 3, 13), (1, 0, 0.2), TOP)])
    atoms.set_velocities(rng.normal(size=(4, 3)))
    atoms.calc = LESCalculator(random_model(charges={"neutrality": "split"}), dtype="float64")
    layers = SurfaceLayers((0.0,), folded=False, smoothing_A=2.0)
    values = LayerCurrents(atoms, layers).measure(atoms)[:6].reshape(2, 3)
    current = atoms.calc.get_current(atoms)
    assert values.sum(axis=0) == pytest.approx(current, rel=1e-9, abs=1e-12)
    assert atomic_currents(atoms).sum(axis=0) == pytest.approx(current, rel=1e-9, abs=1e-12)
    assert np.abs(values[0]).max() > 0.01 * np.abs(current).max()


def start(seed=3):
    atoms = film(BONDS)
    atoms.calc = PointCharges()
    atoms.set_velocities(np.random.default_rng(seed).normal(size=(6, 3)) * 0.02 / units.fs)
    return atoms


OBSERVE = {
    "layers": {"stride": 2, "edges_A": [-2.5, 2.5], "folded": False},
    "sfg": {"stride": 2, "edges_A": [2.5], "max_lag_fs": 20.0},
}


def test_a_run_observes_layers_and_resumes_exactly(tmp_path):
    settings = {"ensemble": "nve", "timestep_fs": 0.5, "observe": OBSERVE, "seed": 1}
    run_dynamics(start(), steps=120, output=tmp_path / "whole", **settings)
    run_dynamics(start(), steps=50, output=tmp_path / "parts", **settings)
    resume_dynamics(tmp_path / "parts", PointCharges(), steps=120)
    for kind in ("layers", "sfg"):
        with (
            np.load(tmp_path / f"whole-{kind}.npz") as whole,
            np.load(tmp_path / f"parts-{kind}.npz") as parts,
        ):
            assert set(whole.files) == set(parts.files)
            for name in whole.files:
                assert whole[name].tobytes() == parts[name].tobytes(), name
    assert Series.load(tmp_path / "whole-layers.npz").columns["layer_molecules"].shape == (61, 3)
    result = infrared_of_layers(
        tmp_path / "whole", layers=LAYERS, resolution_per_cm=700, window="hann"
    )
    assert result.spectra.layers == LAYERS.names
    with pytest.raises(ValueError, match="recorded 3 layers, given are 2"):
        infrared_of_layers(tmp_path / "whole", layers=SurfaceLayers((1.0,)), resolution_per_cm=700)


def test_a_run_too_short_for_the_lags_ends_without_correlations(tmp_path):
    run = run_dynamics(
        start(),
        steps=10,
        ensemble="nve",
        timestep_fs=0.5,
        observe=OBSERVE,
        seed=1,
        output=tmp_path / "short",
    )
    assert run.steps == 10 and not (tmp_path / "short-sfg.npz").exists()


@pytest.mark.parametrize(
    ("observe", "message"),
    [
        ({"layers": {"edges_A": [3, 2]}}, "ascending"),
        ({"layers": {"edges_A": [3, "x"]}}, "edges_A"),
        ({"layers": {"folded": "no"}}, "true or false"),
        ({"layers": {"depth": 2}}, "no option depth"),
        ({"sfg": {"polarizability": True}}, "polarizability"),
        ({"sfg": {"depth": 2}}, "depth"),
        ({"current": {"edges_A": [1]}}, "no options"),
    ],
)
def test_wrong_observations_are_refused_before_the_run(observe, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        run_dynamics(
            start(),
            steps=10,
            ensemble="nve",
            timestep_fs=0.5,
            observe=observe,
            output=tmp_path / "run",
        )
    assert not list(tmp_path.iterdir())


def test_trajectories_without_velocities_are_refused():
    with pytest.raises(ValueError, match="need velocities"):
        record_layers([film(BONDS)], PointCharges(), LAYERS, INTERVAL)
    with pytest.raises(ValueError, match="no frames"):
        record_layers([], PointCharges(), LAYERS, INTERVAL)

"""Packed molecules lie in their layer, whole, and keep their distance, images included."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import fcc111, molecule

from ase_les.training.structures.packing import packed, packed_cube

RADII = {"Pt": 1.2, "O": 1.25, "H": 0.5, "K": 1.4}


def slab():
    atoms = fcc111("Pt", (2, 2, 2), a=3.97, vacuum=7)
    atoms.pbc = True
    return atoms


def test_packed_molecules_keep_their_shape_and_their_distance():
    solid, water = slab(), molecule("H2O")
    top = solid.positions[:, 2].max()
    heights = (top, top + 14)
    atoms = packed(solid, [Atoms("K"), *[water] * 5], heights, RADII, np.random.default_rng(3))
    np.testing.assert_array_equal(atoms.positions[:8], solid.positions)
    body = np.array([*range(-8, 0), 0, *np.repeat(range(1, 6), 3)])
    for each in range(1, 6):
        (own,) = np.nonzero(body == each)
        assert atoms[own].get_all_distances() == pytest.approx(water.get_all_distances())
        assert heights[0] <= atoms.positions[own].mean(axis=0)[2] <= heights[1]
    radii = np.array([RADII[s] for s in atoms.symbols])
    apart = body[:, None] != body
    apart[:8, :8] = False
    shortest = radii[:, None] + radii
    assert (atoms.get_all_distances(mic=True) >= shortest)[apart].all()


def test_a_solution_in_a_cube_touches_neither_itself_nor_its_images():
    contents = [Atoms("K"), *[molecule("H2O")] * 3]
    atoms = packed_cube(contents, 5.0, RADII, np.random.default_rng(0))
    assert str(atoms.symbols) == "KOH2OH2OH2" and atoms.pbc.all()
    body = np.array([0, *np.repeat([1, 2, 3], 3)])
    radii = np.array([RADII[s] for s in atoms.symbols])
    apart = body[:, None] != body
    assert (atoms.get_all_distances(mic=True) >= radii[:, None] + radii)[apart].all()


def test_the_seed_decides_where_molecules_are():
    def positions(seed):
        rng = np.random.default_rng(seed)
        return packed(slab(), [molecule("H2O")], (12, 16), RADII, rng).positions

    assert (positions(1) == positions(1)).all()
    assert not np.allclose(positions(1), positions(2))


def test_too_many_molecules_are_refused(monkeypatch):
    monkeypatch.setattr("ase_les.training.structures.packing.RESTARTS", 2)
    monkeypatch.setattr("ase_les.training.structures.packing.PLACES_EACH", 50)
    with pytest.raises(ValueError, match="40 molecules do not fit"):
        packed(slab(), [molecule("H2O")] * 40, (11, 22), RADII, np.random.default_rng(0))


def test_elements_without_radius_are_refused():
    with pytest.raises(ValueError, match=r"missing: \['Na'\]"):
        packed(slab(), [Atoms("Na")], (11, 22), RADII, np.random.default_rng(0))

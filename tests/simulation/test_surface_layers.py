"""Masks of layers against geometry that is known: spheres, half spaces, planes."""

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.io import read

from ase_les.simulation.instantaneous_interface import InstantaneousInterface
from ase_les.simulation.surface_layers import (
    LayeredMolecules,
    SurfaceLayers,
    molecule_labels,
    oxygen_hydrogen_bonds,
)

PLANE, NORMAL = np.array([[40.0, 0, 0], [0, 40.0, 0]]), np.array([0.0, 0, 1])


def film(layers=3, seed=0) -> Atoms:
    """Water molecules on a lattice, turned at random, with bonds across cell faces."""
    rng = np.random.default_rng(seed)
    atoms = Atoms(cell=[9.0, 9.0, 30.0], pbc=(True, True, False))
    for corner in np.ndindex(3, 3, layers):
        water = molecule("H2O")
        water.rotate(360 * rng.random(), rng.normal(size=3))
        water.translate(3.0 * np.array(corner) + [0.2, 0.2, 10.0])
        atoms += water
    atoms.wrap()
    return atoms


def test_depth_below_a_sphere_is_radius_minus_distance(rng):
    width, level, center = 2.4, 1e-4, np.array([3.0, 39.0, 0])
    radius = width * np.sqrt(2 * np.log((2 * np.pi * width**2) ** -1.5 / level))
    directions = rng.normal(size=(20, 3))
    directions /= np.linalg.norm(directions, axis=1)[:, None]
    distances = rng.uniform(0.4, 0.8, 20) * radius
    # Points and surface are in different images of the plane.
    points = center + directions * distances[:, None] + [40, -40, 0]
    found = InstantaneousInterface(width, level).depths(points, center[None], PLANE, NORMAL)
    assert found.depth_A == pytest.approx(radius - distances, abs=0.01)
    assert np.einsum("ia,ia->i", found.normals, directions).min() > 0.999


def test_the_interface_of_a_half_space_is_its_edge():
    """ρ erfc(z/√2 ξ)/2 is half the density at the edge; points are placed relative to it."""
    spacing, plane = 1.0, np.array([[6.0, 0, 0], [1.0, 6.0, 0]])
    sites = np.array(list(np.ndindex(6, 6, 16))) - [0, 0, 15.5]
    sites = sites * spacing + sites[:, 1:2] / 6 * [1.0, 0, 0]
    points = np.array([[0.3, 0.2, -2.0], [5.0, 3.3, -0.5], [2.0, 2.0, 1.0], [1.0, 5.0, -14.0]])
    found = InstantaneousInterface(1.2, 0.5).depths(points, sites, plane, NORMAL)
    # The other face of the slab is at −16.
    assert found.depth_A == pytest.approx([2.0, 0.5, -1.0, 2.0], abs=2e-3)
    assert found.normals[:, 2] == pytest.approx([1, 1, 1, -1], abs=1e-3)


def test_a_hole_in_the_film_is_an_error():
    with pytest.raises(ValueError, match="hole in the film"):
        InstantaneousInterface().depths(
            np.array([[20.0, 20, 0], [0, 0, 0]]), np.zeros((1, 3)), PLANE, NORMAL
        )


@pytest.mark.parametrize("surface", ["planes", "instantaneous"])
def test_masks_add_up_and_do_not_divide_molecules(surface):
    atoms = film()
    layers = SurfaceLayers((1.0, 2.5), surface, level_per_A3=0.01)
    molecules = LayeredMolecules(layers, atoms)
    placed = molecules.place(atoms)
    assert len(layers.names) == 3 and placed.masks.shape == (3, 27)
    assert placed.masks.min() >= 0
    assert placed.masks.sum(axis=0) == pytest.approx(1.0, abs=1e-14)
    oxygens, hydrogens = oxygen_hydrogen_bonds(atoms)
    assert np.array_equal(molecules.label[oxygens], molecules.label[hydrogens])
    # Nothing depends on the image in which an atom is stored.
    moved = atoms.copy()
    moved.positions[::2] += [9.0, -18.0, 0]
    assert molecules.place(moved).masks == pytest.approx(placed.masks, abs=1e-6)


def test_planes_count_molecules_of_a_lattice():
    molecules = LayeredMolecules(SurfaceLayers((1.5,), smoothing_A=0.2), film())
    assert molecules.place(film()).masks.sum(axis=1) == pytest.approx([9, 18])
    one_side = SurfaceLayers((-1.5, 1.5), smoothing_A=0.2, folded=False)
    placed = LayeredMolecules(one_side, film()).place(film())
    assert placed.masks.sum(axis=1) == pytest.approx([9, 9, 9])


def test_a_periodic_box_is_unwrapped_around_the_solid():
    atoms = film()
    atoms.pbc = True
    solid = Atoms("He9", [[3.0 * (i % 3), 3.0 * (i // 3), 2.0] for i in range(9)])
    atoms += solid
    for shift in (0.0, 7.0, 19.0):
        moved = atoms.copy()
        moved.translate([0, 0, shift])
        moved.wrap()
        layers = SurfaceLayers((5.0, 9.5), center_on="He", axis="c", smoothing_A=0.1)
        placed = LayeredMolecules(layers, moved).place(moved)
        # He alone, then water 8 and 11 Å above it, then the layer at 14 Å.
        assert placed.masks.sum(axis=1) == pytest.approx([9, 9, 18])


def test_atoms_of_a_solid_are_alone_and_molecules_together():
    crystal = bulk("MgO", "rocksalt", 4.2, cubic=True) * (2, 2, 2)
    labels = molecule_labels(crystal)
    assert len(np.unique(labels)) == len(crystal)
    assert len(np.unique(molecule_labels(molecule("CH3CH2OH")))) == 1


@pytest.mark.parametrize("surface", ["planes", "instantaneous"])
def test_bulk_water_has_no_middle(surface):
    bulk_water = read(Path(__file__).parents[2] / "workflows" / "water64.extxyz")
    with pytest.raises(ValueError, match="have no center"):
        LayeredMolecules(SurfaceLayers(surface=surface), bulk_water)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"edges_A": (3.0, 3.0)}, "ascending"),
        ({"edges_A": ()}, "edges_A.*needed"),
        ({"edges_A": (np.nan,)}, "edges_A.*needed"),
        ({"surface": "wavy"}, "needed: one of planes, instantaneous"),
        ({"smoothing_A": 0.0}, "smoothing_A.*> 0"),
        ({"smoothing_A": "x"}, "smoothing_A.*needed"),
        ({"axis": "z"}, "needed: one of a, b, c"),
        ({"center_on": ["Ti"]}, "center_on.*needed"),
        ({"folded": "no"}, "folded.*true or false"),
        ({"width_A": -1.0}, "width_A.*> 0"),
        ({"surface": "instantaneous", "center_on": "O"}, "neither `center_on` nor `folded`"),
        ({"surface": "instantaneous", "folded": False}, "neither `center_on` nor `folded`"),
    ],
)
def test_wrong_layers_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        SurfaceLayers(**settings)


def test_structures_without_layers_are_refused():
    with pytest.raises(ValueError, match="two or three periodic"):
        LayeredMolecules(SurfaceLayers(), molecule("H2O"))
    with pytest.raises(ValueError, match="elements of"):
        LayeredMolecules(SurfaceLayers(center_on="Ti"), film())
    with pytest.raises(ValueError, match="open along c"):
        LayeredMolecules(SurfaceLayers(axis="a"), film())
    dry = bulk("MgO", cubic=True, crystalstructure="rocksalt", a=4.2)
    with pytest.raises(ValueError, match="water molecules"):
        LayeredMolecules(SurfaceLayers(surface="instantaneous"), dry)

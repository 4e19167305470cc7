"""Profiles along an axis against layers and molecules put there on purpose."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.calculators.singlepoint import SinglePointCalculator

from ase_les.simulation.accumulators import AxisProfile

TILTED = np.array([[6.0, 0, 0], [1.0, 5.0, 0], [2.0, -1.0, 20.0]])


def layers(pbc=(True, True, False), cell=TILTED) -> Atoms:
    """Four sodium at z = 5.05, two chlorine at z = 8.05."""
    positions = [[0, 0, 5.05], [3, 0, 5.05], [0, 2, 5.05], [3, 2, 5.05], [1, 1, 8.05], [4, 3, 8.05]]
    return Atoms("Na4Cl2", positions, cell=cell, pbc=pbc)


def averaged(configurations, **arguments):
    accumulator = AxisProfile(**arguments)
    for atoms in configurations:
        accumulator.add(atoms)
    return accumulator.result()


def test_layers_are_where_they_were_put_with_their_density():
    result = averaged([layers()], bin_A=0.1, quantities=("number", "mass"))
    sodium, chlorine = result.curves["number_Na_per_A3"], result.curves["number_Cl_per_A3"]
    assert result.position_A[sodium > 0] == pytest.approx([5.05])
    assert result.position_A[chlorine > 0] == pytest.approx([8.05])
    # Four atoms on 30 Å² in a bin of 0.1 Å.
    assert sodium.max() == pytest.approx(4 / (30 * 0.1))
    assert result.outside == 0


def test_mass_density_of_a_crystal_is_that_of_copper():
    crystal = bulk("Cu", a=3.615, cubic=True)
    result = averaged([crystal], bin_A=3.615 / 2, quantities=("mass",))
    # 63.546 g/mol, Avogadro's constant, four atoms per cell.
    exact = 4 * 63.546 / 6.02214076e23 / (3.615e-8) ** 3
    assert result.curves["mass_g_per_cm3"] == pytest.approx([exact, exact], rel=1e-4)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_any_cell_vector_can_be_the_axis_and_left_handed_cells_are_cells(axis):
    order = {0: [2, 1, 0], 1: [0, 2, 1], 2: [0, 1, 2]}[axis]
    atoms = layers(pbc=True, cell=TILTED[order])
    result = averaged([atoms], axis=axis, bin_A=0.1, quantities=("number",))
    assert result.position_A[result.curves["number_Na_per_A3"] > 0] == pytest.approx([5.05])
    assert result.curves["number_Na_per_A3"].max() == pytest.approx(4 / 3)


def test_a_film_that_drifts_through_the_cell_face_is_centered_on_its_mass(rng):
    accumulator = AxisProfile(bin_A=0.01, quantities=("number",), center_on=range(6))
    for drift in np.linspace(0, 50, 40):
        atoms = layers(pbc=True)
        atoms.positions += [0.3, 0.1, drift]
        atoms.wrap()
        accumulator.add(atoms)
    result = accumulator.result()
    masses = np.array([22.98976928] * 4 + [35.45] * 2)
    center = masses @ ([5.05] * 4 + [8.05] * 2) / masses.sum()
    sodium = result.curves["number_Na_per_A3"]
    mean = (sodium * result.position_A).sum() / sodium.sum()
    assert mean == pytest.approx(5.05 - center, abs=0.006)
    assert np.count_nonzero(sodium) <= 2
    assert sodium.sum() * 30 * 0.01 == pytest.approx(4)


def test_charges_of_the_calculator_give_the_charge_density():
    atoms = layers()
    with pytest.raises(ValueError, match="does not provide"):
        averaged([atoms], quantities=("charge",))
    atoms.calc = SinglePointCalculator(atoms, charges=np.array([0.5] * 4 + [-1.0] * 2))
    result = averaged([atoms], bin_A=0.1, quantities=("charge",))
    charge = result.curves["charge_e_per_A3"]
    assert charge.sum() == pytest.approx(0, abs=1e-12)
    assert charge.max() == pytest.approx(2 / 3)


def test_water_pointing_up_has_cosine_one_and_ions_have_none():
    # ASE's water lies in the y-z plane with its hydrogens below the oxygen.
    up, down, aside = (molecule("H2O") for _ in range(3))
    up.rotate(180, "x")
    aside.rotate(60, "x")
    atoms = Atoms(cell=[8, 8, 20], pbc=True)
    for z, water in ((3.0, up), (7.0, down), (11.0, aside)):
        water.translate([4, 4, z] - water.positions[0])
        atoms += water
    atoms += Atoms("OH", [[4, 4, 15], [4, 4, 15.97]])
    result = averaged([atoms], bin_A=1.0, quantities=("orientation",))
    cosine = result.curves["orientation_cosine"]
    seen = np.isfinite(cosine)
    assert result.position_A[seen] == pytest.approx([3.5, 7.5, 11.5])
    assert cosine[seen] == pytest.approx([1.0, -1.0, -0.5])


def test_a_hydrogen_belongs_to_its_closest_oxygen():
    """A proton on the way to the next molecule, 1.25 Å from it, leaves both of them water."""
    atoms = Atoms(cell=[8, 8, 20], pbc=True)
    donor = [[4, 4, 5.0], [4, 4, 6.0], [4, 4.94, 4.66]]
    acceptor = [[4, 4, 7.25], [4, 4.76, 7.84], [4, 3.24, 7.84]]
    atoms += Atoms("OH2OH2", donor + acceptor)
    cosine = averaged([atoms], bin_A=1.0, quantities=("orientation",)).curves["orientation_cosine"]
    assert np.flatnonzero(np.isfinite(cosine)).tolist() == [5, 7]
    assert cosine[5] == pytest.approx(0.66 / np.hypot(0.66, 0.94))
    assert cosine[7] == pytest.approx(1.0)


def test_randomly_turned_water_has_no_mean_orientation_within_its_error(rng):
    accumulator = AxisProfile(bin_A=5.0, quantities=("orientation",))
    for _ in range(400):
        atoms = Atoms(cell=[5, 5, 10], pbc=True)
        for z in (2.5, 7.5):
            water = molecule("H2O")
            water.rotate([0, 0, -1], rng.normal(size=3))
            water.translate([2, 2, z] - water.positions[0])
            atoms += water
        accumulator.add(atoms)
    result = accumulator.result()
    error = result.standard_errors["orientation_cosine"]
    # The cosine of a random direction has variance 1/3.
    assert error == pytest.approx(np.full(2, np.sqrt(1 / 3 / 400)), rel=0.5)
    assert (np.abs(result.curves["orientation_cosine"]) < 4 * error).all()


def test_atoms_that_leave_an_open_cell_are_counted_outside_but_not_under_periodicity():
    atoms = layers()
    atoms.positions[0, 2] = 25.0
    assert averaged([atoms]).outside == 1
    atoms.pbc = True
    assert averaged([atoms]).outside == 0


def test_impossible_arguments_and_structures_are_refused():
    with pytest.raises(ValueError, match="`quantities` must be from"):
        AxisProfile(quantities=("color",))
    with pytest.raises(ValueError, match="is empty"):
        AxisProfile(center_on=[])
    with pytest.raises(ValueError, match="needs a cell with a volume"):
        AxisProfile().add(Atoms("H"))
    even = Atoms("Ar20", np.linspace(0, 20, 20, endpoint=False)[:, None] * [0, 0, 1])
    even.set_cell([10, 10, 20])
    even.pbc = True
    with pytest.raises(ValueError, match="have no center"):
        AxisProfile(center_on=range(20)).add(even)
    # Later configurations of a run that was accepted go on.
    started = AxisProfile(center_on=range(20))
    film = even.copy()
    film.positions *= 0.5
    started.add(film)
    started.add(even)

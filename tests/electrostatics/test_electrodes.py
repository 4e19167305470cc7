"""Electrodes at a potential, and metals in fields: capacitors, image charges, derivatives."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import bulk, fcc100
from scipy.special import erf

from ase_les import LESCalculator
from ase_les.electrostatics.conductors import conductors
from ase_les.electrostatics.particle_mesh import AnalyticParticleMesh
from ase_les.electrostatics.warm_start import WarmStart
from ase_les.graph import graph_from_atoms
from ase_les.neighbors import NeighborList
from ase_les.response import Electrodes, FieldEnthalpy, electrode_graph, electrode_state
from ase_les.testing.rigid_charges import rigid_charge_model
from ase_les.units import COULOMB_CONSTANT

FACE = 4 * math.pi * COULOMB_CONSTANT
SMEARED = math.sqrt(2 / math.pi)
CUTOFF = 4.2


def settled(atoms: Atoms, left, right, potential=None, charge=None, *, smearing=1.0, hardness=2.0):
    """Energy and state of electrodes for rigid ions K+ and F-, in sheets of one atom per Å²."""
    ions = {"K": 1.0, "F": -1.0}
    model = rigid_charge_model(ions, hardness=hardness, smearing=smearing, cutoff=CUTOFF)
    graph = graph_from_atoms(atoms, NeighborList(CUTOFF))
    electrodes = Electrodes(torch.tensor(left), torch.tensor(right), potential, charge)
    graph = electrode_graph(model, graph, electrodes)
    enthalpy = FieldEnthalpy(model, torch.zeros(3), electrodes)
    return enthalpy(graph).energy.item(), electrode_state(enthalpy, graph, None)


def sheets(heights, symbols: str, length: float = 0.0, pbc=(True, True, False)) -> Atoms:
    return Atoms(symbols, [(0, 0, z) for z in heights], cell=[1.0, 1.0, length], pbc=pbc)


DISTANCE, HARDNESS, VOLT = 12.0, 2.0, 1.5
# Energy of two planes of Gaussian charges Q and -Q: 2πk Q² (d - √(2/π)) + η Q² - V Q.
CAPACITY = 1 / (FACE * (DISTANCE - SMEARED) + 2 * HARDNESS)


@pytest.mark.parametrize("vacuum", [None, 9.0], ids=["two periodic directions", "three, vacuum"])
def test_a_plane_capacitor_has_its_analytic_charge_and_energy(vacuum):
    atoms = sheets((0, DISTANCE), "Pt2")
    if vacuum is not None:
        atoms = sheets((0, DISTANCE), "Pt2", DISTANCE + vacuum, True)
    energy, state = settled(atoms, [0], [1], VOLT)
    assert state.charge == pytest.approx(CAPACITY * VOLT, rel=1e-9)
    assert energy == pytest.approx(-0.5 * CAPACITY * VOLT**2, rel=1e-9)
    assert state.response == pytest.approx(CAPACITY, rel=1e-9)
    assert state.conjugate == state.charge


def test_at_fixed_charge_the_potential_is_that_of_the_capacitor():
    charge = 0.01
    energy, state = settled(sheets((0, DISTANCE), "Pt2"), [1], [0], None, charge)
    assert state.charge == pytest.approx(charge, rel=1e-12)
    assert state.potential == pytest.approx(charge / CAPACITY, rel=1e-9)
    assert energy == pytest.approx(0.5 * charge**2 / CAPACITY, rel=1e-9)


def test_ions_between_plates_induce_charges_by_their_place():
    # K at a third of the gap, F at two thirds: image charges are their moment over the gap.
    atoms = sheets((0, DISTANCE, DISTANCE / 3, 2 * DISTANCE / 3), "Pt2KF")
    _, state = settled(atoms, [0], [1], VOLT)
    induced = -FACE * (DISTANCE / 3) * CAPACITY
    assert state.charge == pytest.approx(induced + CAPACITY * VOLT, rel=1e-5)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
@pytest.mark.parametrize("shifted", [0.0, 8.0])
def test_the_faces_of_one_metal_are_a_capacitor_in_a_field(order, shifted):
    # 12 Å of vacuum, and 4 Å of metal between its two planes, across the cell face or not.
    thickness = 4.0
    length = DISTANCE + thickness
    atoms = sheets((0, DISTANCE), "Pt2", length, True)
    atoms.positions[:, 2] = (atoms.positions[:, 2] + shifted) % length
    energy, state = settled(atoms, [order[0]], [order[1]], VOLT)
    # The field of planes of Gaussian charges does not vanish between them.
    share = thickness / length
    expected = VOLT * share / (FACE * (DISTANCE * share - SMEARED) + 2 * HARDNESS)
    assert state.charge == pytest.approx(expected, rel=1e-5)
    held = -0.5 * expected * VOLT * share - VOLT**2 / (2 * FACE * length)
    assert energy == pytest.approx(held, rel=1e-5)
    assert state.conjugate == pytest.approx(-2 * held / VOLT, rel=1e-5)


def test_the_two_faces_of_a_thick_metal_are_as_two_electrodes():
    # A level potential inside: vacuum or more metal on the other side is the same.
    inside = 9
    heights = [*(-z for z in range(inside)), *(DISTANCE + z for z in range(inside))]
    symbols = f"Pt{2 * inside}KF"
    left, right = list(range(inside)), list(range(inside, 2 * inside))
    ions = (DISTANCE / 3, DISTANCE / 2)
    film = sheets((*heights, *ions), symbols)
    one = sheets((*heights, *ions), symbols, DISTANCE + 2 * inside - 1, True)
    (energy, state), (in_cell, state_in_cell) = (
        settled(atoms, left, right, VOLT) for atoms in (film, one)
    )
    assert state_in_cell.charge == pytest.approx(state.charge, rel=1e-4)
    assert state_in_cell.conjugate == pytest.approx(state.charge, rel=1e-7)
    assert state_in_cell.response == pytest.approx(state.response, rel=1e-7)
    assert in_cell == pytest.approx(energy, rel=1e-8)


def lattice_terms(heights, k_sum: int = 12):
    """Return the potential between unit charges of square lattices of 1 Å, but for a constant."""

    def between(distance: float, widths: float) -> float:
        """Two lattices of Gaussians whose variances add up to `widths`² / 2 per direction."""
        sigma = widths
        z = abs(distance)
        mean = z * erf(z / (math.sqrt(2) * sigma)) if sigma else z
        if sigma:
            mean += sigma * SMEARED * math.exp(-(z**2) / (2 * sigma**2))
        total = -2 * math.pi * mean
        index = np.arange(-k_sum, k_sum + 1)
        k = 2 * math.pi * np.hypot(*np.meshgrid(index, index)).ravel()
        k = k[k > 0]
        if not sigma:
            return total + (2 * math.pi / k * np.exp(-k * z)).sum()
        from scipy.special import erfc

        root = math.sqrt(2) * sigma
        waves = np.exp(k * z) * erfc(k * sigma / math.sqrt(2) + z / root)
        waves += np.exp(-k * z) * erfc(k * sigma / math.sqrt(2) - z / root)
        return total + (math.pi / k * waves).sum()

    return between


@pytest.mark.parametrize("ions_are_points", [True, False])
def test_the_published_capacitor_of_gaussian_charges(ions_are_points):
    """Ahrens-Iwers et al., J. Chem. Phys. 157, 084801 (2022), example "madelung" of LAMMPS.

    Square lattices of 1 Å: Gaussian electrodes (η = 2/Å) at ±2 Å, 1 V apart, and ions ±0.5 e at
    ±1 Å; the log of LAMMPS (madelung-eta, 19 Feb 2024) has 0.279214485 e.
    """
    eta, ion = 2.0, 0.5
    between = lattice_terms(None)
    # Gaussian electrodes interact as erf(ηr/√2)/r, with point ions as erf(ηr)/r.
    sigma = 1 / eta
    of_ions = sigma / math.sqrt(2) if ions_are_points else sigma
    own = between(0.0, sigma) - between(4.0, sigma)
    drive = ion * (between(1.0, of_ions) - between(3.0, of_ions))
    reference = (1 / COULOMB_CONSTANT / 2 + drive) / own
    if ions_are_points:
        assert reference == pytest.approx(0.279214485, rel=2e-5)
        return
    model = rigid_charge_model({"K": ion, "F": -ion}, hardness=1e-9, smearing=sigma, cutoff=CUTOFF)
    # The upper electrode is at 1 V; the negative ion is next to it.
    atoms = sheets((2, -2, 1, -1), "Pt2FK")
    graph = graph_from_atoms(atoms, NeighborList(CUTOFF))
    electrodes = Electrodes(torch.tensor([0]), torch.tensor([1]), 1.0, None)
    state = electrode_state(FieldEnthalpy(model, torch.zeros(3), electrodes), graph, None)
    assert state.charge == pytest.approx(reference, rel=1e-6)


def test_an_ion_has_the_image_potential_of_a_plane():
    n, spacing, z = 16, 1.5, 3.0
    length = n * spacing
    plane = [(spacing * x, spacing * y, 0.0) for x in range(n) for y in range(n)]
    # The image plane is in the plane of the atoms at this hardness (expansion in k).
    hardness = SMEARED * 2 * math.pi * COULOMB_CONSTANT / spacing**2
    model = rigid_charge_model({"K": 1.0}, hardness=hardness, cutoff=1.6)
    atoms = Atoms(["Pt"] * n**2 + ["K"], [*plane, (0.5, 0.5, z)], cell=[length, length, 0])
    atoms.pbc = (True, True, False)
    graph = graph_from_atoms(atoms, NeighborList(1.6))
    # Rigid: the network would distribute a total charge of 1 e among formal charges.
    local = torch.zeros(n**2 + 1, 1, dtype=torch.float64)
    local[-1] = 1.0
    sums = model.latent_electrostatics.electrostatics
    equilibrate = model.latent_electrostatics.equilibration
    moved = equilibrate(graph, local, sums, sums.plan(graph))
    energy = sums(graph, local + moved.charges) + moved.energies.sum()
    gained = (energy - sums(graph, local)).item()
    # The images of an ion and of its periodic copies, less those of an ion alone.
    index = np.array([(i, j) for i in range(-30, 31) for j in range(-30, 31) if (i, j) != (0, 0)])
    k = np.linalg.norm(2 * math.pi / length * index, axis=1)
    images = -math.pi * COULOMB_CONSTANT / length**2 * (np.exp(-2 * k * z) / k).sum()
    alone = -COULOMB_CONSTANT / (4 * z)
    assert gained + (alone - images) == pytest.approx(alone, rel=0.01)
    # Copies make shorter waves, which planes of wide charges screen less, weigh more.
    assert gained == pytest.approx(images, rel=0.02)


NA = {"scale": 4.0, "neutrality": "split"}


@pytest.fixture(scope="module")
def model(random_model):
    return random_model(
        charges=NA, equilibration={"elements": ("Na",), "hardness": 4.0}, cutoff=4.5
    ).double()


def gap(pbc, *, vacuum: float = 7.0) -> Atoms:
    """Return two layers of sodium on both sides of two molecules."""
    low = fcc100("Na", (2, 2, 2), a=4.4)
    top = low.positions[:, 2].max()
    heights = np.array([2.5, 3.3, 4.6, 5.4]) + top
    atoms = low + Atoms("OHOH", [(1, 1, 0), (1.6, 1, 0), (3.2, 2.8, 0), (3.6, 2.8, 0)])
    atoms.positions[-4:, 2] = heights
    high = low.copy()
    high.positions[:, 2] += top + 8.5
    atoms += high
    atoms.cell[2] = (0, 0, atoms.positions[:, 2].max() + vacuum)
    atoms.pbc = pbc
    atoms.rattle(0.1, seed=3)
    return atoms


LEFT, RIGHT = list(range(8)), list(range(12, 20))
FILM = (True, True, False)


def at(**given):
    return {"electrodes": {"left": LEFT, "right": RIGHT, **given}}


CASES = {
    "potential": (FILM, at(potential_V=1.5)),
    "charge": (FILM, at(charge_e=0.2)),
    "field": (FILM, {"field_V_per_A": (0, 0, 0.1)}),
    "field and potential": (FILM, {"field_V_per_A": (0, 0, 0.1), **at(potential_V=-1.0)}),
    "one metal": (True, at(potential_V=1.5)),
    "film in a cell": (True, at(potential_V=1.5)),
    "cluster": (False, {"field_V_per_A": (0.05, 0, 0.1)}),
}


@pytest.fixture(params=CASES)
def driven(request, model):
    pbc, given = CASES[request.param]
    atoms = gap(pbc, vacuum=2.2 if request.param == "one metal" else 7.0)
    scale = 1.0 if request.param == "cluster" else 1.6
    atoms.calc = LESCalculator(model, dtype="float64", dielectric=scale, **given)
    return atoms


def slope(atoms: Atoms, function, atom: int, axis: int, step: float = 1e-3):
    """Return the derivative of a function of the atoms, by five points."""
    values = []
    for offset in (-2, -1, 1, 2):
        moved = atoms.copy()
        moved.positions[atom, axis] += step * offset
        values.append(function(moved))
    return (values[0] - 8 * values[1] + 8 * values[2] - values[3]) / (12 * step)


def test_forces_are_those_of_the_energy(driven):
    forces = driven.get_forces()
    for atom, axis in ((1, 2), (9, 0), (14, 1)):
        expected = -slope(driven, driven.calc.get_potential_energy, atom, axis)
        assert forces[atom, axis] == pytest.approx(expected, abs=1e-6)
    assert forces.sum(0) == pytest.approx(0, abs=1e-9)


def test_born_charges_are_those_of_the_dipole(driven):
    born = driven.calc.get_born_effective_charges(driven)
    for atom, axis in ((3, 2), (9, 0)):
        expected = slope(driven, driven.calc.get_cell_dipole, atom, axis)
        assert born[atom, :, axis] == pytest.approx(expected, abs=1e-6)
    assert born.sum(0) == pytest.approx(0, abs=1e-8)
    assert np.abs(born[:8, 2]).max() > 0.01
    if driven.pbc.any():
        assert not born[:, :2].any()
    rng = np.random.default_rng(1)
    driven.set_velocities(rng.normal(size=(len(driven), 3)))
    from ase import units

    expected = np.einsum("iab,ib->a", born, driven.get_velocities() * units.fs)
    assert driven.calc.get_current(driven) == pytest.approx(expected, abs=1e-12)


def test_energy_changes_by_the_charge_times_the_potential(model):
    atoms = gap(FILM)

    def energy(potential: float) -> float:
        atoms.calc = LESCalculator(
            model, dtype="float64", dielectric=1.7, **at(potential_V=potential)
        )
        return atoms.get_potential_energy()

    rise = (energy(1.0 + 1e-3) - energy(1.0 - 1e-3)) / 2e-3
    energy(1.0)
    state = atoms.calc.get_electrode_state(atoms)
    assert state["conjugate_charge_e"] == pytest.approx(-rise, rel=1e-6)
    assert atoms.calc.results["electrode_charges"] == pytest.approx(
        [state["charge_e"], -state["charge_e"]], abs=1e-12
    )
    held = state["charge_e"]
    grand = atoms.get_potential_energy()
    charge = atoms.get_forces()
    level = atoms.calc.get_metal_potential(atoms)
    # The other ensemble at the charge found has the same forces, and the energy before V Q.
    atoms.calc = LESCalculator(model, dtype="float64", dielectric=1.7, **at(charge_e=held))
    assert atoms.get_forces() == pytest.approx(charge, abs=1e-9)
    assert atoms.get_potential_energy() == pytest.approx(grand + 1.0 * held, abs=1e-9)
    assert atoms.calc.get_electrode_state(atoms)["potential_V"] == pytest.approx(1.0, abs=1e-9)
    assert atoms.calc.get_metal_potential(atoms) == pytest.approx(level, abs=1e-9)


def test_a_potential_can_be_assigned_and_results_follow(model):
    atoms = gap(FILM)
    atoms.calc = LESCalculator(model, dtype="float64")
    without = atoms.get_potential_energy()
    atoms.calc.electrodes = at(potential_V=1.0)["electrodes"]
    assert atoms.get_potential_energy() != pytest.approx(without, abs=1e-3)
    atoms.calc.electrodes = None
    assert atoms.get_potential_energy() == without
    assert "electrode_charges" not in atoms.calc.results


@pytest.mark.slow
def test_the_mesh_gives_the_charges_of_the_direct_sum(model):
    atoms = gap(FILM) * (4, 4, 1)
    lower = atoms.positions[:, 2] < 4
    is_metal = atoms.symbols == "Na"
    electrodes = {
        "left": np.flatnonzero(is_metal & lower),
        "right": np.flatnonzero(is_metal & ~lower),
    }
    found = []
    for accuracy in (None, 1e-5):
        for held in ({"potential_V": 1.5}, {"charge_e": 0.5}):
            atoms.calc = LESCalculator(
                model, dtype="float64", accuracy=accuracy, electrodes=electrodes | held
            )
            found.append((atoms.get_forces(), atoms.calc.get_electrode_state(atoms)))
    assert isinstance(atoms.calc._graphs._plan.groups[0].sum.method, AnalyticParticleMesh)
    for (forces, state), (by_mesh, mesh_state) in zip(found[:2], found[2:], strict=True):
        assert by_mesh == pytest.approx(forces, abs=1e-3)
        assert mesh_state["charge_e"] == pytest.approx(state["charge_e"], abs=1e-4)
        assert mesh_state["response_e_per_V"] == pytest.approx(state["response_e_per_V"], rel=1e-4)


def test_pieces_of_metal_are_whole_across_cell_faces():
    slab = fcc100("Pt", (2, 2, 3), a=3.92, vacuum=4.0)
    slab.pbc = True
    whole = slab.copy()
    slab.positions[:, 2] += 5.0
    slab.wrap()
    assert np.ptp(slab.positions[:, 2]) > 6
    graph = graph_from_atoms(slab, NeighborList(4.5))
    found = conductors(graph, torch.arange(len(slab)))
    heights = found.positions[:, 2].numpy()
    assert np.ptp(heights) == pytest.approx(np.ptp(whole.positions[:, 2]))
    assert found.open_directions[0].numpy() == pytest.approx(np.diag([0, 0, 1.0]), abs=1e-12)
    assert not found.piece.any()
    crystal = graph_from_atoms(bulk("Pt", cubic=True), NeighborList(4.5))
    assert not conductors(crystal, torch.arange(4)).open_directions.abs().max() > 1e-12
    pair = Atoms("Pt2", [(0, 0, 0), (0, 0, 2.6)], cell=[9, 9, 9], pbc=True)
    found = conductors(graph_from_atoms(pair, NeighborList(4.5)), torch.arange(2))
    assert found.open_directions[0].numpy() == pytest.approx(np.eye(3))


def test_the_pieces_of_metal_are_found_once_per_force_call(model, monkeypatch):
    calls = []

    def counted(*given):
        calls.append(given)
        return conductors(*given)

    for module in ("conditions", "electrodes", "metals"):
        monkeypatch.setattr(f"ase_les.response.{module}.conductors", counted)
    atoms = gap(FILM)
    for given in ({}, at(potential_V=1.0)):
        atoms.calc = LESCalculator(model, field_V_per_A=(0, 0, 0.1), **given)
        atoms.get_forces()
        atoms.positions[-1, 2] += 0.01
        atoms.positions[9, 2] += 0.01
        calls.clear()
        atoms.get_forces()
        assert len(calls) == 1


def test_born_charges_start_from_the_solution_of_the_forces(model, monkeypatch):
    atoms = gap(FILM) * (3, 3, 1)
    is_left = atoms.positions[:, 2] < 4
    is_metal = atoms.symbols == "Na"
    electrodes = {
        "left": np.flatnonzero(is_metal & is_left),
        "right": np.flatnonzero(is_metal & ~is_left),
        "potential_V": 1.0,
    }
    atoms.calc = LESCalculator(model, dtype="float64", electrodes=electrodes)
    atoms.get_forces()
    solved = []

    def noted(self, metal, answer, given, series="charges"):
        solution = solve(self, metal, answer, given, series)
        solved.append((series, solution.iterations))
        return solution

    solve = WarmStart.solve
    monkeypatch.setattr(WarmStart, "solve", noted)
    born = atoms.calc.get_born_effective_charges(atoms)
    # One response, along the normal: there is none along the layers.
    assert [series for series, _ in solved] == ["charges", "response 2"]
    assert solved[0][1] <= 1
    atoms.calc = LESCalculator(model, dtype="float64", electrodes=electrodes)
    assert atoms.calc.get_born_effective_charges(atoms) == pytest.approx(born, abs=1e-8)


def test_there_is_no_field_along_a_metal(model):
    atoms = gap(FILM)
    atoms.calc = LESCalculator(model, field_V_per_A=(0.1, 0, 0))
    with pytest.raises(ValueError, match="no field along a metal"):
        atoms.get_forces()


@pytest.mark.parametrize(
    ("left", "right", "message"),
    [
        (LEFT, RIGHT[:-1], "1 do not, the first is 19"),
        (LEFT, [*RIGHT, 9], r"share electrons \(Na\); atom 9 does not"),
        (LEFT, [*RIGHT, 70], "contain atom 70; the structure has 20"),
        (LEFT[:4], [*LEFT[4:], *RIGHT], "a metal has one potential"),
    ],
)
def test_electrodes_are_separate_pieces_of_all_metal_atoms(model, left, right, message):
    atoms = gap(FILM)
    electrodes = {"left": left, "right": right, "potential_V": 1.0}
    atoms.calc = LESCalculator(model, electrodes=electrodes)
    with pytest.raises(ValueError, match=message):
        atoms.get_forces()


def test_electrodes_in_a_cell_without_vacuum_are_one_metal_at_a_potential(model):
    atoms = gap(True, vacuum=2.2)
    atoms.calc = LESCalculator(model, **at(charge_e=0.1))
    with pytest.raises(ValueError, match="a fixed charge needs"):
        atoms.get_forces()
    atoms.calc = LESCalculator(model, **at(potential_V=1.0))
    atoms.get_forces()
    with pytest.raises(NotImplementedError, match="Keep the cell fixed"):
        atoms.get_stress()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"left": [0], "right": [1]}, "either `potential_V`"),
        ({"left": [0], "right": [1], "potential_V": 1, "charge_e": 1}, "either `potential_V`"),
        ({"left": [0], "right": [0], "potential_V": 1}, "atom 0 is in both"),
        ({"left": [], "right": [0], "potential_V": 1}, "at least one"),
        ({"left": [0, 0], "right": [1], "potential_V": 1}, "twice"),
        ({"left": "Pt", "right": [0], "potential_V": 1}, "select_electrodes"),
        ({"left": [0], "right": [1], "potential_V": "1 V"}, "finite number"),
        ({"left": [0], "right": [1], "potential_V": 50}, "at most 20 V"),
        ({"left": [0], "right": [1], "volt": 1}, "have the entries left, right"),
        ({"left": [0], "potential_V": 1}, "need `right`"),
    ],
)
def test_wrong_electrodes_are_refused(model, given, message):
    with pytest.raises(ValueError, match=message):
        LESCalculator(model, electrodes=given)


def test_electrodes_need_a_model_with_metals(random_model):
    atoms = gap(FILM)
    atoms.calc = LESCalculator(random_model(cutoff=4.5), **at(potential_V=1.0))
    with pytest.raises(ValueError, match="need a model whose metal atoms share"):
        atoms.get_forces()

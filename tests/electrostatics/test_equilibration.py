"""Metals level their potential: image charges, capacitors, and what may be asked of a conductor."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import bulk, fcc111
from scipy.special import erf, erfc

from ase_les import LESCalculator
from ase_les.derivatives import differentiate
from ase_les.electrostatics import (
    Electrostatics,
    ElectrostaticsConfig,
    Equilibration,
    EquilibrationConfig,
)
from ase_les.electrostatics import equilibration as equilibration_of_charges
from ase_les.electrostatics.ewald import AnalyticEwaldSum
from ase_les.electrostatics.mesh_potential import MeshPotential
from ase_les.electrostatics.particle_mesh import AnalyticParticleMesh
from ase_les.electrostatics.reciprocal import ReciprocalSum
from ase_les.graph import batch, graph_from_atoms
from ase_les.neighbors import NeighborList
from ase_les.training.learning.dataset import Sample
from ase_les.training.learning.loss import LossWeights, loss
from ase_les.units import COULOMB_CONSTANT

SUMS = Electrostatics(ElectrostaticsConfig(smearing=1.0, remove_self_energy=True))
# Of a Gaussian charge of that width, with itself.
SELF = 2 * COULOMB_CONSTANT / math.sqrt(2 * math.pi)


def graph_of(*structures: Atoms):
    return batch([graph_from_atoms(atoms, NeighborList(1.0)) for atoms in structures])


def metal(*elements: str, hardness: float = 2.0, **electronegativities) -> Equilibration:
    config = EquilibrationConfig(elements, hardness, electronegativities)
    equilibration = Equilibration(config).double()
    # The start of a training is a float32 number, of which too little is left here.
    equilibration.log_hardness.data.fill_(math.log(hardness))
    return equilibration


def flow(equilibration: Equilibration, atoms: Atoms, sums: Electrostatics = SUMS):
    """Charges that flow, and the energy with and without them; atoms have initial charges."""
    graph = graph_of(atoms)
    charges = torch.tensor(atoms.get_initial_charges())[:, None]
    flowed = equilibration(graph, charges, sums, sums.plan(graph))
    energy = sums(graph, charges + flowed.charges).sum() + flowed.energies.sum()
    return flowed.charges[:, 0].detach().numpy(), energy.item(), sums(graph, charges).item()


def sheets(heights, symbols, charges, length: float, pbc) -> Atoms:
    """One atom per Å²: to Gaussians of 1 Å these are smooth planes."""
    return Atoms(
        symbols,
        positions=[(0, 0, z) for z in heights],
        cell=[1.0, 1.0, length],
        pbc=pbc,
        charges=charges,
    )


def test_the_faces_of_a_metal_take_up_the_dipole_between_them():
    thickness, length, charge, apart, hardness = 10.0, 44.0, 0.3, 14.0, 2.0
    atoms = sheets((0, 10, 20, 34), "PtPtKF", (0, 0, charge, -charge), length, True)
    flowed, energy, without = flow(metal("Pt", hardness=hardness), atoms)
    # Planes of 1 Å²: the field of the dipole between images is -4π k M / L, that of the faces
    # ±4π k p (1 - t/L); a face is as thick as its Gaussians and as soft as its hardness.
    moment = charge * (-apart)
    face = 2 * math.pi * COULOMB_CONSTANT
    soft = thickness * (1 - thickness / length) - math.sqrt(2 / math.pi) + hardness / face
    expected = moment * (thickness / length) / soft
    assert flowed == pytest.approx([-expected, expected, 0, 0], abs=1e-6)
    drop = 2 * face * moment * thickness / length
    assert energy - without == pytest.approx(-0.5 * expected * drop, abs=1e-5)


def test_between_charged_plates_a_metal_has_no_field_inside():
    thickness, charge, hardness = 10.0, 0.1, 2.0
    atoms = sheets((0, 20, 30, 50), "KPtPtF", (charge, 0, 0, -charge), 0.0, (True, True, False))
    flowed, _, _ = flow(metal("Pt", hardness=hardness), atoms)
    face = 2 * math.pi * COULOMB_CONSTANT
    expected = charge * thickness / (thickness - math.sqrt(2 / math.pi) + hardness / face)
    assert flowed == pytest.approx([0, -expected, expected, 0], abs=1e-6)


def test_outside_a_neutral_double_layer_there_is_nothing_to_screen():
    atoms = sheets((0, 10, 30, 40), "PtPtKF", (0, 0, 0.3, -0.3), 0.0, (True, True, False))
    flowed, energy, without = flow(metal("Pt"), atoms)
    assert flowed == pytest.approx(0, abs=1e-6)
    assert energy == pytest.approx(without, abs=1e-9)


@pytest.mark.parametrize("hardness", [1.0, 20.0])
def test_charges_before_a_metal_are_drawn_to_their_images(hardness):
    n, spacing, lower, upper = 12, 1.0, 5.0, 7.0
    length = n * spacing
    plane = [(spacing * x, spacing * y, 0.0) for x in range(n) for y in range(n)]
    atoms = Atoms(
        ["Pt"] * n**2 + ["K", "F"],
        positions=[*plane, (7.0, 7.0, lower), (7.0, 7.0, upper)],
        charges=[0.0] * n**2 + [1.0, -1.0],
        cell=[length, length, 0],
        pbc=(True, True, False),
    )
    _, energy, without = flow(metal("Pt", hardness=hardness), atoms)
    # The plane answers to each wave of the potential that reaches it: less to short ones, for which
    # its Gaussians are wide, and the less the harder it is.
    index = np.array([(i, j) for i in range(-9, 10) for j in range(-9, 10) if (i, j) != (0, 0)])
    k = np.linalg.norm(2 * math.pi / length * index, axis=1)
    coulomb = 2 * math.pi * COULOMB_CONSTANT / k
    reaching = coulomb * (np.exp(-k * lower) - np.exp(-k * upper))
    resistance = coulomb * erfc(k / math.sqrt(2)) + hardness * spacing**2
    expected = -0.5 / length**2 * (reaching**2 / resistance).sum()
    assert expected < -0.005
    assert energy - without == pytest.approx(expected, rel=1e-4)


def test_two_atoms_polarize_as_their_hardness_lets_them():
    hardness, distance = 3.0, 2.5
    positions = [(0, 0, 0), (0, 0, distance), (0, 0, -4.0)]
    atoms = Atoms("Ag2Na", positions=positions, charges=[0, 0, 1])
    flowed, energy, without = flow(metal("Ag", hardness=hardness), atoms)

    def pair(r):
        return COULOMB_CONSTANT * erf(r / math.sqrt(2)) / r

    drop = pair(4.0) - pair(4.0 + distance)
    expected = -drop / (2 * (SELF + hardness - pair(distance)))
    assert flowed == pytest.approx([expected, -expected, 0], abs=1e-12)
    assert energy - without == pytest.approx(0.5 * expected * drop, abs=1e-12)


def test_electrons_go_to_the_more_electronegative_element():
    equilibration = metal("Au", "Al", Au=2.0, Al=-1.0)
    atoms = Atoms("AuAl", positions=[(0, 0, 0), (0, 0, 6.0)], charges=[0, 0])
    flowed, _, _ = flow(equilibration, atoms)
    pair = COULOMB_CONSTANT * erf(6.0 / math.sqrt(2)) / 6.0
    expected = -3.0 / (2 * (SELF + 2.0 - pair))
    assert flowed == pytest.approx([expected, -expected], abs=1e-12)


def surface(pbc) -> Atoms:
    atoms = fcc111("Na", (2, 2, 2), a=4.4, vacuum=4.0)
    atoms.set_initial_charges(np.full(len(atoms), 0.05))
    above = atoms.positions[:, 2].max() + 3.0
    atoms += Atoms("OH", [(0.3, 0.2, above), (1.1, 0.9, above + 1.0)], charges=[-1.3, 0.9])
    atoms.pbc = pbc
    atoms.rattle(0.1, seed=3)
    return atoms


@pytest.fixture(params=[0, 10**9], ids=["iterated", "factorized"])
def either_way(request, monkeypatch):
    """Nothing is solved by factors, or all is."""
    monkeypatch.setattr(equilibration_of_charges, "_AT_ONCE", request.param)


BOUNDARIES = {"cell": True, "slab": (True, True, False), "cluster": False}


@pytest.mark.parametrize("pbc", BOUNDARIES.values(), ids=BOUNDARIES)
@pytest.mark.parametrize("kept", [False, True], ids=["self energy removed", "kept"])
@pytest.mark.parametrize("weight", [1.0, 0.5])
@pytest.mark.usefixtures("either_way")
def test_charges_are_the_solution_of_the_linear_system(pbc, kept, weight):
    sums = Electrostatics(ElectrostaticsConfig(remove_self_energy=not kept, weight=weight))
    equilibration, atoms = metal("Na", "H"), surface(pbc)
    with torch.no_grad():
        equilibration.electronegativity.copy_(torch.tensor([0.7, -0.4]))
        equilibration.log_hardness.copy_(torch.tensor([2.0, 3.0]).double().log())
    graph, charges = graph_of(atoms), atoms.get_initial_charges()

    def energy(values):
        return sums(graph, torch.tensor(values)[:, None]).item()

    # The plain definition: the matrix from energies of unit charges, solved as it stands.
    units = np.eye(len(atoms))
    diagonal = np.array([energy(one) for one in units])
    matrix = np.array([[energy(a + b) for b in units] for a in units])
    matrix -= diagonal[:, None] + diagonal
    shares = np.isin(atoms.numbers, (1, 11))
    is_hydrogen = atoms.numbers[shares] == 1
    chi = np.where(is_hydrogen, np.float32(-0.4), np.float32(0.7))
    hard = np.where(is_hydrogen, 3.0, 2.0) + (0 if kept else weight * SELF)
    among = matrix[np.ix_(shares, shares)] + np.diag(hard)
    n = shares.sum()
    bordered = np.block([[among, np.ones((n, 1))], [np.ones((1, n)), np.zeros((1, 1))]])
    drive = (matrix @ charges)[shares] + chi
    expected = np.linalg.solve(bordered, np.append(-drive, 0.0))[:-1]

    flowed, total, without = flow(equilibration, atoms, sums)
    assert flowed[shares] == pytest.approx(expected, abs=1e-9)
    assert not flowed[~shares].any()
    gained = expected @ drive + 0.5 * expected @ among @ expected
    assert total - without == pytest.approx(gained, abs=1e-9)
    assert np.abs(flowed).max() > 0.05


@pytest.mark.usefixtures("either_way")
def test_structures_side_by_side_keep_their_electrons_to_themselves(rng):
    equilibration = metal("Na")
    # Pairs settle at once and must stay so while the surface takes its time.
    pairs = [Atoms("Na2O", rng.normal(size=(3, 3)) * 2) for _ in range(40)]
    for atoms in pairs:
        atoms.set_initial_charges(rng.normal(size=3))
    alone = Atoms("NaOH", [(0, 0, 0), (0, 0, 2.0), (0, 0, 3)], charges=[1, -2, 1])
    none = Atoms("OH", [(0, 0, 0), (0, 0, 1.0)], charges=[-1, 1])
    parts = [surface(True), *pairs, alone, none, surface(False)]
    charges = torch.tensor(np.concatenate([a.get_initial_charges() for a in parts]))[:, None]
    graph = graph_of(*parts)
    together = equilibration(graph, charges, SUMS, SUMS.plan(graph)).charges[:, 0].detach().numpy()
    expected = np.concatenate([flow(equilibration, atoms)[0] for atoms in parts])
    assert together == pytest.approx(expected, abs=1e-9)


def test_where_no_atom_shares_electrons_nothing_flows():
    atoms = Atoms("OH", [(0, 0, 0), (0, 0, 1.0)], charges=[-1, 1])
    flowed, energy, without = flow(metal("Na"), atoms)
    assert not flowed.any()
    assert energy == without


@pytest.fixture
def model(random_model):
    return random_model(
        charges={"neutrality": "split"}, equilibration={"elements": ("Na", "O"), "hardness": 4.0}
    ).double()


def crystal() -> Atoms:
    atoms = bulk("NaO", "rocksalt", a=4.6, cubic=True)
    atoms.rattle(0.1, seed=1)
    return atoms


@pytest.mark.usefixtures("either_way")
def test_the_loss_of_forces_has_the_gradient_of_its_differences(model):
    atoms = crystal()
    graph = graph_from_atoms(atoms, NeighborList(model.config.cutoff))
    nothing = torch.full((1,), torch.nan)
    sample = Sample(
        graph=graph,
        energy=torch.tensor([-3000.0]),
        forces=torch.ones_like(graph.positions),
        stress=torch.zeros(1, 3, 3),
        dipole=nothing,
        quadrupole=nothing,
        born_charges=nothing,
        polarizability=nothing,
    )

    def value():
        derived = differentiate(model, graph, stress=True, create_graph=True)
        return loss(derived, sample, LossWeights(energy=0.1, forces=1.0, stress=1.0))

    equilibration = model.long_range.equilibration
    with torch.no_grad():
        equilibration.electronegativity[0] = 0.5
    value().backward()
    pairs = [
        (equilibration.electronegativity, 0),
        (equilibration.log_hardness, 0),
        (equilibration.log_hardness, 1),
        (model.long_range.charges.neutrality.pair_charges, (0, 1, 2, 0, 0)),
    ]
    for parameter, entry in pairs:
        expected = 0.0
        for offset, weight in ((-2, 1 / 12), (-1, -2 / 3), (1, 2 / 3), (2, -1 / 12)):
            with torch.no_grad():
                parameter[entry] += 1e-3 * offset
            expected += weight * value().item() / 1e-3
            with torch.no_grad():
                parameter[entry] -= 1e-3 * offset
        assert abs(expected) > 1e-4
        assert parameter.grad[entry].item() == pytest.approx(expected, rel=1e-6)


def test_on_a_mesh_as_much_flows_as_in_the_exact_sum(model):
    atoms = crystal() * (4, 4, 3)
    exact, mesh = (LESCalculator(model, "cpu", "float64", accuracy=a) for a in (None, 1e-4))
    forces = exact.get_forces(atoms)
    error = mesh.get_forces(atoms) - forces
    assert isinstance(mesh._graphs._plan.groups[0].sum.method, AnalyticParticleMesh)
    assert np.sqrt((error**2).mean()) < 1e-4 * np.sqrt((forces**2).mean())
    assert mesh.results["charges"] == pytest.approx(exact.results["charges"], abs=1e-4)


def test_few_atoms_are_summed_as_all_are(random_model, monkeypatch):
    # By another sum charge would not be where it gains most, and a run could hop between the two.
    model = random_model(charges={"neutrality": "split"}, equilibration={"elements": ("H",)})
    atoms = crystal() * (4, 4, 3)
    atoms.numbers[np.flatnonzero(atoms.symbols == "Na")[::7]] = 1
    sums = []

    def counted(self, *arguments):
        sums.append(type(self))
        return ReciprocalSum.forward(self, *arguments)

    def surface(self, charges):
        sums.append(AnalyticParticleMesh)
        return of_mesh(self, charges)

    for kind in (AnalyticEwaldSum, AnalyticParticleMesh):
        monkeypatch.setattr(kind, "forward", counted)
    of_mesh = MeshPotential.surface
    monkeypatch.setattr(MeshPotential, "surface", surface)
    atoms.calc = LESCalculator(model)
    atoms.get_forces()
    assert len(sums) >= 3
    assert set(sums) == {AnalyticParticleMesh}
    few = atoms[atoms.symbols == "H"]
    few.calc = LESCalculator(model)
    few.get_forces()
    assert sums[-1] is AnalyticEwaldSum


@pytest.mark.parametrize(
    "ask",
    [
        lambda atoms: atoms.calc.get_property("polarization", atoms),
        lambda atoms: atoms.calc.get_property("born_effective_charges", atoms),
        lambda atoms: atoms.calc.get_born_effective_charges(atoms, method="phase"),
        lambda atoms: atoms.calc.get_current(atoms),
    ],
    ids=["polarization", "Born charges", "by phase", "current"],
)
def test_a_conductor_has_no_polarization(model, ask):
    atoms = crystal()
    atoms.calc = LESCalculator(model)
    with pytest.raises(ValueError, match="Na, O share electrons"):
        ask(atoms)
    atoms.calc = LESCalculator(model, field_V_per_A=(0, 0, 0.1))
    with pytest.raises(ValueError, match="share electrons"):
        atoms.get_forces()


def test_the_dipole_of_a_cluster_is_that_of_all_its_charges(model):
    atoms = Atoms("NaOH", [(0, 0, 0), (0, 0, 2.0), (0.5, 0, 2.8)], calculator=LESCalculator(model))
    arms = atoms.positions - atoms.get_center_of_mass()
    assert atoms.get_dipole_moment() == pytest.approx(atoms.get_charges() @ arms, abs=1e-12)
    graph = graph_from_atoms(atoms, NeighborList(model.config.cutoff))
    latent = model.long_range.charges.latent(model.representation(graph))
    local = model.long_range.charges.neutrality(latent, graph)[:, 0].detach().numpy()
    assert np.abs(atoms.get_charges() - local).max() > 0.01


@pytest.mark.usefixtures("either_way")
def test_charges_that_gain_energy_by_growing_are_an_error():
    wrong = Electrostatics(ElectrostaticsConfig(weight=-1.0, smearing=1.0, remove_self_energy=True))
    with pytest.raises(ArithmeticError, match="charge equilibration of the metal atoms failed"):
        flow(metal("Na"), surface(True), wrong)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"elements": "Pt"}, "`elements`: given 'Pt', needed: list, each: element symbol"),
        ({"elements": ("Pt", "Xx")}, "Xx"),
        ({"elements": ()}, "not empty"),
        ({"elements": ("Pt", "Pt")}, "each symbol once"),
        ({"elements": ("Pt",), "hardness": 0.0}, "hardness"),
        ({"elements": ("Pt",), "electronegativities": {"Au": 1.0}}, "belong to Pt, got also Au"),
    ],
)
def test_wrong_settings_are_refused(given, message):
    with pytest.raises(ValueError, match=message):
        EquilibrationConfig(**given)


def test_elements_that_share_electrons_are_elements_of_the_model(random_model):
    with pytest.raises(ValueError, match="Pt, which the model does not cover"):
        random_model(equilibration={"elements": ("Na", "Pt")})
    with pytest.raises(ValueError, match="one channel"):
        random_model(charges={"n_channels": 2}, equilibration={"elements": ("Na",)})

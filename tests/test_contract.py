"""Every model obeys the contract of `ase_les.testing`, and the contract notices who does not."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import bulk

from ase_les.graph import edge_vectors, graph_from_atoms, sum_per_structure
from ase_les.kernels import representation
from ase_les.kernels.library import compiled_kernels
from ase_les.model_io import list_models, load_model
from ase_les.neighbors import NeighborList
from ase_les.representation import CaceConfig
from ase_les.testing import answers, check_model, example_structures
from ase_les.testing import contract as testing

MODELS = {
    "as it comes": {},
    "pair sums only": {"nu_max": 1, "l_max": 0},
    "no angles": {"nu_max": 4, "l_max": 0},
    "dipolar": {"nu_max": 2, "l_max": 1},
    "quadrupolar": {"nu_max": 3, "l_max": 2},
    "the largest": {"nu_max": 4, "l_max": 4},
    "fixed frequencies": {"trainable_frequencies": False, "cutoff_exponent": 6},
    "memory": {"layers": (("memory",),), "l_max": 2},
    "radial messages": {"layers": (("radial",),), "l_max": 2},
    "invariant messages": {"layers": (("invariant",),), "l_max": 2},
    "all messages twice": {
        "layers": (("memory", "radial", "invariant"), ("memory", "invariant")),
        "l_max": 2,
        "nu_max": 2,
    },
    "separate values": {"layers": (("invariant",),), "l_max": 2, "separate_values": True},
    "no linear readout": {"charges": {"linear": False}},
    "four channels of charge": {"charges": {"n_channels": 4, "neutrality": "none"}},
    "four channels of split charge": {"charges": {"n_channels": 4}},
    "mean shift": {"charges": {"neutrality": "mean"}},
    "formal charges": {
        "charges": {"neutrality": "split", "formal_charges": {"Na": 1, "H": 1, "O": -2}}
    },
    "free total charge": {"charges": {"neutrality": "none"}},
    "total charge embedded": {"total_charges": (-1, 0, 2)},
    "self energy kept": {"electrostatics": {"remove_self_energy": False}},
    "self energy removed twice": {"electrostatics": {"self_energy_copies": 2}},
    "no background": {
        "electrostatics": {"background": False},
        "charges": {"neutrality": "none"},
    },
    "wide charges, weighted": {"electrostatics": {"smearing": 1.5, "weight": 0.5}},
    "published wave numbers": {"electrostatics": {"k_cutoff": np.pi}},
    "charges see farther": {"charge_representation": CaceConfig(4.5, 3, 2, 2, 1, 2)},
    "atoms that share electrons": {
        "equilibration": {"elements": ("Na", "O"), "hardness": 4.0},
        "charges": {"neutrality": "split"},
    },
    "nuclei that repel": {"core_repulsion": {"cutoff_scale": 1.05}},
    "short range only": {"long_range": False},
    "polarizable atoms": {"polarizability": {"channels": 3, "local_field": "lorentz"}},
}


@pytest.mark.slow
@pytest.mark.parametrize("settings", MODELS.values(), ids=MODELS.keys())
def test_a_random_model_obeys_the_contract(random_model, settings):
    print(check_model(random_model(**settings)))


@pytest.mark.slow
@pytest.mark.parametrize("name", list_models())
def test_a_shipped_model_obeys_the_contract(name):
    print(check_model(load_model(name)))


def test_a_model_trained_in_float64_obeys_the_contract(random_model, rng):
    model = random_model(l_max=2).double()
    with torch.no_grad():
        for weight in model.parameters():
            weight += 1e-3 * torch.from_numpy(rng.normal(size=weight.shape))
    check_model(model)


@pytest.mark.slow
def test_a_model_that_standardizes_features_obeys_the_contract(random_model):
    model = random_model(l_max=2)
    neighbors = NeighborList(model.config.cutoff)
    graphs = [graph_from_atoms(atoms, neighbors) for atoms in example_structures(model, seed=1)]
    model.standardize_features(graphs)
    assert (model.short_range.readout.spread != 1).any()
    check_model(model)


def test_the_contract_holds_for_structures_of_the_users_own(random_model):
    salt = bulk("NaO", "rocksalt", a=4.6)
    salt.rattle(0.1, seed=1)
    report = check_model(random_model(), [salt])
    laws = {finding.law for finding in report.findings}
    assert "stress = dE/dstrain / V" in laws
    assert str(report).count("\n") == len(report.findings)
    assert report.deviation("translation", "energy") < 1e-8


def test_the_contract_does_not_claim_laws_it_could_not_check(random_model):
    report = check_model(random_model(), [Atoms("OH", [[0, 0, 0], [0, 0, 1.0]])])
    laws = {finding.law for finding in report.findings}
    assert "rotation" in laws
    assert not laws & {"lattice translation", "lattice description", "stress = dE/dstrain / V"}


@pytest.mark.slow
def test_the_contract_leaves_the_model_as_it_is(random_model):
    model = random_model()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    check_model(model)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert model.precision == torch.float32


def test_the_contract_refuses_structures_the_model_does_not_cover(random_model):
    with pytest.raises(ValueError, match="the structure also has Cl"):
        check_model(random_model(), [Atoms("NaCl", [[0, 0, 0], [0, 0, 2.4]])])


def test_example_structures_are_the_same_every_time(random_model):
    model = random_model(total_charges=(-1, 1))
    first, again = example_structures(model), example_structures(model)
    assert first == again
    assert {atoms.info["charge"] for atoms in first} == {-1.0, 1.0}
    assert {z for atoms in first for z in atoms.numbers} == set(model.config.elements)


def subject_of(model):
    return testing.Subject(model, example_structures(model))


def break_energy(term):
    """A model that forgets a law: its energy has a term that depends on the wrong thing."""

    def broken(forward):
        def energy(graph):
            prediction = forward(graph)
            extra = 1e-3 * term(graph, prediction)
            return prediction._replace(
                energy=prediction.energy.index_add(0, graph.structure, extra),
                short_range=prediction.short_range + extra,
            )

        return energy

    return broken


BROKEN_LAWS = {
    "rotation": lambda graph, _: edges_along_x(graph),
    "reflection": lambda graph, _: handedness(graph),
    "translation": lambda graph, _: torch.sin(graph.positions).sum(1),
    "permutation": lambda graph, p: torch.arange(graph.n_atoms) * p.short_range,
    "lattice translation": lambda graph, _: distances_from_the_center(graph),
    "lattice description": lambda graph, _: (graph.cell[graph.structure, 0] ** 2).sum(1).sqrt(),
    "batch = single": lambda graph, p: p.short_range * graph.n_structures,
}


def edges_along_x(graph):
    along = torch.exp(-(edge_vectors(graph) ** 2).sum(1)) * edge_vectors(graph)[:, 0] ** 2
    return torch.zeros(graph.n_atoms, dtype=torch.float64).index_add(0, graph.receivers, along)


def handedness(graph):
    # The sign of the determinant of the structure's inertia-like frame: a chiral scalar.
    value = torch.zeros(graph.n_atoms, dtype=torch.float64)
    for index in range(graph.n_structures):
        mine = torch.nonzero(graph.structure == index).squeeze(1)
        if len(mine) >= 4:
            a, b, c = (graph.positions[mine[n]] - graph.positions[mine[0]] for n in (1, 2, 3))
            value = value.index_add(0, mine[:1], torch.linalg.det(torch.stack([a, b, c]))[None])
    return value


def distances_from_the_center(graph):
    size = sum_per_structure(torch.ones(graph.n_atoms, dtype=torch.float64), graph)
    center = sum_per_structure(graph.positions, graph) / size[:, None]
    return ((graph.positions - center[graph.structure]) ** 2).sum(1)


@pytest.mark.parametrize("law", BROKEN_LAWS)
def test_the_contract_notices_a_broken_law(random_model, monkeypatch, law):
    model = random_model(l_max=1)
    broken = break_energy(BROKEN_LAWS[law])
    forward = type(model).forward
    monkeypatch.setattr(
        type(model),
        "forward",
        lambda self, graph, plan=None: broken(lambda g: forward(self, g, plan))(graph),
    )
    with pytest.raises(AssertionError, match=r"deviates by .*, allowed is"):
        check_model(model)
    check = getattr(testing, "check_" + law.replace(" = single", "").replace(" ", "_"))
    with pytest.raises(AssertionError, match=f"^{law}: "):
        check(subject_of(model), np.random.default_rng(0))


def test_the_contract_notices_forces_that_are_no_gradient(random_model, monkeypatch):
    differentiate = answers.differentiate

    def wrong(*args, **kwargs):
        result = differentiate(*args, **kwargs)
        return result._replace(forces=result.forces * (1 + 1e-4))

    monkeypatch.setattr(answers, "differentiate", wrong)
    model = random_model()
    with pytest.raises(AssertionError, match=r"^forces = -dE/dr: forces deviates by .* eV/Å"):
        testing.check_forces(subject_of(model), np.random.default_rng(0))


def test_the_contract_notices_a_stress_blind_to_the_long_range_part(random_model, monkeypatch):
    """The published mistake: electrostatics that see the cell before it was strained."""
    model = random_model()
    forward = type(model.long_range.electrostatics).forward

    def unstrained(self, graph, charges, plan=None):
        fractional = torch.einsum(
            "ia,iab->ib", graph.positions, torch.linalg.pinv(graph.cell)[graph.structure]
        )
        fixed = graph.cell.detach()
        positions = torch.einsum("ia,iab->ib", fractional, fixed[graph.structure])
        periodic = graph.pbc.all(1)[graph.structure][:, None]
        return forward(
            self,
            graph._replace(cell=fixed, positions=torch.where(periodic, positions, graph.positions)),
            charges,
            plan,
        )

    structures = [atoms for atoms in example_structures(model) if atoms.pbc.all()]
    testing.check_stress(testing.Subject(model, structures), np.random.default_rng(0))
    monkeypatch.setattr(type(model.long_range.electrostatics), "forward", unstrained)
    with pytest.raises(AssertionError, match="stress = dE/dstrain / V: stress deviates"):
        testing.check_stress(testing.Subject(model, structures), np.random.default_rng(0))


def test_the_contract_notices_a_wrong_analytic_gradient(random_model, monkeypatch):
    from ase_les.representation.radial import BesselBasis

    exact = BesselBasis.value_and_slope

    def careless(self, distances):
        value, slope = exact(self, distances)
        return value, slope * (1 + 1e-6)

    monkeypatch.setattr(BesselBasis, "value_and_slope", careless)
    model = random_model()
    with pytest.raises(AssertionError, match=r"^analytic = autograd: forces"):
        testing.check_analytic_gradients(subject_of(model), None)


@pytest.mark.skipif(compiled_kernels() is None, reason="the kernels were not compiled here")
def test_the_contract_notices_wrong_kernels(random_model, monkeypatch):
    exact = representation.radial_polynomials
    monkeypatch.setattr(
        representation, "radial_polynomials", lambda *given: (1 + 1e-6) * exact(*given)
    )
    model = random_model()
    with pytest.raises(AssertionError, match=r"^kernels = autograd: "):
        testing.check_analytic_gradients(subject_of(model), None)


def test_the_contract_notices_an_evaluation_that_moves_atoms(random_model, monkeypatch):
    differentiate = testing.differentiate

    def careless(model, graph, **wanted):
        result = differentiate(model, graph, **wanted)
        graph.positions.sub_(graph.positions[0].clone())
        return result

    monkeypatch.setattr(testing, "differentiate", careless)
    model = random_model()
    with pytest.raises(AssertionError, match="`positions` of the graph changed"):
        testing.check_input_unchanged(subject_of(model), None)


def test_the_contract_notices_not_a_number(random_model):
    model = random_model()
    with torch.no_grad():
        model.short_range.readout.linear.weight[0, 0] = float("nan")
    with pytest.raises(AssertionError, match="deviates by nan"):
        check_model(model)

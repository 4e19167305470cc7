"""Features against a slow, literal reading of the equations: explicit loops, no tensor tricks."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import bulk

from ase_les.graph import batch, edge_vectors, graph_from_atoms
from ase_les.neighbors import NeighborList
from ase_les.representation import Cace, CaceConfig, angular

ELEMENTS = (8, 1, 11)


def multiplicity(ell):
    return math.factorial(sum(ell)) / math.prod(math.factorial(n) for n in ell)


def triples(degree):
    return [ell for ell in product(range(degree + 1), repeat=3) if sum(ell) == degree]


def plus(*parts):
    return tuple(sum(components) for components in zip(*parts, strict=True))


class Literal:
    """CACE for one structure, as the equations stand in the paper.

    Sums are dictionaries: ``sums[i][ell]`` is an array (sender channel, radial, receiver channel).
    """

    def __init__(self, model: Cace):
        self.config = model.config
        weights = {name: w.detach().numpy() for name, w in model.named_parameters()}
        weights.update({name: w.numpy() for name, w in model.state_dict().items()})
        self.weights = weights
        c = self.config
        shape = (c.l_max + 1, c.n_embedding, c.n_radial, c.n_mixed, c.n_embedding)
        self.mixing = weights["mixing"].reshape(shape)
        row = {number: index for index, number in enumerate(ELEMENTS)}
        self.row = row

    def cutoff(self, r):
        p, x = self.config.cutoff_exponent, r / self.config.cutoff
        if x >= 1:
            return 0.0
        return (
            1
            - (p + 1) * (p + 2) / 2 * x**p
            + p * (p + 2) * x ** (p + 1)
            - p * (p + 1) / 2 * x ** (p + 2)
        )

    def radial(self, r):
        frequencies = self.weights["neighbor_sum.radial.frequencies"]
        r_c = self.config.cutoff
        return math.sqrt(2 / r_c) * np.sin(frequencies * r) / r * self.cutoff(r)

    def neighbor_sums(self, atoms, edges, value=None):
        """A_{i l} with the radial mixing done; neighbors weighed by `value` if given."""
        c = self.config
        sender = self.weights["embedding.sender"]
        receiver = self.weights["embedding.receiver"]
        sums = []
        for i in range(len(atoms)):
            of_l = {}
            for degree in range(c.l_max + 1):
                for ell in triples(degree):
                    raw = np.zeros((c.n_embedding, c.n_radial, c.n_embedding))
                    for j, vector in edges[i]:
                        r = np.linalg.norm(vector)
                        x, y, z = vector / r
                        angle = x ** ell[0] * y ** ell[1] * z ** ell[2]
                        kinds = np.multiply.outer(
                            sender[self.row[atoms.numbers[j]]],
                            receiver[self.row[atoms.numbers[i]]],
                        )
                        if value is not None:
                            kinds = kinds * value[j][degree]
                        for n, radial in enumerate(self.radial(r)):
                            raw[:, n, :] += kinds * radial * angle
                    mixed = np.zeros((c.n_embedding, c.n_mixed, c.n_embedding))
                    for s, m, t, n in np.ndindex(*mixed.shape, c.n_radial):
                        mixed[s, m, t] += self.mixing[degree, s, n, m, t] * raw[s, n, t]
                    of_l[ell] = mixed
            sums.append(of_l)
        return sums

    def invariants(self, sums):
        """All invariants of one atom, by enumeration of the triples."""
        l_max, nu_max = self.config.l_max, self.config.nu_max
        C = multiplicity
        found = [sums[0, 0, 0]]
        if nu_max >= 2:
            for L in range(1, l_max + 1):
                found.append(sum(C(ell) * sums[ell] ** 2 for ell in triples(L)))
        if nu_max >= 3:
            for first, second in product(range(1, l_max + 1), repeat=2):
                if first <= second and first + second <= l_max:
                    found.append(
                        sum(
                            C(one) * C(other) * sums[one] * sums[other] * sums[plus(one, other)]
                            for one in triples(first)
                            for other in triples(second)
                        )
                    )
        if nu_max >= 4:
            for first, second, D in product(range(1, l_max + 1), repeat=3):
                if first < second and second + D <= l_max:
                    found.append(
                        sum(
                            C(one)
                            * C(other)
                            * C(d)
                            * sums[one]
                            * sums[other]
                            * sums[plus(one, d)]
                            * sums[plus(other, d)]
                            for one in triples(first)
                            for other in triples(second)
                            for d in triples(D)
                        )
                    )
        return np.stack(found)

    def next_sums(self, index, layer, atoms, edges, sums, invariants):
        norm = self.config.mean_neighbors**-0.5
        new = [{ell: np.zeros_like(a) for ell, a in of_l.items()} for of_l in sums]
        prefix = f"layers.{index}"
        if "memory" in layer:
            factor = self.weights[f"{prefix}.memory.factor"]
            for i, of_l in enumerate(sums):
                for ell, a in of_l.items():
                    new[i][ell] += factor[sum(ell)] * a
        if "radial" in layer:
            amplitude = self.weights[f"{prefix}.radial.amplitude"]
            inverse_length = self.weights[f"{prefix}.radial.inverse_length"]
            for i in range(len(atoms)):
                for j, vector in edges[i]:
                    r = np.linalg.norm(vector)
                    for ell, a in sums[j].items():
                        damping = np.exp(-r * inverse_length[sum(ell)])
                        new[i][ell] += norm * amplitude[sum(ell)] * damping * self.cutoff(r) * a
        if "invariant" in layer:
            weight = self.weights[f"{prefix}.invariant.value.weight"]
            bias = self.weights[f"{prefix}.invariant.value.bias"]
            # One number for all, or one for each (degree, sender channel, receiver channel).
            channels = (self.config.n_embedding,) * 2 if len(bias) > 1 else (1, 1)
            value = [
                np.broadcast_to(
                    (weight @ of_atom.ravel() + bias).reshape(-1, *channels),
                    (self.config.l_max + 1, *channels),
                )
                for of_atom in invariants
            ]
            for i, of_l in enumerate(self.neighbor_sums(atoms, edges, value)):
                for ell, a in of_l.items():
                    new[i][ell] += norm * a
        return new

    def features(self, atoms: Atoms) -> np.ndarray:
        edges = brute_force_edges(atoms, self.config.cutoff)
        sums = self.neighbor_sums(atoms, edges)
        layers = [[self.invariants(of_l) for of_l in sums]]
        for index, layer in enumerate(self.config.layers):
            sums = self.next_sums(index, layer, atoms, edges, sums, layers[-1])
            layers.append([self.invariants(of_l) for of_l in sums])
        return np.array(
            [np.concatenate([f.ravel() for f in of]) for of in zip(*layers, strict=True)]
        )


def brute_force_edges(atoms: Atoms, cutoff: float):
    images = [range(-4, 5) if periodic else (0,) for periodic in atoms.pbc]
    edges = [[] for _ in atoms]
    for i, j in product(range(len(atoms)), repeat=2):
        for shift in product(*images):
            vector = atoms.positions[j] - atoms.positions[i] + shift @ atoms.cell.array
            if 1e-9 < np.linalg.norm(vector) < cutoff:
                edges[i].append((j, vector))
    return edges


def cluster() -> Atoms:
    positions = [[0, 0, 0], [0.9, 0.4, -0.2], [-0.5, 1.0, 0.6], [1.3, -1.1, 1.5], [4.0, 0.3, 0.8]]
    return Atoms("OHHNaO", positions)


def crystal() -> Atoms:
    atoms = bulk("NaO", "rocksalt", a=4.2)
    atoms.rattle(0.15, seed=2)
    return atoms


ALL = ("memory", "radial", "invariant")
CASES = {
    **{
        f"nu {nu}, l {ell}": {"nu_max": nu, "l_max": ell}
        for nu in (1, 2, 3, 4)
        for ell in (0, 1, 2)
    },
    "nu 3, l 4": {"nu_max": 3, "l_max": 4},
    "nu 4, l 4": {"nu_max": 4, "l_max": 4},
    "nu 4, l 3": {"nu_max": 4, "l_max": 3},
    **{f"{name} message": {"l_max": 2, "layers": ((name,),)} for name in ALL},
    "separate values": {"l_max": 2, "layers": (("invariant",),), "separate_values": True},
    "all messages, two layers": {"l_max": 2, "nu_max": 2, "layers": (ALL, ALL)},
    "another envelope": {"l_max": 1, "nu_max": 2, "cutoff_exponent": 6, "mean_neighbors": 4.2},
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
@pytest.mark.parametrize("structure", [cluster, crystal], ids=["cluster", "crystal"])
def test_features_are_those_of_the_equations(case, structure):
    config = CaceConfig(2.6, n_radial=3, n_mixed=2, n_embedding=2, **case)
    torch.manual_seed(1)
    model = Cace(config, ELEMENTS, ()).double()
    with torch.no_grad():
        model.neighbor_sum.radial.frequencies.mul_(1.07)
    atoms = structure()
    features = model(graph_from_atoms(atoms, NeighborList(config.cutoff, 0.8))).detach().numpy()
    expected = Literal(model).features(atoms)
    assert features.shape == expected.shape == (len(atoms), model.n_features)
    assert np.abs(expected).max() > 1e-3
    assert np.abs(features - expected).max() < 1e-10 * max(1, np.abs(expected).max())


def cace(seed: int = 0, elements=ELEMENTS, charges=(), **settings) -> Cace:
    torch.manual_seed(seed)
    defaults = {"cutoff": 3.0, "n_radial": 3, "n_mixed": 2, "n_embedding": 2, "l_max": 2}
    return Cace(CaceConfig(**{**defaults, **settings}), elements, charges).double()


def features_of(model: Cace, atoms: Atoms) -> torch.Tensor:
    return model(graph_from_atoms(atoms, NeighborList(model.config.cutoff))).detach()


def dimer(distance: float, symbols: str = "OH") -> Atoms:
    direction = np.array([0.36, 0.48, 0.8])
    return Atoms(symbols, [[0.1, 0.2, 0.3], [0.1, 0.2, 0.3] + distance * direction])


@pytest.mark.parametrize("exponent", [2, 5, 6])
def test_a_neighbor_enters_with_two_continuous_derivatives(exponent):
    model = cace(cutoff_exponent=exponent, nu_max=3, layers=(ALL,))

    def derivatives(distance):
        graph = graph_from_atoms(dimer(distance), NeighborList(4.0))
        along = torch.tensor([0.0, 1.0], dtype=torch.float64)[:, None] * torch.tensor(
            [0.36, 0.48, 0.8], dtype=torch.float64
        )

        def energy(r):
            return model(graph._replace(positions=graph.positions + r * along)).sum()

        r = torch.zeros((), dtype=torch.float64, requires_grad=True)
        value = energy(r)
        (first,) = torch.autograd.grad(value, r, create_graph=True)
        (second,) = torch.autograd.grad(first, r)
        return np.array([abs(x.item()) for x in (value, first, second)])

    beyond = derivatives(3.0 + 1e-6)
    assert (beyond == beyond[0] * np.array([1, 0, 0])).all()
    far, near = derivatives(3.0 - 1e-2), derivatives(3.0 - 1e-4)
    # Value, slope and curvature vanish at least as x³, x² and x.
    changes = np.array([near[0], near[1], near[2]]) / np.array([far[0], far[1], far[2]])
    assert (changes < 3 * np.array([1e-6, 1e-4, 1e-2])).all()


def test_the_envelope_is_one_at_the_atom_and_zero_from_the_cutoff_on():
    radial = cace(cutoff=3.0).neighbor_sum.radial
    r = torch.tensor([0.0, 1e-3, 2.999999, 3.0, 3.1, 100.0], dtype=torch.float64)
    envelope = radial.envelope(r)
    assert envelope[0] == 1
    assert (envelope[3:] == 0).all()
    assert envelope[2] < 1e-14


@pytest.mark.parametrize(
    ("nu_max", "l_max"), [(1, 2), (2, 2), (3, 1), (4, 0), (4, 2), (4, 3), (4, 4)]
)
@pytest.mark.parametrize("layers", [(), (ALL,)], ids=["one layer", "two layers"])
@pytest.mark.parametrize("separate", [False, True], ids=["one value", "separate values"])
def test_hand_written_gradients_are_those_of_autograd(nu_max, l_max, layers, separate, monkeypatch):
    # Small blocks, so that the loop over blocks is part of the test.
    monkeypatch.setattr(angular, "_BLOCK", 11)
    model = cace(l_max=l_max, nu_max=nu_max, layers=layers, separate_values=separate)
    graph = batch([graph_from_atoms(atoms, NeighborList(3.0)) for atoms in (crystal(), cluster())])
    results = []
    for analytic in (False, True):
        if analytic:
            model.use_analytic_gradients()
        positions = graph.positions.clone().requires_grad_(True)
        features = model(graph._replace(positions=positions))
        upstream = torch.tensor(np.random.default_rng(0).normal(size=tuple(features.shape)))
        (gradient,) = torch.autograd.grad(features, positions, upstream)
        results.append((features.detach(), gradient))
    for plain, fast in zip(*results, strict=True):
        assert torch.allclose(plain, fast, rtol=1e-12, atol=1e-12)


def test_second_derivatives_are_those_of_finite_differences():
    model = cace(nu_max=3, n_mixed=1, n_radial=2, layers=(("memory", "radial", "invariant"),))
    graph = graph_from_atoms(cluster()[:3], NeighborList(3.0))

    def total(positions):
        return model(graph._replace(positions=positions)).sum(1)

    assert torch.autograd.gradgradcheck(total, graph.positions.requires_grad_(True))


def test_only_neighbors_within_the_cutoff_count():
    model = cace(cutoff=3.0)
    near, far = dimer(3.0 - 1e-3), dimer(3.0 + 1e-3)
    alone = features_of(model, near[:1])
    assert torch.equal(features_of(model, far)[:1], alone)
    assert not torch.equal(features_of(model, near)[:1], alone)


def test_each_layer_of_messages_reaches_one_cutoff_farther():
    chain = Atoms("OHO", [[0, 0, 0], [2.5, 0, 0], [5.0, 0, 0]])
    moved = chain.copy()
    moved.positions[2] += [0.2, 0.3, 0]
    for layers, feels in (((), False), ((("memory",),), False), ((ALL,), True)):
        model = cace(layers=layers)
        change = (features_of(model, moved) - features_of(model, chain))[0].abs().max()
        assert (float(change) > 1e-8) == feels


def test_an_isolated_atom_has_features_that_do_not_depend_on_where_it_is():
    model = cace(layers=(ALL,))
    for atoms in (Atoms("O"), Atoms("O", cell=[20, 20, 20], pbc=True)):
        features = features_of(model, atoms)
        assert torch.isfinite(features).all()
        assert torch.equal(features, torch.zeros_like(features))


def test_an_atom_sees_its_own_images():
    model = cace()
    small = features_of(model, Atoms("O", cell=[2.0, 2.1, 2.2], pbc=True))
    supercell = Atoms("O", cell=[2.0, 2.1, 2.2], pbc=True).repeat((2, 1, 3))
    assert small.abs().max() > 1e-3
    assert torch.allclose(features_of(model, supercell), small.expand(6, -1), atol=1e-12)


def test_a_dimers_features_depend_on_its_length_alone():
    model = cace(nu_max=4, l_max=4)
    atoms = dimer(1.4)
    turned = Atoms("OH", [[0, 0, 0], [0, -1.4, 0]])
    assert torch.allclose(features_of(model, atoms), features_of(model, turned), atol=1e-12)
    assert not torch.allclose(features_of(model, atoms), features_of(model, dimer(1.5)))


def test_elements_are_told_apart_as_neighbor_and_as_center():
    model = cace()
    water, other = dimer(1.4, "OH"), dimer(1.4, "OO")
    assert not torch.allclose(features_of(model, water)[0], features_of(model, other)[0])
    assert not torch.allclose(features_of(model, water)[1], features_of(model, other)[1])


def test_the_total_charge_tells_structures_of_one_geometry_apart():
    model = cace(charges=(-1, 0, 1))
    graphs = []
    for charge in (-1, 0, 1, 0):
        atoms = cluster()
        atoms.info["charge"] = charge
        graphs.append(graph_from_atoms(atoms, NeighborList(3.0)))
    together = model(batch(graphs)).detach().view(4, len(cluster()), -1)
    assert torch.equal(together[1], together[3])
    for one, other in ((0, 1), (1, 2), (0, 2)):
        assert not torch.allclose(together[one], together[other])
    blind = cace()
    assert torch.equal(blind(graphs[0]), blind(graphs[2]))


def test_an_element_without_a_vector_is_an_error():
    with pytest.raises(IndexError):
        features_of(cace(elements=(8, 1)), cluster())


def test_edges_in_the_skin_weigh_nothing():
    model = cace(layers=(ALL,))
    for atoms in (cluster(), crystal()):
        exact = model(graph_from_atoms(atoms, NeighborList(3.0)))
        with_skin = graph_from_atoms(atoms, NeighborList(3.0, 2.0))
        assert (torch.linalg.vector_norm(edge_vectors(with_skin), dim=1) > 3.0).any()
        assert torch.allclose(model(with_skin), exact, rtol=0, atol=1e-13)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"cutoff": 0}, "`cutoff`: given 0, needed: number ≥ 0.5"),
        ({"n_radial": 0}, "`n_radial`: given 0, needed: whole number ≥ 1"),
        ({"l_max": 5}, "`l_max`: given 5, needed: whole number ≥ 0 and ≤ 4"),
        ({"nu_max": 0}, "`nu_max`: given 0, needed: whole number ≥ 1 and ≤ 4"),
        ({"cutoff_exponent": 1}, "`cutoff_exponent`: given 1, needed: whole number ≥ 2"),
        ({"layers": (("charm",),)}, r"`layers\[0\]\[0\]`: given 'charm', needed: one of memory"),
        ({"layers": ((),)}, r"`layers\[0\]`: given \(\), needed: list"),
    ],
)
def test_impossible_settings_are_refused(setting, message):
    with pytest.raises(ValueError, match=message):
        CaceConfig(**{"cutoff": 4.0, **setting})

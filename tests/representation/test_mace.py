"""Features of MACE are the formulas of its definition, and models made of them obey the laws."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
import torch
from ase import Atoms, units
from ase.build import bulk
from ase.data import chemical_symbols, covalent_radii

from ase_les import LESCalculator
from ase_les.graph import edge_vectors, graph_from_atoms
from ase_les.model import LESModel, ModelConfig
from ase_les.model_io import read_model, save_model
from ase_les.neighbors import NeighborList
from ase_les.representation import Mace, MaceConfig
from ase_les.representation.mace.couplings import gaunt, monomials, polynomials
from ase_les.representation.mace.harmonics import SphericalHarmonics, of_degree
from ase_les.representation.mace.radial_table import ExactRadial, RadialTable
from ase_les.testing import check_model, example_structures

ELEMENTS = (1, 8, 11)

SMALL = {"channels": 4, "n_radial": 5, "radial_hidden": (6, 7), "mean_neighbors": 2.0}

CASES = {
    "scalars": {},
    "one layer": {"n_layers": 1},
    "vectors": {"l_hidden": 1},
    "vectors in three layers": {"l_hidden": 1, "n_layers": 3, "correlation": 2},
    "quadrupoles": {"l_hidden": 2, "correlation": 2, "l_max": 2},
    "sums mixed by element": {"l_hidden": 1, "correlation": 2, "residual_first": False},
    "cutoff on weights": {"cutoff_on_weights": True, "correlation": 2},
    "densities": {"normalization": "density", "l_hidden": 1, "residual_first": False},
    "transformed distances": {"distance_transform": {"kind": "agnesi"}, "l_hidden": 1},
    "densities of transformed distances": {
        "distance_transform": {"a": 0.9, "q": 1.1, "p": 4.2, "radii": {"O": 0.7}},
        "normalization": "density",
        "cutoff_on_weights": True,
        "correlation": 2,
    },
    "pairs only": {"correlation": 1, "l_max": 1, "trainable_frequencies": True},
}


@pytest.fixture
def atoms() -> Atoms:
    crystal = bulk("NaO", "rocksalt", a=4.4)
    crystal += Atoms("H2", [[1.1, 0.7, 0.9], [1.9, 1.0, 1.2]])
    crystal.rattle(0.1, seed=3)
    return crystal


def mace(seed: int = 0, charges=(), **settings) -> Mace:
    torch.manual_seed(seed)
    return Mace(MaceConfig(**{"cutoff": 3.2, **SMALL, **settings}), ELEMENTS, charges).double()


def features(model: Mace, atoms: Atoms) -> torch.Tensor:
    return model(graph_from_atoms(atoms, NeighborList(model.config.cutoff))).detach()


class Literal:
    """The definition, edge by edge and monomial by monomial, in loops."""

    def __init__(self, model: Mace):
        self.model, self.config = model, model.config
        self.slices = of_degree(model.config.l_max)

    def __call__(self, atoms: Atoms) -> np.ndarray:
        model, config = self.model, self.config
        graph = graph_from_atoms(atoms, NeighborList(config.cutoff))
        vectors = edge_vectors(graph)
        edges = [
            (int(i), int(j), -d)
            for i, j, d in zip(graph.receivers, graph.senders, vectors, strict=True)
            if d.norm() < config.cutoff
        ]
        self.numbers = atoms.numbers
        elements = [ELEMENTS.index(z) for z in atoms.numbers]
        hidden = {0: model.embedding[elements][:, None]}
        scalars = []
        for layer in range(config.n_layers):
            sums = self._sums(layer, edges, hidden, len(atoms))
            skip, residual = model.skips[layer], layer > 0 or config.residual_first
            if not residual:
                sums = [
                    torch.cat([s[own] @ skip[degree, z] for degree, own in enumerate(self.slices)])
                    for s, z in zip(sums, elements, strict=True)
                ]
            new = {}
            for degree in range(config.l_results[layer] + 1):
                values = [
                    self._products(layer, degree, s, z) for s, z in zip(sums, elements, strict=True)
                ]
                if residual and degree in hidden and degree < len(skip):
                    values = [
                        v + h @ skip[degree, z]
                        for v, h, z in zip(values, hidden[degree], elements, strict=True)
                    ]
                new[degree] = torch.stack(values)
            hidden = new
            scalars.append(hidden[0][:, 0])
        return torch.cat(scalars, dim=1).detach()

    def _transformed(self, distance: torch.Tensor, i: int, j: int) -> torch.Tensor:
        given = self.config.distance_transform
        if given is None:
            return distance
        length = [
            given.radii.get(chemical_symbols[z], covalent_radii[z])
            for z in (self.numbers[i], self.numbers[j])
        ]
        s = distance / (sum(length) / 2)
        return 1 / (1 + given.a * s**given.q / (1 + s ** (given.q - given.p)))

    def _inputs(self, distance: torch.Tensor, i: int, j: int):
        """Bessel functions and the cutoff function."""
        basis, p = self.model.radial_basis, self.config.cutoff_exponent
        x = distance / self.config.cutoff
        envelope = (
            1
            - (p + 1) * (p + 2) / 2 * x**p
            + p * (p + 2) * x ** (p + 1)
            - p * (p + 1) / 2 * x ** (p + 2)
        )
        at = self._transformed(distance, i, j)
        values = math.sqrt(2 / self.config.cutoff) * torch.sin(basis.frequencies * at) / at
        return (values if self.config.cutoff_on_weights else values * envelope), envelope

    def _divisors(self, layer: int, edges, n_atoms: int) -> torch.Tensor:
        if self.config.normalization == "mean":
            return torch.full((n_atoms,), self.config.mean_neighbors).double()
        density = torch.ones(n_atoms).double()
        for i, j, vector in edges:
            values, envelope = self._inputs(vector.norm(), i, j)
            single = torch.tanh((self.model.densities[layer] @ values) ** 2)
            density[i] += single * (envelope if self.config.cutoff_on_weights else 1)
        return density

    def _radial(self, layer: int, distance: torch.Tensor, i: int, j: int) -> torch.Tensor:
        values, envelope = self._inputs(distance, i, j)
        interaction = self.model.interactions[layer]
        for weight in interaction.radial.weights:
            values = weight @ values
            values = values / (1 + torch.exp(-values))
        values = values * (envelope if self.config.cutoff_on_weights else 1)
        return torch.einsum("k,kpc->pc", values, interaction.radial_weights)

    def _sums(self, layer, edges, hidden, n_atoms) -> list[torch.Tensor]:
        interaction, config = self.model.interactions[layer], self.config
        harmonics = SphericalHarmonics(config.l_max)
        sums = [
            torch.zeros(16, config.channels).double()[: self.slices[-1].stop] for _ in hidden[0]
        ]
        divisors = self._divisors(layer, edges, n_atoms)
        for i, j, vector in edges:
            angular = harmonics((vector / vector.norm())[:, None])[:, 0]
            radial = self._radial(layer, vector.norm(), i, j)
            for number, (first, second, third) in enumerate(interaction.paths):
                coupling = math.sqrt(2 * third + 1) * gaunt(first, second, third)
                sent = hidden[first][j] @ interaction.up[first]
                message = torch.einsum(
                    "abc,ad,b->cd", coupling, sent * radial[number], angular[self.slices[second]]
                )
                sums[i][self.slices[third]] += message @ interaction.linear[number] / divisors[i]
        return sums

    def _products(self, layer: int, degree: int, sums: torch.Tensor, element: int):
        products, config = self.model.products[layer], self.config
        result = torch.zeros(2 * degree + 1, config.channels).double()
        for order in range(1, config.correlation + 1):
            coefficients = polynomials(config.l_max, order, degree)
            weight = products.weight(order, degree)[:, element]
            for row, factors in enumerate(monomials(config.l_max, order, degree)):
                value = sums[list(factors)].prod(0)
                result += value * (coefficients[row] @ weight)
        return result @ products.linear[degree]


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_features_are_the_definition_written_out(case, atoms):
    model = mace(**case)
    expected = Literal(model)(atoms)
    found = features(model, atoms)
    assert expected.std(0).min() > 1e-6
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_hand_written_gradients_are_those_of_automatic_differentiation(case, atoms):
    slopes = []
    for analytic in (False, True):
        model = mace(**case)
        model.requires_grad_(False)
        if analytic:
            model.use_analytic_gradients()
        graph = graph_from_atoms(atoms, NeighborList(model.config.cutoff))
        positions = graph.positions.clone().requires_grad_(True)
        found = model(graph._replace(positions=positions))
        weights = torch.cos(torch.arange(found.numel()).double()).view_as(found)
        slopes.append((found.detach(), *torch.autograd.grad((weights * found).sum(), positions)))
    torch.testing.assert_close(slopes[1], slopes[0], rtol=1e-10, atol=1e-13)


def test_atoms_beyond_the_layers_do_not_matter():
    chain = Atoms("HHHH", [[0, 0, 2.5 * n] for n in range(4)])
    moved = chain.copy()
    moved.positions[3, 0] += 0.2
    for n_layers in (1, 2, 3):
        model = mace(n_layers=n_layers, correlation=2)
        change = (features(model, moved) - features(model, chain)).abs().amax(1)
        assert (change > 1e-15).tolist() == [n_layers >= 3 - n for n in range(3)] + [True]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"l_max": 4}, "`l_max`: given 4, needed: whole number ≥ 1 and ≤ 3"),
        ({"l_hidden": 3}, "`l_hidden`: given 3, needed: whole number ≥ 0 and ≤ 2"),
        ({"l_hidden": 2, "l_max": 1}, "`l_hidden` must be at most `l_max`, 1"),
        ({"correlation": 4}, "`correlation`: given 4"),
        ({"channels": 0}, "`channels`: given 0"),
        ({"radial_hidden": ()}, "`radial_hidden`: given .*not empty"),
        ({"kind": "cace"}, "`kind`: given 'cace', needed: one of mace"),
    ],
)
def test_settings_outside_their_range_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        MaceConfig(**{"cutoff": 4.0, **wrong})


MODELS = {
    **{
        name: {"representation": CASES[name]}
        for name in (
            "scalars",
            "vectors",
            "vectors in three layers",
            "sums mixed by element",
            "densities",
            "densities of transformed distances",
        )
    },
    "total charge embedded": {"total_charges": (-1, 0, 2)},
    "free charges": {"charges": {"neutrality": "none"}},
    "split charges": {"charges": {"neutrality": "split"}, "representation": {"l_hidden": 1}},
    "repulsion of nuclei": {"core_repulsion": {"kind": "mace", "scale": 0.5}},
    "short range only": {"long_range": False},
}


def mace_model(
    *, representation=None, charges=None, long_range=True, seed: int = 0, **settings
) -> LESModel:
    config = {
        "atomic_energies": {"H": -13.6, "O": -431.25, "Na": -1202.5},
        "representation": {"kind": "mace", "cutoff": 3.2, **SMALL, **(representation or {})},
        "short_range": {"scale": 30.0},
        "long_range": None,
        **settings,
    }
    if long_range:
        config["long_range"] = {
            "charges": {"neutrality": "mean", "scale": 30.0, **(charges or {})},
            "electrostatics": {"remove_self_energy": True},
        }
    return LESModel(ModelConfig.from_dict(config), seed=seed)


@pytest.mark.slow
@pytest.mark.parametrize("settings", MODELS.values(), ids=MODELS.keys())
def test_a_random_model_obeys_the_contract(settings):
    print(check_model(mace_model(**settings)))


def test_random_models_are_strong_enough_to_test_anything():
    model = mace_model().double()
    for atoms in example_structures(model):
        atoms.calc = LESCalculator(model, dtype="float64")
        # A single atom has no forces, and no charge but the total one.
        if len(atoms) > 1:
            assert np.abs(atoms.get_forces()).max() > 0.1
            assert np.abs(atoms.get_charges()).max() > 0.03


def test_settings_survive_a_model_file(tmp_path):
    model = mace_model(representation={"l_hidden": 1}, core_repulsion={"kind": "mace"})
    save_model(tmp_path / "model.safetensors", model, {})
    again = read_model(tmp_path / "model.safetensors")
    assert again.config == model.config
    assert isinstance(again.config.representation, MaceConfig)


def test_an_unknown_kind_of_representation_is_refused():
    with pytest.raises(ValueError, match="unknown kind 'nequip'; known are mace"):
        mace_model(representation={"kind": "nequip"})


@pytest.mark.parametrize("l_hidden", [0, 1])
@pytest.mark.parametrize("neutrality", ["none", "split"])
def test_born_charges_do_not_depend_on_the_cell(l_hidden, neutrality, atoms):
    model = mace_model(
        representation={"l_hidden": l_hidden, "correlation": 2}, charges={"neutrality": neutrality}
    ).double()
    # Free charges of a small cell: the long-range sum plays no part in Born charges.
    found = []
    for repeat in ((1, 1, 1), (2, 1, 1)):
        larger = atoms.repeat(repeat)
        larger.calc = LESCalculator(model, dtype="float64")
        tensor = larger.calc.get_property("born_effective_charges", larger)
        found.append(tensor[: len(atoms)])
    assert np.abs(found[0]).max() > 0.1
    np.testing.assert_allclose(found[1], found[0], atol=1e-9)


def test_born_charges_of_a_molecule_are_the_slope_of_its_dipole():
    model = mace_model(representation={"l_hidden": 1}).double()
    molecule = Atoms("OHHNa", [[0, 0, 0], [0.95, 0.1, 0], [-0.3, 0.9, 0.1], [0.2, -0.5, 2.0]])
    molecule.calc = LESCalculator(model, dtype="float64")
    tensor = molecule.calc.get_property("born_effective_charges", molecule)
    step, numerical = 1e-4, np.zeros((4, 3, 3))
    for atom, axis in product(range(4), range(3)):
        ends = []
        for sign in (1, -1):
            moved = molecule.copy()
            moved.positions[atom, axis] += sign * step
            moved.calc = LESCalculator(model, dtype="float64")
            ends.append(moved.get_charges() @ (moved.positions - molecule.get_center_of_mass()))
        numerical[atom, :, axis] = (ends[0] - ends[1]) / (2 * step)
    np.testing.assert_allclose(tensor, numerical, atol=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_current_of_moving_atoms_is_that_of_their_born_charges(atoms, dtype, rng):
    model = mace_model(
        representation={"l_hidden": 1, "residual_first": False}, charges={"neutrality": "split"}
    )
    atoms.calc = LESCalculator(model, dtype=dtype)
    atoms.set_velocities(rng.normal(size=(len(atoms), 3)))
    born = atoms.calc.get_property("born_effective_charges", atoms)
    expected = np.einsum("iab,ib->a", born, atoms.get_velocities()) * units.fs
    tolerance = 1e-10 if dtype == "float64" else 1e-4
    found = atoms.calc.get_current(atoms)
    assert np.abs(found - expected).max() < tolerance * np.abs(expected).max()


def test_single_precision_has_the_forces_of_double_precision(atoms):
    model = mace_model(representation={"l_hidden": 1, "channels": 16})
    forces = []
    for dtype in ("float64", "float32"):
        atoms.calc = LESCalculator(model, dtype=dtype)
        forces.append(atoms.get_forces())
    # Radial functions of single precision are read from a table.
    assert np.abs(forces[0] - forces[1]).max() < 3e-5 * np.abs(forces[0]).max()


def test_a_radial_table_is_exact_to_single_precision():
    model = mace(n_layers=2, l_hidden=1).requires_grad_(False)
    exact = ExactRadial(model._functions(1, None), model.layers[0].radial_weights)
    table = RadialTable(exact, model.cutoff, torch.float64)
    distances = torch.linspace(0.3, 3.4, 500, dtype=torch.float64)[None]
    expected, found = exact.value_and_slope(distances), table.value_and_slope(distances)
    for wanted, read in zip(expected, found, strict=True):
        for of_path, read_path in zip(wanted, read, strict=True):
            assert (of_path - read_path).abs().max() < 1e-6 * of_path.abs().max()

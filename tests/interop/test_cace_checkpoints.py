"""Published checkpoints say here what they say in their authors' program."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.io import read

from ase_les.derivatives import differentiate
from ase_les.graph import graph_from_atoms
from ase_les.interop import read_checkpoint
from ase_les.interop.cace import PREFACTOR
from ase_les.neighbors import NeighborList
from ase_les.representation.angular import angular_indices

REFERENCES = (
    "au-mgo-lr",
    "carbon-chain",
    "dimer-CC",
    "les-dipeptides-r-4-nl-2-nu-3",
    "les-water-r-4.5-nl-1-nu-3",
    "licl-gaf3-0",
    "nacl-cluster",
    "tio2-nacl-aq",
    "water-bec-v1",
    "water-bec-v4",
    "water-interface-mp0",
    "water-mp1-nq4",
)


def derivatives(model, atoms: Atoms, stress: bool = False):
    return differentiate(
        model, graph_from_atoms(atoms, NeighborList(model.config.cutoff)), stress=stress
    )


@pytest.fixture(scope="module")
def folder(shared) -> Path:
    path = shared / "published"
    if not path.is_dir():
        pytest.skip(f"the published checkpoints are not at {path}")
    return path


@pytest.mark.parametrize("name", REFERENCES)
def test_published_model_gives_its_authors_numbers(folder, name):
    model = read_checkpoint(folder / name / "checkpoint.pth")
    fast, single = model.for_inference(), model.for_inference(dtype="float32")
    per_e = model.card["long_range"]["stored_charge_per_e"]
    for atoms in read(folder / name / "reference.extxyz", ":"):
        periodic = bool(atoms.pbc.all())
        found = derivatives(fast, atoms, stress=periodic)
        labels = atoms.arrays.get("q", atoms.arrays.get("LES_charge")).reshape(len(atoms), -1)
        forces = found.forces.numpy()
        assert found.prediction.energy.item() == pytest.approx(atoms.info["CACE_energy"], abs=1e-5)
        np.testing.assert_allclose(forces, atoms.arrays["CACE_forces"], rtol=0, atol=1e-5)
        charges = found.prediction.charges.detach().numpy()
        np.testing.assert_allclose(charges * per_e, labels, rtol=0, atol=1e-6)
        if periodic and atoms.calc is not None and "stress" in atoms.calc.results:
            stress = found.stress[0].numpy()[[0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]]
            np.testing.assert_allclose(stress, atoms.get_stress(), rtol=0, atol=1e-6)
        np.testing.assert_allclose(
            derivatives(single, atoms).forces.numpy(), forces, rtol=0, atol=1e-3
        )
        if len(atoms) > 300:
            continue  # plain autograd of messages takes seconds and gigabytes there
        plain = derivatives(model, atoms, stress=periodic)
        assert plain.prediction.energy.item() == pytest.approx(
            found.prediction.energy.item(), abs=1e-9
        )
        np.testing.assert_allclose(plain.forces.numpy(), forces, rtol=0, atol=1e-9)
        if periodic:
            np.testing.assert_allclose(
                plain.stress.numpy(), found.stress.numpy(), rtol=0, atol=1e-9
            )


def test_checkpoint_its_authors_can_no_longer_run_agrees_with_finite_differences(folder):
    model = read_checkpoint(folder / "les-au-mgo-r-5.5-nl-1-nu-3" / "checkpoint.pth")
    model = model.for_inference()
    atoms = read(folder / "au-mgo-lr" / "reference.extxyz", 0)
    forces = derivatives(model, atoms).forces
    step = 1e-4
    for atom, axis in ((0, 0), (57, 2), (len(atoms) - 1, 1)):
        energies = []
        for sign in (1, -1):
            moved = atoms.copy()
            moved.positions[atom, axis] += sign * step
            energies.append(derivatives(model, moved).prediction.energy.item())
        slope = (energies[0] - energies[1]) / (2 * step)
        assert forces[atom, axis].item() == pytest.approx(-slope, abs=1e-6)


def small_cluster(n_atoms: int = 7) -> Atoms:
    rng = np.random.default_rng(3)
    grid = np.array([(x, y, z) for x in range(2) for y in range(2) for z in range(2)])[:n_atoms]
    positions = 1.4 * grid + rng.uniform(-0.2, 0.2, (n_atoms, 3))
    return Atoms("HNOHHON"[:n_atoms], positions)


def written_out(builder, atoms: Atoms) -> tuple[float, np.ndarray]:
    """Energy and stored charges of a network in the published layout, summed edge by edge."""
    s = builder.sizes
    features, charge_features = (
        features_written_out(s, network, atoms) for network in builder.representations
    )
    energy = readout_written_out(builder.energy, features).sum()
    charges = readout_written_out(builder.charges, charge_features)
    charges = charges * getattr(builder.charges, "output_scaling_factor", 1.0)
    long_range = 0.0
    for i in range(len(atoms)):
        for j in range(i):
            r = atoms.get_distance(i, j)
            kernel = math.erf(r / math.sqrt(2) / s.sigma) / r
            long_range += s.prefactor / (2 * math.pi) * kernel * (charges[i] @ charges[j]).item()
    if s.keep_self:
        own = (charges**2).sum().item()
        long_range += s.prefactor * own / (s.sigma * (2 * math.pi) ** 1.5)
    weight = 1.0 if s.weight is None else s.weight
    return s.short_weight * energy.item() + weight * long_range, charges.numpy()


def features_written_out(s, network, atoms: Atoms) -> torch.Tensor:
    triples = angular_indices(s.l_max)
    place = {triple: index for index, triple in enumerate(triples)}
    degree = [sum(triple) for triple in triples]
    index = [s.zs.index(z) for z in atoms.numbers]
    sender = network.node_embedding_sender.embedding_weights.detach().double()[index]
    receiver = network.node_embedding_receiver.embedding_weights.detach().double()[index]
    frequencies = network.radial_basis.bessel_weights.detach().double()
    prefactor = float(network.radial_basis.prefactor)
    mixing = [w.detach().double() for w in network.radial_transform.weights]
    edges = [
        (i, j)
        for i in range(len(atoms))
        for j in range(len(atoms))
        if i != j and atoms.get_distance(i, j) < s.cutoff
    ]

    def cut(r: float) -> float:
        x, p = r / s.cutoff, s.exponent
        return (
            1
            - (p + 1) * (p + 2) / 2 * x**p
            + p * (p + 2) * x ** (p + 1)
            - p * (p + 1) / 2 * x ** (p + 2)
        )

    def edge_basis(i: int, j: int) -> torch.Tensor:
        vector = atoms.positions[j] - atoms.positions[i]
        r = float(np.linalg.norm(vector))
        x, y, z = vector / r
        radial = prefactor * torch.sin(frequencies * r) / r * cut(r)
        angular = torch.tensor([x**a * y**b * z**c for a, b, c in triples], dtype=torch.float64)
        channel = torch.outer(sender[j], receiver[i]).flatten()
        return torch.einsum("n,l,c->nlc", radial, angular, channel)

    def mixed(raw: torch.Tensor) -> torch.Tensor:
        parts = [torch.einsum("inc,nmc->imc", raw[:, :, at], mixing[d]) for at, d in place_degree]
        return torch.stack(parts, dim=2)

    def invariants(sums: torch.Tensor) -> torch.Tensor:
        values = [sums[:, :, 0]]
        for group in network.symmetrizer.vec_dict_allnu.values():
            for polynomial in group.values():
                value = 0
                for *factors, coefficient in polynomial:
                    term = coefficient
                    for factor in factors:
                        term = term * sums[:, :, place[tuple(factor)]]
                    value = value + term
                values.append(value)
        return torch.stack(values, dim=2)

    place_degree = list(enumerate(degree))
    n_channels = s.n_emb**2
    raw = torch.zeros(len(atoms), s.n_radial, len(triples), n_channels).double()
    for i, j in edges:
        raw[i] += edge_basis(i, j)
    sums = mixed(raw)
    found = [invariants(sums)]
    for layer in network.message_passing_list:
        new = torch.zeros_like(sums)
        for entry in layer:
            if entry is None:
                continue
            if hasattr(entry, "memory_coef"):
                new += sums * stacked(entry.memory_coef, degree)
            elif hasattr(entry, "invr0"):
                amplitude, inverse = stacked(entry.prefactor, degree), stacked(entry.invr0, degree)
                for i, j in edges:
                    r = atoms.get_distance(i, j)
                    new[i] += (
                        s.mp_norm * cut(r) * (amplitude * torch.exp(-inverse * r))[0] * sums[j]
                    )
            else:
                linear = entry.hnet[0].linear
                h = found[-1].flatten(1) @ linear.weight.T.double() + linear.bias.double()
                h = h.detach().view(len(atoms), entry.nl, entry.nc)
                h = h.expand(-1, s.l_max + 1, n_channels)[:, degree]
                weighted = torch.zeros_like(raw)
                for i, j in edges:
                    weighted[i] += edge_basis(i, j) * h[j]
                new += s.mp_norm * mixed(weighted)
        sums = new
        found.append(invariants(sums))
    return torch.stack(found, dim=-1).flatten(1)


def stacked(matrices, degree: list[int]) -> torch.Tensor:
    """One (m, c) matrix per degree as (1, m, l, c)."""
    return torch.stack([matrices[d].detach().double() for d in degree], dim=1)[None]


def readout_written_out(record, features: torch.Tensor) -> torch.Tensor:
    def apply(linear, values):
        out = values @ linear.weight.detach().double().T
        return out if linear.bias is None else out + linear.bias.detach().double()

    values = features
    for index, dense in enumerate(record.outnet):
        values = apply(dense.linear, values)
        if index < len(record.outnet) - 1:
            values = values * torch.sigmoid(values)
    direct = record.linear_nn
    return values if direct is None else values + apply(direct.linear, features)


LAYOUTS = {
    "one potential": {},
    "other elements, unsorted": {"zs": (8, 1, 7), "n_emb": 1, "hidden": ()},
    "other sizes": {"n_radial": 5, "n_mixed": 2, "n_emb": 3, "l_max": 1, "nu_max": 2},
    "four-body invariants": {"l_max": 4, "nu_max": 4, "n_mixed": 2, "n_radial": 2},
    "constant frequencies, no linear part": {"trainable": False, "charge_linear": False},
    "combined": {"weight": 0.3, "short_weight": 0.7, "n_channels": 3, "exponent": 6},
    "two representations": {"weight": 2.0, "own_representation": True},
    "without self terms": {"keep_self": False, "sigma": 0.8},
    "LES library": {"les_library": True, "prefactor": 90.0474, "keep_self": False},
    "every message": {"layers": (("memory", "radial", "invariant"),), "weight": 1.0},
    "values by degree and channel": {"layers": (("invariant",),), "separate": True},
    "two layers": {"layers": (("memory", "invariant"), ("memory", "radial")), "n_mixed": 2},
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_unseen_layout_gives_what_its_equations_say(published, tmp_path, layout):
    builder, network = published(**LAYOUTS[layout])
    model = read_checkpoint(builder.stubs.save(network, tmp_path / "unseen.pth"))
    atoms = small_cluster()
    energy, charges = written_out(builder, atoms)
    for variant in (model, model.for_inference()):
        found = derivatives(variant, atoms)
        assert found.prediction.energy.item() == pytest.approx(energy, rel=1e-9)
        stored = found.prediction.charges.detach().numpy() * math.sqrt(
            PREFACTOR / builder.sizes.prefactor
        )
        np.testing.assert_allclose(stored, charges, rtol=1e-8, atol=1e-10)
    plain, fast = derivatives(model, atoms), derivatives(model.for_inference(), atoms)
    np.testing.assert_allclose(plain.forces.numpy(), fast.forces.numpy(), atol=1e-11)


def test_representation_stored_twice_is_evaluated_once(published, tmp_path):
    builder, network = published(weight=1.0)
    model = read_checkpoint(builder.stubs.save(network, tmp_path / "twice.pth"))
    assert model.long_range.representation is None
    builder, network = published(weight=1.0, own_representation=True)
    model = read_checkpoint(builder.stubs.save(network, tmp_path / "two.pth"))
    assert model.long_range.representation is not None


def test_removed_self_energy_of_several_channels_is_taken_off_once_per_channel(published, tmp_path):
    atoms = small_cluster()
    atoms.set_cell([7.0, 8.0, 9.0])
    atoms.pbc = True
    energies = {}
    for keep in (True, False):
        builder, network = published(n_channels=3, keep_self=keep)
        model = read_checkpoint(builder.stubs.save(network, tmp_path / "channels.pth"))
        energies[keep] = derivatives(model, atoms).prediction
    stored = energies[True].charges * model.card["long_range"]["stored_charge_per_e"]
    own = (stored**2).sum().item() / (builder.sizes.sigma * (2 * math.pi) ** 1.5)
    difference = energies[True].long_range.item() - energies[False].long_range.item()
    assert difference == pytest.approx(3 * own, rel=1e-9)


def test_attributes_that_older_files_lack_have_their_old_meaning(published, tmp_path):
    builder, network = published()
    whole = read_checkpoint(builder.stubs.save(network, tmp_path / "new.pth"))
    ewald = network.output_modules[1]
    del ewald.norm_factor, network.do_postprocessing
    del network.output_modules[2].aggregation_mode
    network.representation.node_onehot.index_map = None
    older = read_checkpoint(builder.stubs.save(network, tmp_path / "old.pth"))
    atoms = small_cluster()
    assert derivatives(older, atoms).prediction.energy.item() == pytest.approx(
        derivatives(whole, atoms).prediction.energy.item(), abs=1e-12
    )


def test_card_says_where_the_model_is_from(checkpoint):
    card = read_checkpoint(checkpoint).card
    assert card["source"]["file"] == "small.pth"
    assert len(card["source"]["sha256"]) == 64
    assert card["source"]["ignored"] == ["cace.modules.polarization.Polarization"]
    assert "CC BY-NC 4.0" in card["license"] and "not redistributable" in card["license"]
    assert card["long_range"]["k_cutoff_per_A"] == pytest.approx(2 * math.pi / 2.5)
    assert card["long_range"]["self_energy"] == "kept"
    assert card["atomic_energies"].startswith("none")


def test_given_atomic_energies_add_to_the_energy(checkpoint):
    atoms = small_cluster()
    bare = derivatives(read_checkpoint(checkpoint), atoms).prediction.energy.item()
    energies = {"H": -13.5, "N": -270.0, "O": -430.0}
    whole = derivatives(read_checkpoint(checkpoint, energies), atoms).prediction.energy.item()
    expected = sum(energies[symbol] for symbol in atoms.symbols)
    assert whole - bare == pytest.approx(expected, abs=1e-9)
    with pytest.raises(ValueError, match="N are missing"):
        read_checkpoint(checkpoint, {"H": -13.5, "O": -430.0})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda n, stubs: n.output_modules[1].__setattr__("exponent", 6), "exponent = 6"),
        (
            lambda n, stubs: n.output_modules[2].__setattr__("feature_key", "spin"),
            "reads 'spin'; supported is 'node_feats'",
        ),
        (
            lambda n, stubs: (
                n.output_modules[2].outnet[0].__setattr__("activation", torch.nn.functional.tanh)
            ),
            "activation torch.nn.functional.tanh is not supported",
        ),
        (
            lambda n, stubs: n.add_module("representation", stubs("cace.representations.Painn")),
            "cace.representations.Painn is not supported; supported: Cace",
        ),
        (
            lambda n, stubs: n.representation.add_module(
                "radial_basis", stubs("cace.modules.radial.GaussianRBF")
            ),
            "GaussianRBF is not supported; supported: BesselRBF",
        ),
        (
            lambda n, stubs: n.output_modules.__setitem__(
                0, stubs("cace.modules.charge_eq.ChargeEq", output_key="latent")
            ),
            "cace.modules.charge_eq.ChargeEq is not supported; supported: Atomwise",
        ),
        (
            lambda n, stubs: n.output_modules[1].__delattr__("sigma"),
            "without the attribute 'sigma'",
        ),
        (
            lambda n, stubs: n.representation.message_passing_list.append(
                torch.nn.ModuleList([None, None, stubs("cace.modules.interaction.Attention")])
            ),
            "interaction.Attention is not supported; supported: NodeMemory, MessageAr, MessageBchi",
        ),
        (
            lambda n, stubs: n.representation.message_passing_list.append(
                torch.nn.ModuleList([stubs("cace.modules.interaction.NodeMemory")])
            ),
            "without the attribute 'memory_coef'",
        ),
        (
            lambda n, stubs: n.representation.symmetrizer.vec_dict_allnu.pop(3),
            "reads 80 features, the representation has 60",
        ),
    ],
)
def test_parts_without_a_counterpart_are_refused_by_name(published, tmp_path, change, message):
    builder, network = published()
    change(network, builder.stubs)
    path = builder.stubs.save(network, tmp_path / "other.pth")
    with pytest.raises(ValueError, match=message):
        read_checkpoint(path)


def test_weights_without_their_network_are_refused(tmp_path):
    torch.save({"weight": torch.ones(3)}, tmp_path / "state.pth")
    with pytest.raises(ValueError, match="not a network"):
        read_checkpoint(tmp_path / "state.pth")

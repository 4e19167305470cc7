"""MACE networks of any size become models; what has no counterpart is refused by name."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.data import covalent_radii
from interop.mace_records import (
    BLOCKS,
    CHANNELS,
    N_RADIAL,
    Numbers,
    container,
    interaction,
    irreps,
    network,
    record,
    repulsion,
)

from ase_les import LESCalculator
from ase_les.interop.mace import PREFACTOR, mace_model
from ase_les.model import LESModel
from ase_les.model_io import read_model, save_model
from ase_les.testing import check_model


@pytest.fixture
def path(tmp_path) -> Path:
    found = tmp_path / "water.model"
    found.write_bytes(b"content")
    return found


@pytest.fixture
def water() -> Atoms:
    atoms = Atoms("OHHOH", [[0, 0, 0], [1, 0, 0], [-0.3, 0.9, 0], [0.3, -0.4, 2.4], [1, 0, 2.9]])
    atoms.set_cell([5.0, 5.2, 5.4])
    atoms.pbc = True
    return atoms


def energy(model: LESModel, atoms: Atoms) -> float:
    atoms.calc = LESCalculator(model, dtype="float64", accuracy=None)
    return atoms.get_potential_energy()


NETWORKS = {
    "scalars": {},
    "one layer": {"n_layers": 1},
    "vectors": {"l_hidden": 1},
    "quadrupoles, three layers": {"l_hidden": 2, "n_layers": 3},
    "sums mixed by element": {"residual_first": False, "l_hidden": 1},
    "third order": {"correlation": 3},
    "no charges": {"charges": False},
}


@pytest.mark.parametrize("settings", NETWORKS.values(), ids=NETWORKS.keys())
def test_networks_become_models_that_obey_the_contract(settings, path):
    model = mace_model(network(**settings), path)
    assert (model.long_range is None) == (settings.get("charges") is False)
    check_model(model, [Atoms("OHH", [[0, 0, 0], [1, 0, 0], [-0.3, 0.9, 0]])])


def test_a_model_file_keeps_every_digit(path, tmp_path, water):
    root = network(l_hidden=1)
    root.state["pair_repulsion_fn"] = repulsion()
    model = mace_model(root, path)
    save_model(tmp_path / "model.safetensors", model)
    again = read_model(tmp_path / "model.safetensors")
    assert energy(again, water) == energy(model, water)
    assert again.card == model.card


def test_polynomials_of_the_file_are_kept_and_not_those_computed_here(path, water):
    root = network(correlation=3)
    before = energy(mace_model(root, path), water)
    for block in root["products"]:
        for part in block["symmetric_contractions"]["contractions"]:
            part.state["U_matrix_3"] = 2 * part["U_matrix_3"]
            part.state["weights_max"] = part["weights_max"] / 2
    assert energy(mace_model(root, path), water) == pytest.approx(before, abs=1e-10)


def test_charges_are_in_e_whatever_the_prefactor_of_the_file(path, water):
    found = {}
    for prefactor in (90.0474, 2 * 90.0474):
        root = network()
        root["les"]["ewald"].state["norm_factor"] = prefactor
        water.calc = LESCalculator(mace_model(root, path), dtype="float64")
        found[prefactor] = water.get_charges()
    np.testing.assert_allclose(found[2 * 90.0474], math.sqrt(2) * found[90.0474])
    assert mace_model(network(), path).long_range.charges.config.scale == pytest.approx(
        math.sqrt(90.0474 / PREFACTOR), rel=1e-15
    )


@pytest.mark.parametrize("place", ["root", "les"])
def test_an_output_scale_multiplies_the_charges(path, water, place):
    plain, scaled = network(), network()
    (scaled if place == "root" else scaled["les"]).state["les_output_scale"] = 0.1
    charges = []
    for root in (plain, scaled):
        water.calc = LESCalculator(mace_model(root, path), dtype="float64")
        charges.append(water.get_charges())
    np.testing.assert_allclose(charges[1], 0.1 * charges[0])


def test_a_bound_on_wave_vectors_is_told_and_not_reproduced(path, water):
    root = network()
    before = energy(mace_model(root, path), water)
    root["les"]["ewald"].state["N_max"] = 10
    model = mace_model(root, path)
    assert energy(model, water) == before
    assert "longer than 20 Å (N_max = 10)" in model.card["long_range"]["wave_vectors"]


def test_shift_and_atomic_energies_add_up(path):
    root = network(charges=False)
    model = mace_model(root, path)
    stored = root["atomic_energies_fn"]["atomic_energies"].double()[0]
    assert list(model.config.atomic_energies.values()) == pytest.approx((stored + 0.25).tolist())
    assert "shift of 0.25 eV" in model.card["atomic_energies"]


def test_energies_of_the_user_replace_those_of_the_file(path):
    model = mace_model(network(), path, atomic_energies={"H": -3.0})
    assert model.config.atomic_energies["H"] == -3.0
    with pytest.raises(ValueError, match="`atomic_energies` of Na, which it does not cover"):
        mace_model(network(), path, atomic_energies={"Na": -3.0})


def test_a_short_range_model_says_that_it_has_no_charges(path, water):
    model = mace_model(network(charges=False), path)
    assert model.card["limits"] == "no charges: energies, forces and stress only"
    water.calc = LESCalculator(model, dtype="float64")
    assert np.isfinite(water.get_stress()).all()
    assert "charges" not in water.calc.implemented_properties


def test_heads_are_asked_for_by_name(path, water):
    def two():
        return network(heads=("pbe", "r2scan"))

    with pytest.raises(ValueError, match=r"heads pbe, r2scan; name one: load_model\(path, head="):
        mace_model(two(), path)
    with pytest.raises(ValueError, match="it has no head 'scan'; its heads are pbe, r2scan"):
        mace_model(two(), path, head="scan")
    models = [mace_model(two(), path, head=head) for head in ("pbe", "r2scan")]
    assert models[1].card["source"]["head"] == "r2scan"
    assert models[1].config.short_range.scale == pytest.approx(1.6)
    assert energy(models[0], water) != energy(models[1], water)


def test_a_head_has_units_of_its_own_in_the_last_readout(path):
    root = network(heads=("pbe", "r2scan"))
    last = list(root["readouts"])[-1]
    # Only the units of the second head remain.
    last["linear_1"]["weight"].view(CHANNELS, 14)[:, :7] = 0
    first, second = (mace_model(root, path, head=head) for head in ("pbe", "r2scan"))
    assert (first.state_dict()["short_range.readout.network.0.weight"] == 0).all()
    assert (second.state_dict()["short_range.readout.network.0.weight"] != 0).any()


def test_densities_and_transforms_of_a_file_are_kept(path, tmp_path, water):
    root = network(charges=False, l_hidden=1)
    weights = Numbers(4)(2, N_RADIAL, 1)
    root.state["interactions"] = container(
        *(
            record(
                BLOCKS + "RealAgnosticDensityResidualInteractionBlock",
                **layer.state,
                density_fn=record(
                    "e3nn.nn._fc.FullyConnectedNet",
                    _modules={"layer0": record("e3nn.nn._fc._Layer", weight=weight, act=None)},
                ),
            )
            for layer, weight in zip(root["interactions"], weights, strict=True)
        )
    )
    numbers = {"a": 1.5, "q": 0.75, "p": 4.5}
    root["radial_embedding"].state["distance_transform"] = record(
        "mace.modules.radial.AgnesiTransform",
        covalent_radii=torch.tensor(covalent_radii),
        **{name: torch.tensor(value) for name, value in numbers.items()},
    )
    model = mace_model(root, path)
    config = model.config.representation
    assert config.normalization == "density"
    assert {name: getattr(config.distance_transform, name) for name in numbers} == numbers
    for found, weight in zip(model.representation.densities, weights, strict=True):
        expected = weight[:, 0].double() / math.sqrt(N_RADIAL)
        torch.testing.assert_close(found.detach(), expected, rtol=1e-6, atol=0)
    save_model(tmp_path / "model.safetensors", model)
    again = read_model(tmp_path / "model.safetensors")
    assert again.config == model.config
    assert energy(again, water) == energy(model, water)


def test_a_readout_with_a_linear_gate_is_linear(path, water):
    root = network(charges=False)
    last = list(root["readouts"])[-1]
    last["non_linearity"].state["acts"] = container(None)
    before = energy(mace_model(root, path), water)
    last["linear_1"].state["weight"] = 2 * last["linear_1"]["weight"]
    last["linear_2"].state["weight"] = last["linear_2"]["weight"] / 2
    assert energy(mace_model(root, path), water) == pytest.approx(before, abs=1e-9)


def test_repulsion_is_scaled_as_the_network_is(path):
    pair = Atoms("OH", [[0, 0, 0], [0, 0, 0.5]])
    root = network(charges=False)
    without = energy(mace_model(root, path), pair)
    root.state["pair_repulsion_fn"] = repulsion()
    with_repulsion = energy(mace_model(root, path), pair)
    a = 0.4543 * 0.529 / (8**0.3 + 1)
    phi = sum(
        c * math.exp(-d * 0.5 / a)
        for c, d in zip(
            (0.1818, 0.5099, 0.2802, 0.02817), (3.2, 0.9423, 0.4028, 0.2016), strict=True
        )
    )
    x, p = 0.5 / (0.66 + 0.31), 6
    cutoff = 1 - 28 * x**p + 48 * x ** (p + 1) - 21 * x ** (p + 2)
    assert with_repulsion - without == pytest.approx(
        1.5 * 14.3996 * 8 / 0.5 * phi * cutoff, rel=1e-6
    )


def changed(**attributes):
    return lambda root: root.state.update(attributes)


def in_first_interaction(**attributes):
    return lambda root: next(iter(root["interactions"])).state.update(attributes)


def with_interaction(name: str):
    def change(root):
        made = interaction(Numbers(1), 0, 0, residual=True)
        root.state["interactions"] = container(
            record(BLOCKS + name, **made.state), list(root["interactions"])[1]
        )

    return change


def without_tensors(root):
    for block in root["products"]:
        contraction = block["symmetric_contractions"]
        contraction.state = {"weight": torch.zeros(3)}


def with_adapters(root):
    first = next(iter(root["interactions"]))
    first.state["_modules"] = {"up": record("mace.modules.lora.LoRAO3Linear")}


REFUSED = {
    "density of some layers": (
        with_interaction("RealAgnosticDensityResidualInteractionBlock"),
        "layers with and without normalization by a density are not supported",
    ),
    "nonlinear": (
        with_interaction("RealAgnosticResidualNonLinearInteractionBlock"),
        "RealAgnosticResidualNonLinearInteractionBlock is not supported",
    ),
    "attention": (
        with_interaction("RealAgnosticAttResidualInteractionBlock"),
        "RealAgnosticAttResidualInteractionBlock is not supported",
    ),
    "soft transform": (
        lambda root: root["radial_embedding"].state.update(
            distance_transform=record("mace.modules.radial.SoftTransform")
        ),
        "it transforms distances by SoftTransform",
    ),
    "Gaussian basis": (
        lambda root: root["radial_embedding"].state.update(
            bessel_fn=record("mace.modules.radial.GaussianBasis")
        ),
        "radial basis mace.modules.radial.GaussianBasis is not supported; supported: BesselBasis",
    ),
    "cuequivariance": (in_first_interaction(cueq_config=record("mace.x.C")), "mace_cueq_to_e3nn"),
    "no U matrices": (
        without_tensors,
        "no U matrices; convert the model to the e3nn",
    ),
    "LoRA": (with_adapters, r"low-rank adapters \(LoRA\); merge them"),
    "charge and spin": (
        changed(joint_embedding=record("mace.modules.embeddings.GenericJointEmbedding")),
        "embeddings of total charge, spin or other state",
    ),
    "quadrupoles": (changed(les_quad_readouts=container()), "it has `les_quad_readouts`"),
    "atomic dipoles": (changed(les_u_readouts=container()), "it has `les_u_readouts`"),
    "polarizabilities": (changed(les_alpha_readouts=container()), "it has `les_alpha_readouts`"),
    "kappa": (changed(les_kappa_readouts=container()), "it has `les_kappa_readouts`"),
    "pseudo-vectors": (
        in_first_interaction(edge_attrs_irreps="1x0e+1x1e"),
        "features of parity 1e are not supported",
    ),
    "uneven channels": (
        lambda root: list(root["interactions"])[1].state.update(
            node_feats_irreps=irreps((4, 0), (2, 1))
        ),
        r"layers with features \[\(4, 0\), \(2, 1\)\] are not supported",
    ),
    "rotations without parity": (changed(use_so3=True), "use_so3 = True; supported is False"),
    "dipole network": (None, "network mace.modules.models.AtomicDipolesMACE is not supported"),
}


@pytest.mark.parametrize(("change", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_what_has_no_counterpart_is_refused_by_name(change, message, path):
    root = network()
    if change is None:
        root = record("mace.modules.models.AtomicDipolesMACE", **root.state)
    else:
        change(root)
    with pytest.raises(ValueError, match=message):
        mace_model(root, path)


def test_tensors_that_no_rotation_allows_are_refused(path):
    root = network()
    for block in root["products"]:
        for part in block["symmetric_contractions"]["contractions"]:
            part.state["U_matrix_2"] = part["U_matrix_2"].clone()
            part["U_matrix_2"][0, 1] = 1.0
    with pytest.raises(ValueError, match=r"couple components \(0, 1\), which no rotation allows"):
        mace_model(root, path)


def test_parts_that_cancel_over_the_order_of_factors_are_ignored(path, water):
    root = network(correlation=3)
    before = energy(mace_model(root, path), water)
    for block in root["products"]:
        for part in block["symmetric_contractions"]["contractions"]:
            part.state["U_matrix_3"] = part["U_matrix_3"].clone()
            part["U_matrix_3"][1, 4, 8] += 0.7
            part["U_matrix_3"][4, 8, 1] -= 0.7
    assert energy(mace_model(root, path), water) == pytest.approx(before, abs=1e-6)

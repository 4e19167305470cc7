"""What charges are worth: responses beside their references."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms

from ase_les.charges import ChargesConfig
from ase_les.committee import Committee
from ase_les.model import LESModel, LongRangeConfig, ModelConfig
from ase_les.representation import CaceConfig
from ase_les.training.learning.dataset import LabelNames, labeled
from ase_les.training.learning.response_evaluation import (
    Agreement,
    compare_mean_response,
    compare_response,
)

FORMAL = {"Na": 1.0, "Cl": -1.0}


def rigid_ions(charge: float = 1.0) -> LESModel:
    """A model whose charges are ±1, or another number, whatever happens."""
    formal = {symbol: charge * sign for symbol, sign in FORMAL.items()}
    charges = ChargesConfig(neutrality="split", scale=0.0, formal_charges=formal)
    config = ModelConfig(
        dict.fromkeys(FORMAL, 0.0),
        CaceConfig(3.0, n_mixed=1, n_embedding=1, l_max=0, nu_max=1),
        long_range=LongRangeConfig(charges),
    )
    model = LESModel(config, seed=0).double()
    model.long_range.charges.neutrality.pair_charges.data.zero_()
    return model


def ions(rng, pbc=False) -> Atoms:
    atoms = Atoms("Na2Cl2", rng.permutation(4)[:, None] * 2.5 + rng.uniform(0, 0.5, (4, 3)))
    atoms.set_cell([20.0, 20.0, 20.0])
    atoms.pbc = pbc
    return atoms


def with_labels(atoms: Atoms, scale: float = 1.0) -> Atoms:
    """Moments of unit charges, about the center of mass, written as in published sets."""
    charges = scale * np.array([FORMAL[symbol] for symbol in atoms.symbols])
    arms = atoms.positions - atoms.get_center_of_mass()
    atoms.info["REF_energy"] = 0.0
    atoms.info["REF_dipole"] = charges @ arms
    atoms.info["REF_quadrupole"] = np.einsum("i,ia,ib->ab", charges, arms, arms).ravel()
    atoms.arrays["REF_born_effective_charges"] = np.stack([q * np.eye(3).ravel() for q in charges])
    return atoms


def samples(frames, dielectric=1.0):
    return labeled(frames, 3.0, LabelNames(), dielectric)


def test_moments_of_rigid_ions_are_those_of_point_charges(rng):
    frames = [with_labels(ions(rng)) for _ in range(3)]
    found = compare_response(rigid_ions(), samples(frames)).agreements()
    assert set(found) == {"dipole_eA", "quadrupole_eA2", "born_effective_charges_e"}
    for agreement in found.values():
        assert pytest.approx(1, abs=1e-12) == agreement.R2
        assert agreement.slope == pytest.approx(1, abs=1e-12)
        assert agreement.rmse == pytest.approx(0, abs=1e-12)


def test_charges_of_another_scale_have_another_slope_only(rng):
    frames = [with_labels(ions(rng), scale=2.0) for _ in range(3)]
    for agreement in compare_response(rigid_ions(), samples(frames)).agreements().values():
        assert pytest.approx(1, abs=1e-12) == agreement.R2
        assert agreement.slope == pytest.approx(0.5, abs=1e-12)


def test_the_response_of_a_committee_is_the_mean_of_its_members(rng):
    committee = Committee([rigid_ions(1.0), rigid_ions(0.5)])
    frames = [with_labels(ions(rng)) for _ in range(2)]
    found = compare_mean_response(committee.for_inference(), samples(frames)).agreements()
    assert set(found) == {"dipole_eA", "quadrupole_eA2", "born_effective_charges_e"}
    for agreement in found.values():
        assert agreement.slope == pytest.approx(0.75, abs=1e-12)


def test_born_charges_of_crystals_are_screened_by_the_dielectric_constant(rng):
    frames = [with_labels(ions(rng, pbc=True)) for _ in range(2)]
    found = compare_response(rigid_ions(), samples(frames, dielectric=4.0)).agreements()
    # Moments of a periodic cell depend on how it is cut: only Born charges are compared.
    assert set(found) == {"born_effective_charges_e"}
    assert found["born_effective_charges_e"].slope == pytest.approx(2.0, abs=1e-12)


def test_structures_without_labels_leave_nothing_to_compare(rng):
    atoms = ions(rng)
    atoms.info["REF_energy"] = 0.0
    assert compare_response(rigid_ions(), samples([atoms])).agreements() == {}


def test_references_that_are_all_the_same_leave_nothing_to_compare(rng):
    atoms = ions(rng)
    atoms.info |= {"REF_energy": 0.0, "REF_dipole": np.zeros(3)}
    assert compare_response(rigid_ions(), samples([atoms])).agreements() == {}


def test_unrelated_numbers_have_no_correlation(rng):
    found = Agreement.between(rng.normal(size=4000), rng.normal(size=4000))
    assert found.R2 < 0.01
    assert found.rmse == pytest.approx(np.sqrt(2), rel=0.1)


def test_a_line_needs_references_that_differ():
    with pytest.raises(ValueError, match="distinct references, got 3 values"):
        Agreement.between(np.ones(3), np.arange(3.0))

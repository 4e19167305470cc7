"""The factor between latent and physical charges."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator

from ase_les.screening import (
    charge_scaling,
    describe_charges,
    latent_charges,
    recorded_scaling,
    screening_factor,
)

TENSOR = np.array([[2.0, 0.3, 0.0], [0.3, 3.0, 0.1], [0.0, 0.1, 1.5]])


def ions(**results) -> Atoms:
    atoms = Atoms("NaCl", [[0, 0, 0], [0, 0, 2.8]], cell=[6, 6, 6], pbc=True)
    atoms.calc = SinglePointCalculator(atoms, **results)
    return atoms


def test_screening_is_the_square_root_of_the_dielectric_tensor():
    factor = screening_factor(TENSOR)
    np.testing.assert_allclose(factor @ factor, TENSOR, atol=1e-14)
    np.testing.assert_allclose(screening_factor(4.0 * np.eye(3)), 2.0 * np.eye(3), atol=1e-14)


def test_charges_scale_with_the_root_of_an_isotropic_constant():
    assert charge_scaling(1.78 * np.eye(3)) == pytest.approx(np.sqrt(1.78), abs=1e-15)
    assert charge_scaling(np.eye(3)) == 1.0


def test_charges_scale_as_the_trace_of_rigid_born_charges_does():
    """Z* = ε∞^½ q for a charge that moves with its atom; its third of the trace is the charge."""
    assert charge_scaling(TENSOR) == pytest.approx(np.trace(screening_factor(TENSOR)) / 3)
    turn = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))[0]
    assert charge_scaling(turn @ TENSOR @ turn.T) == pytest.approx(charge_scaling(TENSOR))


def test_latent_charges_are_found_again_from_what_is_recorded():
    physical = 2.0 * np.array([0.4, -0.4])
    scaled = ions(charges=physical, dielectric_tensor=4.0 * np.eye(3))
    np.testing.assert_allclose(latent_charges(scaled), [0.4, -0.4], atol=1e-15)
    assert describe_charges(scaled)["physical_over_latent"] == 2.0


def test_charges_that_tell_no_scale_are_taken_as_they_are():
    plain = ions(charges=[0.4, -0.4])
    assert recorded_scaling(plain) == 1.0
    np.testing.assert_array_equal(latent_charges(plain), [0.4, -0.4])
    assert describe_charges(plain) is None

"""Recipes with ASE and phonopy against relations that hold for any potential."""

from importlib import util
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT

pytestmark = pytest.mark.slow

STUDY = Path(__file__).parents[2] / "workflows" / "16_elastic_and_barriers.py"


@pytest.fixture(scope="module")
def study():
    spec = util.spec_from_file_location("elastic", STUDY)
    module = util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def copper(study):
    atoms = bulk("Cu", cubic=True)
    atoms.calc = EMT()
    return study.relaxed(atoms)


def test_both_ways_to_the_bulk_modulus_agree(study, copper):
    """(C11 + 2 C12)/3 is the bulk modulus of a cubic crystal; C has cubic symmetry."""
    volume, modulus = study.bulk_modulus(copper)
    constants = study.elastic_constants(copper)
    assert volume == pytest.approx(copper.get_volume(), rel=1e-3)
    assert (constants[0, 0] + 2 * constants[0, 1]) / 3 == pytest.approx(modulus, rel=0.02)
    np.testing.assert_allclose(np.diag(constants)[3:], constants[3, 3], rtol=1e-3)
    np.testing.assert_allclose(constants[:3, 3:], 0, atol=0.1)


def test_thermal_expansion_starts_at_zero_and_follows_grueneisen(study, copper):
    """α = γ C_V / (B V) with γ between 1 and 3 for a metal; the third law at 0 K."""
    found = study.thermal_expansion(copper, (2, 2, 2), np.linspace(0.99, 1.03, 7))
    alpha = found.thermal_expansion[30]
    assert abs(found.thermal_expansion[1]) < 0.05 * alpha
    volume = found.volume_temperature[30] * 1e-30
    modulus = found.bulk_modulus_temperature[30] * 1e9
    heat = 3 * len(copper) * 1.380649e-23
    assert 1 < alpha * modulus * volume / heat < 3


def test_a_vacancy_hops_over_a_symmetric_barrier(study, copper):
    start, end = study.vacancy_hop(copper)
    energy, path = study.barrier(start, end, images=3, fmax=0.05)
    energies = [each.get_potential_energy() for each in path]
    assert energies[0] == pytest.approx(energies[-1], abs=1e-3)
    assert 0.2 < energy < 1.5
    assert energies[1] == pytest.approx(energies[-2], abs=0.02)

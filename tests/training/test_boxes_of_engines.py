"""Engines that repeat everything get vacuum; modes without stress label energies and forces."""

import re
import sys
import types
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.calculators.calculator import Calculator, all_changes
from ase.calculators.lj import LennardJones

from ase_les.reports.training import show_labels
from ase_les.runs.output import LabelFiles
from ase_les.training.engines import programs as engines
from ase_les.training.engines.calculators import InVacuum
from ase_les.training.labeling.reference import LabelResult, label


class RepeatsAll(Calculator):
    """Attraction between all atoms, in a crystal whenever any direction is periodic."""

    implemented_properties = ["energy", "forces"]  # noqa: RUF012 - ASE's convention

    def __init__(self, charge=0, multiplicity=None, **settings):
        super().__init__()

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        repeated = self.atoms.copy()
        repeated.pbc = bool(repeated.pbc.any())
        repeated.calc = LennardJones(sigma=2.4, epsilon=0.1, rc=8.0)
        self.results = {"energy": repeated.get_potential_energy(), "forces": repeated.get_forces()}


@pytest.fixture
def tblite(monkeypatch):
    module = types.ModuleType("tblite.ase")
    module.TBLite = RepeatsAll
    package = types.ModuleType("tblite")
    package.ase = module
    package.__spec__ = types.SimpleNamespace()
    monkeypatch.setitem(sys.modules, "tblite", package)
    monkeypatch.setitem(sys.modules, "tblite.ase", module)
    build = engines.ENGINES["tblite"].build
    return engines.Reference("tblite", build, engines.checked_settings("tblite", {}))


def slab(third):
    atoms = bulk("NaCl", "rocksalt", a=5.6, cubic=True)
    atoms.pbc = (True, True, False)
    atoms.center(vacuum=third, axis=2)
    return atoms


def wire(width):
    atoms = molecule("H2O", cell=[width, width, 5], pbc=(False, False, True))
    atoms.center()
    return atoms


@pytest.mark.parametrize("pair", [(slab(0.5), slab(12.0)), (wire(6), wire(30))])
def test_labels_do_not_depend_on_a_vector_that_does_not_count(tblite, pair):
    first, second = (label(atoms, tblite) for atoms in pair)
    assert first.problem is None
    assert first.energy_eV == pytest.approx(second.energy_eV, abs=1e-9)
    assert np.allclose(first.forces_eV_per_A, second.forces_eV_per_A, atol=1e-9)


def test_molecules_and_crystals_stay_as_they_are(tblite):
    for atoms in (molecule("H2O"), bulk("NaCl", "rocksalt", a=5.6, cubic=True)):
        calculator = tblite.calculator(atoms)
        assert isinstance(calculator, RepeatsAll)


class WithoutStress(LennardJones):
    """As GPAW in modes that have no stress: it fails where the number should be."""

    def get_property(self, name, atoms=None, allow_calculation=True):
        if name == "stress":
            raise AttributeError("'FDPotentialCalculator' object has no attribute 'stress'")
        return super().get_property(name, atoms, allow_calculation)


def test_a_mode_without_stress_still_labels_energies_and_forces():
    def build(atoms, **settings):
        return InVacuum(WithoutStress(), 5.0, None)

    atoms = Atoms("Ar2", [[0, 0, 0], [0, 0, 1.2]], cell=[4, 4, 4], pbc=True)
    found = label(atoms, engines.Reference("gpaw", build, {}))
    assert found.problem is None
    assert found.energy_eV is not None
    assert found.stress_eV_per_A3 is None


def test_missing_stresses_are_told_in_the_table(capsys):
    reference = engines.Reference("gpaw", engines.make_lj, {})
    result = LabelResult(LabelFiles(Path("lab")), reference, 3, 6, {}, 1, 2.0, None, 3)
    show_labels(result)
    assert re.search(r"without stress\W+3", "".join(capsys.readouterr()))
    show_labels(replace(result, without_stress=0))
    assert "without stress" not in "".join(capsys.readouterr())

"""Forces that a constraint has set to zero are named before training."""

import numpy as np
import pytest
from ase.build import bulk, fcc111
from ase.calculators.emt import EMT
from ase.constraints import FixAtoms

from ase_les.reading.labels import LabelNames, find_labels
from ase_les.reading.plausibility import question_labels


def slabs(apply_constraint, keep):
    frames = []
    for seed in range(6):
        atoms = fcc111("Cu", (2, 2, 3), vacuum=6.0)
        atoms.rattle(0.05, seed=seed)
        atoms.set_constraint(FixAtoms([0, 1, 2, 3]))
        atoms.calc = EMT()
        atoms.info["REF_energy"] = atoms.get_potential_energy()
        atoms.arrays["REF_forces"] = atoms.get_forces(apply_constraint=apply_constraint)
        if not keep:
            atoms.set_constraint()
        atoms.calc = None
        frames.append(atoms)
    return frames


@pytest.mark.parametrize("keep", [True, False])
def test_forces_of_fixed_atoms(keep):
    told = question_labels(slabs(True, keep), find_labels(slabs(True, keep), LabelNames()))
    assert any("exactly zero in 6 of 6 structures" in text for text in told)
    told = question_labels(slabs(False, keep), find_labels(slabs(False, keep), LabelNames()))
    assert not any("exactly zero" in text for text in told)


def test_crystals_at_rest_are_no_reason_to_warn():
    frames = [bulk("Cu", cubic=True) for _ in range(3)]
    for atoms in frames:
        atoms.info["REF_energy"], atoms.arrays["REF_forces"] = -1.0, np.zeros((4, 3))
    told = question_labels(frames, find_labels(frames, LabelNames()))
    assert not any("exactly zero" in text for text in told)

"""The order of labeled Born charges: a molecule's dipole turns with it, or it was read wrongly."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule

from ase_les.training.learning.dataset import LabelNames, labeled

ROWS_ARE_DISPLACEMENTS = LabelNames(born_rows="displacement")


def dipole(positions: np.ndarray) -> np.ndarray:
    """Of a molecule OHH whose transfer along one bond depends on the length of the other."""
    first, second = positions[1:] - positions[0]
    lengths = np.linalg.norm(first), np.linalg.norm(second)
    return 0.3 * lengths[1] ** 2 * first + 0.5 * lengths[0] * second


def labeled_water() -> Atoms:
    """With the derivative [atom, polarization, displacement] of its dipole."""
    atoms = molecule("H2O")
    atoms.rattle(0.1, seed=1)
    step = 1e-4
    born = np.empty((3, 3, 3))
    for atom, axis in np.ndindex(3, 3):
        there, back = atoms.get_positions(), atoms.get_positions()
        there[atom, axis] += step
        back[atom, axis] -= step
        born[atom, :, axis] = (dipole(there) - dipole(back)) / (2 * step)
    atoms.arrays["REF_born_effective_charges"] = born.reshape(3, 9)
    atoms.info = {"REF_energy": 0.0, "REF_dipole": dipole(atoms.positions)}
    return atoms


def transposed(atoms: Atoms) -> Atoms:
    born = atoms.arrays["REF_born_effective_charges"].reshape(-1, 3, 3)
    atoms.arrays["REF_born_effective_charges"] = born.transpose(0, 2, 1).reshape(-1, 9)
    return atoms


def test_born_charges_of_either_order_are_the_same_once_read():
    (given,) = labeled([labeled_water()], 3.0, LabelNames())
    (other,) = labeled([transposed(labeled_water())], 3.0, ROWS_ARE_DISPLACEMENTS)
    born = labeled_water().arrays["REF_born_effective_charges"].reshape(3, 3, 3)
    assert np.abs(born - born.transpose(0, 2, 1)).max() > 0.1
    np.testing.assert_array_equal(given.born_charges, born)
    np.testing.assert_array_equal(other.born_charges, born)


def test_born_charges_that_do_not_turn_the_dipole_are_refused_with_the_remedy():
    with pytest.raises(ValueError, match=r"structure 0.*Set `born_rows: displacement`"):
        labeled([transposed(labeled_water())], 3.0, LabelNames())
    with pytest.raises(ValueError, match=r"structure 0.*Set `born_rows: polarization`"):
        labeled([labeled_water()], 3.0, ROWS_ARE_DISPLACEMENTS)


def test_noise_and_missing_dipoles_decide_nothing(rng):
    noisy = labeled_water()
    noisy.arrays["REF_born_effective_charges"] += rng.normal(0, 0.02, (3, 9))
    alone = transposed(labeled_water())
    del alone.info["REF_dipole"]
    assert len(labeled([noisy, alone], 3.0, LabelNames())) == 2


def test_an_unknown_order_is_refused():
    with pytest.raises(
        ValueError, match="given 'columns', needed: one of polarization, displacement"
    ):
        LabelNames(born_rows="columns")


def test_published_born_charges_of_dipeptides_have_displacements_first(shared):
    from ase.io import read

    frames = read(shared / "data/dipeptides/valid.extxyz", ":3")
    with pytest.raises(ValueError, match="born_rows: displacement"):
        labeled(frames, 4.0, LabelNames())
    assert len(labeled(frames, 4.0, ROWS_ARE_DISPLACEMENTS)) == 3

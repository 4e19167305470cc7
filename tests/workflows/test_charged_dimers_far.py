"""Where the dimers go on beyond the published ones, and what labels they are given."""

import runpy
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.io import read

WORKFLOWS = Path(__file__).parents[2] / "workflows"
STUDY = runpy.run_path(str(WORKFLOWS / "charged_dimers_far.py"))


@pytest.mark.parametrize("kind", ["CC", "PA"])
def test_far_pairs_lie_where_the_published_ones_do(kind, shared):
    folder = shared / "data" / "charged-dimers"
    near = read(folder / f"{kind}-train.extxyz", ":")
    published = read(folder / f"{kind}-test.extxyz", ":")
    for ours, theirs in zip(STUDY["farther"](near), published, strict=True):
        np.testing.assert_allclose(ours.positions, theirs.positions, rtol=0, atol=1e-7)
        assert ours.info["distance"] == pytest.approx(theirs.info["distance"], abs=1e-6)


def test_labels_begin_at_the_published_ones_and_change_as_calculated():
    def pair(distance, energy, force):
        atoms = Atoms("HeNe", [(0, 0, 0), (distance, 0, 0)], info={"REF_energy": energy})
        atoms.arrays["REF_forces"] = np.array([[force, 0, 0], [-force, 0, 0.0]])
        return atoms

    # Another zero of energy and a tenth more force, as levels of theory differ.
    (found,) = STUDY["continued"](pair(5, -7.0, 1.0), [pair(5, -1.0, 1.1), pair(6, -0.5, 0.4)])
    assert found.info["REF_energy"] == pytest.approx(-6.5)
    np.testing.assert_allclose(found.arrays["REF_forces"][:, 0], [0.3, -0.3])


def test_molecules_that_bend_are_no_series():
    bent = Atoms("HeNeAr", [(0, 0, 0), (5, 0, 0), (6, 0, 0)], info={"distance": 5.0, "label": "x"})
    later = bent.copy()
    later.positions[1:] += [[1.0, 0, 0], [1.5, 0, 0]]
    with pytest.raises(ValueError, match="turn or bend"):
        STUDY["farther"]([bent, later])


def test_shipped_far_pairs_are_beyond_what_is_trained_on():
    far = read(WORKFLOWS / "charged_dimers_far.extxyz", ":")
    assert sorted({atoms.info["label"] for atoms in far}) == ["AA", "CA", "CP", "PP"]
    assert min(atoms.info["distance"] for atoms in far) > 12
    # Forces of rigid molecules far apart come to rest; whole, they add up to none.
    for atoms in far:
        np.testing.assert_allclose(atoms.arrays["REF_forces"].sum(axis=0), 0, atol=2e-3)

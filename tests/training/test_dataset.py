"""Labels: where they are found and what is refused."""

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import read, write

from ase_les.derivatives import differentiate
from ase_les.model import LESModel, ModelConfig
from ase_les.representation import CaceConfig
from ase_les.training.learning.atomic_energies import fit_atomic_energies
from ase_les.training.learning.dataset import (
    LabelNames,
    Sample,
    fingerprint,
    labeled,
    read_frames,
    without_contacts,
)
from ase_les.training.learning.evaluation import compare, evaluate
from ase_les.training.learning.train import DataConfig


def hydrogen(**info):
    atoms = Atoms("H2", [[0, 0, 0], [0, 0, 0.74]], info=info)
    atoms.arrays["REF_forces"] = np.array([[0, 0, 1.0], [0, 0, -1.0]])
    return atoms


def test_labels_survive_the_way_through_extended_xyz(tmp_path):
    write(tmp_path / "data.extxyz", [hydrogen(REF_energy=-31.0, charge=1)])
    (sample,) = labeled(read_frames(tmp_path / "data.extxyz"), 2.0, LabelNames())
    assert sample.energy.tolist() == [-31.0]
    assert sample.forces[:, 2].tolist() == [1.0, -1.0]
    assert sample.graph.total_charge.tolist() == [1.0]
    assert sample.stress.isnan().all()


def test_labels_under_the_names_of_ase_are_found(tmp_path):
    atoms = hydrogen()
    atoms.calc = SinglePointCalculator(atoms, energy=-30.0, forces=2 * atoms.arrays["REF_forces"])
    write(tmp_path / "data.extxyz", [atoms])
    frames = read(tmp_path / "data.extxyz", ":")
    (sample,) = labeled(frames, 2.0, LabelNames(energy="energy", forces="forces"))
    assert sample.energy.tolist() == [-30.0]
    assert sample.forces[:, 2].tolist() == [2.0, -2.0]


def test_six_stress_numbers_are_the_voigt_order_of_ase():
    atoms = hydrogen(REF_energy=0.0, REF_stress=[1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    atoms.set_cell([4.0, 4.0, 4.0])
    atoms.pbc = True
    (sample,) = labeled([atoms], 2.0, LabelNames())
    assert sample.stress[0].tolist() == [[1, 6, 5], [6, 2, 4], [5, 4, 3]]


@pytest.mark.parametrize("pbc", [[False] * 3, [False, False, True]])
def test_molecules_and_wires_have_no_stress_to_learn(pbc):
    atoms = hydrogen(REF_energy=0.0, REF_stress=np.ones(6))
    atoms.set_cell([4.0, 4.0, 4.0])
    atoms.pbc = pbc
    (sample,) = labeled([atoms], 2.0, LabelNames())
    assert sample.stress.isnan().all()


def test_a_slab_without_a_third_vector_has_no_stress_to_learn():
    atoms = hydrogen(REF_energy=0.0, REF_stress=np.ones(6))
    atoms.set_cell([[3.0, 0.0, 0.0], [0.0, 3.0, 0.0], [0.0, 0.0, 0.0]])
    atoms.pbc = [True, True, False]
    (sample,) = labeled([atoms], 2.0, LabelNames())
    assert sample.stress.isnan().all()


@pytest.mark.parametrize("turned", [0.0, 35.0])
def test_of_a_slab_only_stress_in_its_plane_is_judged(turned):
    """Wherever its normal points to: what a label says along it is no error of the model."""
    atoms = hydrogen(REF_energy=0.0)
    atoms.set_cell([[2.5, 0.0, 0.0], [0.4, 2.6, 0.0], [0.0, 0.0, 9.0]])
    atoms.pbc = [True, True, False]
    atoms.rotate(turned, (1, 2, 3), rotate_cell=True)
    model = LESModel(ModelConfig({"H": 0.0}, CaceConfig(3.0, l_max=1, nu_max=2)), seed=0).double()
    (bare,) = labeled([atoms], 3.0, LabelNames())
    stress = differentiate(model, bare.graph, stress=True).stress[0].detach().numpy()
    normal = np.cross(*atoms.cell.array[:2])
    normal /= np.linalg.norm(normal)
    along = np.outer(normal, [0.3, -0.2, 0.1])
    atoms.info["REF_stress"] = (stress + along + along.T).ravel()
    (sample,) = labeled([atoms], 3.0, LabelNames())
    assert evaluate(model, [sample]).stress_rmse_meV_per_A3 == pytest.approx(0, abs=1e-9)
    # Components that no slab of this orientation has are no labels at all.
    n_judged = compare(model, [sample]).stress.shape[1]
    assert n_judged == (9 if turned else 4)
    assert torch.allclose(sample.stress, sample.stress.transpose(1, 2), equal_nan=True)


def test_a_structure_without_labels_is_named_with_what_it_has():
    atoms = Atoms("H", info={"total_energy": 1.0})
    with pytest.raises(ValueError, match=r"structure 0 .*total_energy"):
        labeled([atoms], 2.0, LabelNames())


def test_labels_that_are_not_numbers_are_refused():
    with pytest.raises(ValueError, match="energy of structure 0 is not finite"):
        labeled([hydrogen(REF_energy=float("nan"))], 2.0, LabelNames())


@pytest.mark.parametrize("name", ["positions", "numbers", "cell", "pbc", "total_charge"])
def test_structures_are_other_data_when_anything_of_them_is_another(name):
    (sample,) = labeled([hydrogen(REF_energy=-31.0)], 2.0, LabelNames())
    other = sample.graph._replace(**{name: torch.full_like(getattr(sample.graph, name), 7)})
    assert fingerprint([sample._replace(graph=other)]) != fingerprint([sample])


@pytest.mark.parametrize("name", Sample._fields[1:])
def test_structures_are_other_data_when_any_label_is_another(name):
    (sample,) = labeled([hydrogen(REF_energy=-31.0)], 2.0, LabelNames())
    other = sample._replace(**{name: torch.full_like(getattr(sample, name), 7)})
    assert fingerprint([other]) != fingerprint([sample])


def test_a_missing_file_is_named():
    with pytest.raises(FileNotFoundError, match="nowhere"):
        read_frames("nowhere.extxyz")


def test_atomic_energies_are_recovered_from_compositions():
    frames = [
        Atoms(formula, np.eye(3)[: len(Atoms(formula))] * 3, info={"REF_energy": energy})
        for formula, energy in (("HO", -11.0), ("H2", -2.0), ("H2O", -12.0))
    ]
    found = fit_atomic_energies(labeled(frames, 2.0, LabelNames()))
    assert found == pytest.approx({"H": -1.0, "O": -10.0})


def test_structures_with_contacts_that_cannot_be_are_left_out_across_the_cell_too():
    near = Atoms("NaH", [[0, 0, 0], [0, 0, 1.7]])
    far = Atoms("NaH", [[0, 0, 0], [0, 0, 2.3]])
    through_the_wall = Atoms("NaH", [[0, 0, 0], [0, 0, 8.3]], cell=[10, 10, 10], pbc=True)
    others = Atoms("OH", [[0, 0, 0], [0, 0, 0.97]])
    frames = [near, far, through_the_wall, others]
    assert without_contacts(frames, {"Na-H": 2.0}) == [far, others]
    assert without_contacts(frames, {"H-Na": 2.0}) == [far, others]
    assert without_contacts(frames, {}) == frames
    with pytest.raises(ValueError, match="Na-H"):
        without_contacts(frames, {"NaH": 2.0})


def test_a_file_of_which_nothing_is_left_is_refused(tmp_path):
    path = tmp_path / "data.extxyz"
    write(path, [hydrogen(REF_energy=-31.0)])
    assert len(DataConfig(str(path), shortest_A={"H-H": 0.7}).frames(path)) == 1
    with pytest.raises(ValueError, match="lower it"):
        DataConfig(str(path), shortest_A={"H-H": 0.8}).frames(path)


def test_a_file_that_is_no_structure_is_named_with_its_format(tmp_path):
    path = tmp_path / "data.extxyz"
    path.write_text("no structure at all\n")
    with pytest.raises(ValueError, match=r"cannot read .*data\.extxyz as extxyz"):
        read_frames(path)

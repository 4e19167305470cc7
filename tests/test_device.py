"""What is computed on another device is what the CPU computes."""

from __future__ import annotations

import copy
import shutil
from functools import partial

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import bulk, fcc111, molecule
from torch.optim import SGD

from ase_les import LESCalculator, LESModel, list_models, load_model
from ase_les.derivatives import differentiate
from ase_les.electrostatics.auto_sum import AutoSum
from ase_les.electrostatics.metal_preconditioner import Metal, pair_potentials
from ase_les.electrostatics.wave_vectors import ReciprocalKernel
from ase_les.graph import graph_from_atoms
from ase_les.model_io import read_header, shipped_models
from ase_les.neighbors import NeighborList
from ase_les.testing import check_calculator
from ase_les.training.learning.checkpoint import optimizer_tensors, restore_optimizer
from ase_les.training.learning.dataset import LabelNames, Sample, labeled
from ase_les.training.learning.evaluation import evaluate
from ase_les.training.learning.fit import fit
from ase_les.training.learning.fit_settings import FitSettings
from ase_les.training.learning.loss import LossWeights
from ase_les.training.learning.mean_charges import describe_charges
from ase_les.training.learning.response_evaluation import compare_response
from ase_les.training.learning.soap import SOAP
from ase_les.training.learning.teachers import distill_labels
from tests.other_device import other_device


@pytest.fixture
def device():
    with other_device() as name:
        yield name


def salt() -> Atoms:
    """A crystal without symmetry, of elements that `random_model` knows."""
    atoms = bulk("NaO", "rocksalt", a=5.6, cubic=True)
    atoms.rattle(0.1, seed=3)
    return atoms


def test_tensors_of_two_devices_do_not_mix(device):
    there, here = torch.ones(3, device=device), torch.ones(3)
    assert (there + there).cpu().tolist() == [2, 2, 2]
    with pytest.raises(RuntimeError, match="one device"):
        there + here
    with pytest.raises((RuntimeError, TypeError)):
        there.numpy()


def parts_of(name: str) -> set[str]:
    """Return the parts of a shipped model that differ in the operations they do."""
    config = read_header(shipped_models()[name]).config
    representation, long_range = config["representation"], config["long_range"]
    alpha = config.get("polarizability")
    optional = ("core_repulsion", "total_charges")
    return {
        representation.get("kind", "cace"),
        *(term for layer in representation.get("layers", ()) for term in layer),
        long_range["charges"]["neutrality"],
        *(["equilibration"] if long_range.get("equilibration") else []),
        *(part for part in optional if config.get(part)),
        *([f"local field {alpha['local_field']}"] if alpha else []),
    }


def models_of_every_part() -> list[str]:
    """Return shipped models that together have all parts of all of them."""
    chosen, known = [], set()
    for name in list_models():
        if parts_of(name) - known:
            chosen.append(name)
            known |= parts_of(name)
    return chosen


@pytest.mark.slow
@pytest.mark.parametrize("name", models_of_every_part())
def test_every_kind_of_model_is_the_same_on_another_device(name, device):
    check_calculator(load_model(name), device)


def same_on_both(model, device, ask, **settings) -> None:
    """Whatever is asked of a calculator, both devices give one answer."""
    here, there = (
        ask(LESCalculator(model, each, "float64", **settings)) for each in ("cpu", device)
    )
    np.testing.assert_allclose(there, here, rtol=1e-10, atol=1e-12)
    assert np.abs(here).max() > 1e-6


@pytest.mark.parametrize("neutrality", ["mean", "split", "none"])
@pytest.mark.parametrize("name", ["polarization", "born_effective_charges", "stress"])
def test_response_of_a_crystal(random_model, device, neutrality, name):
    model, atoms = random_model(charges={"neutrality": neutrality}), salt()
    same_on_both(model, device, lambda calculator: calculator.get_property(name, atoms))


@pytest.mark.parametrize("name", ["dipole", "born_effective_charges", "charges"])
def test_response_of_a_molecule(random_model, device, name):
    atoms = molecule("H2O")
    same_on_both(random_model(), device, lambda calculator: calculator.get_property(name, atoms))


def test_approximate_potentials_of_a_metal(device):
    slab = fcc111("Pt", (3, 3, 3), a=3.97, vacuum=6.0)
    positions, cell = torch.tensor(slab.positions), torch.tensor(slab.cell.array)
    here = Metal(positions, cell, cell[2] / cell[2].norm(), torch.ones(len(slab)))
    there = Metal(*(each.to(device) for each in here[:4]))
    kernel = ReciprocalKernel(1.2, 6.0)
    values, slopes = pair_potentials(there, kernel)
    torch.testing.assert_close((values.cpu(), slopes.cpu()), pair_potentials(here, kernel))
    assert values.abs().max() > 1.0


def test_forces_in_a_field(random_model, device):
    model, atoms = random_model(charges={"neutrality": "split"}), salt()
    same_on_both(
        model,
        device,
        lambda calculator: calculator.get_property("forces", atoms),
        field_V_per_A=(0, 0.02, 0.1),
    )


def test_the_published_formula(random_model, device):
    model, atoms = random_model(charges={"neutrality": "split"}), salt()
    same_on_both(
        model, device, lambda calculator: calculator.get_born_effective_charges(atoms, "phase")
    )


@pytest.mark.parametrize("pbc", [True, (True, True, False), False])
def test_potential_and_field_at_atoms_and_elsewhere(random_model, device, pbc):
    model, atoms = random_model(), salt()
    atoms.pbc = pbc
    for points in (None, [[0.3, 0.2, 0.1], [1.5, 1.6, 1.2]]):
        for part in (0, 1):
            same_on_both(
                model,
                device,
                lambda calculator, points=points, part=part: calculator.get_potential_and_field(
                    atoms, points
                )[part],
            )


@pytest.mark.parametrize("name", ["forces", "stress"])
@pytest.mark.parametrize("pbc", [True, (True, True, False)])
def test_sums_on_a_mesh(random_model, device, monkeypatch, pbc, name):
    monkeypatch.setattr(AutoSum, "choose", lambda self, *asked: self.mesh)
    atoms = salt()
    if pbc is not True:
        atoms.center(vacuum=4.0, axis=2)
    atoms.pbc = pbc
    same_on_both(random_model(), device, lambda calculator: calculator.get_property(name, atoms))


def test_a_moving_structure(random_model, device):
    """Edges are kept from step to step, on the device."""

    def last_forces(calculator: LESCalculator) -> np.ndarray:
        atoms = salt()
        for seed in range(4):
            atoms.rattle(0.02, seed=seed)
            forces = calculator.get_property("forces", atoms)
        return forces

    same_on_both(random_model(), device, last_forces)


def labeled_structures(model: LESModel, n_pairs: int, seed: int) -> list[Sample]:
    """Crystals and molecules with labels of every kind, any numbers."""
    rng = np.random.default_rng(seed)
    frames = [make() for _ in range(n_pairs) for make in (salt, partial(molecule, "H2O"))]
    for atoms in frames:
        atoms.rattle(0.05, rng=rng)
        atomic = sum(model.config.atomic_energies[symbol] for symbol in atoms.symbols)
        atoms.info["REF_energy"] = atomic + rng.normal()
        atoms.arrays["REF_forces"] = rng.normal(size=(len(atoms), 3))
        if atoms.pbc.all():
            atoms.info["REF_stress"] = 0.01 * rng.normal(size=6)
            atoms.arrays["REF_born_effective_charges"] = rng.normal(size=(len(atoms), 9))
        else:
            atoms.info["REF_dipole"] = rng.normal(size=3)
    return labeled(frames, model.config.cutoff, LabelNames())


@pytest.fixture
def trainable(random_model, monkeypatch):
    # In the first steps directions that no gradient has had yet are turned to by rounding; this one
    # follows gradients.
    monkeypatch.setattr("ase_les.training.learning.fit.SOAP", partial(SGD, momentum=0.5))
    model = random_model(charges={"neutrality": "mean"})
    weights = LossWeights(1.0, 1.0, 0.1, dipole=0.1, born_charges=0.1, excess=0.1)
    settings = FitSettings(
        epochs=4,
        batch_size=3,
        validate_every=1,
        dtype="float64",
        loss=weights,
        final_loss=weights,
        free_sum=True,
    )
    data = (labeled_structures(model, 3, seed=1), labeled_structures(model, 1, seed=2))
    return model, *data, settings


def test_steps_of_the_optimizer(device):
    def stepped(where: str) -> torch.Tensor:
        random = partial(torch.randn, 5, 7, generator=torch.Generator().manual_seed(0))
        weight = torch.nn.Parameter(random().to(where))
        optimizer = SOAP([weight], lr=0.01)
        for _ in range(12):
            weight.grad = random().to(where)
            optimizer.step()
        again = SOAP([weight], lr=0.01)
        restore_optimizer(again, {k: v.cpu() for k, v in optimizer_tensors(optimizer).items()})
        weight.grad = random().to(where)
        again.step()
        return weight.detach().cpu()

    assert torch.equal(stepped(device), stepped("cpu"))


def test_what_forces_teach_of_shared_electrons(random_model, device):
    model = random_model(
        charges={"neutrality": "split"}, equilibration={"elements": ("Na", "O")}
    ).double()
    graph = graph_from_atoms(salt(), NeighborList(model.config.cutoff))

    def gradients(where: str) -> list[torch.Tensor]:
        student = copy.deepcopy(model).to(where)
        forces = differentiate(student, graph.to(where), create_graph=True).forces
        forces.square().sum().backward()
        return [weight.grad.cpu() for weight in student.long_range.equilibration.parameters()]

    for there, here in zip(gradients(device), gradients("cpu"), strict=True):
        assert here.abs().min() > 1e-6
        torch.testing.assert_close(there, here)


@pytest.mark.slow
def test_a_training(trainable, device, tmp_path):
    model, *given = trainable
    here, there = copy.deepcopy(model), copy.deepcopy(model)
    fit(here, *given, tmp_path / "here")
    done = fit(there, *given, tmp_path / "there", device=device)
    assert done.model.device.type == device
    for name, weight in here.state_dict().items():
        torch.testing.assert_close(
            done.model.state_dict()[name].cpu(), weight, rtol=1e-7, atol=1e-9
        )


@pytest.mark.slow
def test_a_training_goes_on_where_there_is_another_device(trainable, device, tmp_path):
    model, *given = trainable
    whole, part = copy.deepcopy(model), copy.deepcopy(model)
    expected = fit(whole, *given, tmp_path / "whole")

    class Stopped(Exception):
        pass

    def stop(record) -> None:
        if record.epoch == 2:
            raise Stopped

    with pytest.raises(Stopped):
        fit(part, *given, tmp_path / "part", device=device, on_epoch=stop)
    for where in ("cpu", device):
        shutil.copy(tmp_path / "part", tmp_path / "again")
        resumed = fit(copy.deepcopy(model), *given, tmp_path / "again", resume=True, device=where)
        assert resumed.model.device.type == where
        assert [record.epoch for record in resumed.history] == [1, 2, 3, 4]
        last, wanted = resumed.history[-1], expected.history[-1]
        assert last.validation_loss == pytest.approx(wanted.validation_loss, rel=1e-7)


@pytest.mark.slow
def test_errors_and_what_cards_say_of_charges(trainable, device):
    model, samples, *_ = trainable
    model.double()
    there = copy.deepcopy(model).to(device)
    assert evaluate(there, samples).to_dict() == evaluate(model, samples).to_dict()
    assert describe_charges(there, samples) == describe_charges(model, samples)
    for mine, other in zip(
        vars(compare_response(there, samples)).values(),
        vars(compare_response(model, samples)).values(),
        strict=True,
    ):
        np.testing.assert_allclose(mine, other, rtol=1e-9, atol=1e-12)
    for mine, other in zip(
        distill_labels(samples, [there]), distill_labels(samples, [model]), strict=True
    ):
        torch.testing.assert_close(mine.born_charges, other.born_charges)

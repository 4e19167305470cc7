"""Fitting: what is learned, and that a killed fit goes on as if nothing had happened."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.calculators.morse import MorsePotential
from ase.io import write
from scipy.spatial.distance import pdist

from ase_les.charges import ChargesConfig
from ase_les.cli import main
from ase_les.graph import sum_per_structure
from ase_les.model import LESModel, LongRangeConfig, ModelConfig
from ase_les.model_io import read_model
from ase_les.representation import CaceConfig
from ase_les.training.engines.rigid_ions import RigidIons
from ase_les.training.learning.card import describe_data
from ase_les.training.learning.checkpoint import read_checkpoint
from ase_les.training.learning.dataset import LabelNames, joined, labeled, shuffled_batches
from ase_les.training.learning.evaluation import evaluate
from ase_les.training.learning.fit import _Run, fit
from ase_les.training.learning.fit_settings import FitSettings
from ase_les.training.learning.loss import LossWeights, loss

CUTOFF = 3.5


def morse_cluster(seed, periodic=False):
    """Three or four argon-like atoms with the energy and forces of a Morse potential."""
    rng = np.random.default_rng(seed)
    n_atoms = 3 + seed % 2
    corners = np.array([[0, 0, 0], [1.2, 0, 0], [0, 1.2, 0], [0, 0, 1.2]])[:n_atoms]
    atoms = Atoms(f"Ar{n_atoms}", corners + rng.normal(0, 0.12, (n_atoms, 3)))
    if periodic:
        atoms.set_cell(np.eye(3) * 12.0)
        atoms.pbc = True
    atoms.calc = MorsePotential(epsilon=1.0, r0=1.2, rho0=3.0, rcut1=2.5, rcut2=3.4)
    atoms.info["REF_energy"] = atoms.get_potential_energy()
    atoms.arrays["REF_forces"] = atoms.get_forces()
    atoms.calc = None
    return atoms


@pytest.fixture(scope="module")
def samples():
    frames = [morse_cluster(seed, periodic=seed % 3 == 0) for seed in range(24)]
    return labeled(frames, CUTOFF, LabelNames())


def small_model(seed=0):
    config = CaceConfig(CUTOFF, n_radial=4, n_mixed=4, n_embedding=1, l_max=1, nu_max=2)
    return LESModel(ModelConfig({"Ar": 0.0}, config), seed=seed)


@pytest.mark.slow
def test_open_and_periodic_structures_of_different_size_are_learned_together(samples, tmp_path):
    training, held_back = samples[:20], samples[20:]
    model = small_model()
    before = evaluate(model, held_back).forces_rmse_meV_per_A
    settings = FitSettings(epochs=25, batch_size=4, learning_rate=0.02)
    outcome = fit(model, training, held_back, settings, tmp_path / "fit.checkpoint")
    after = evaluate(outcome.model, held_back).forces_rmse_meV_per_A
    assert after < 0.2 * before


def test_the_best_average_on_the_validation_data_is_kept(samples, tmp_path):
    settings = FitSettings(epochs=12, batch_size=4, learning_rate=0.05, validate_every=1)
    model = small_model()
    outcome = fit(model, samples[:20], samples[20:], settings, tmp_path / "fit.checkpoint")
    best = min(outcome.history, key=lambda record: record.validation_loss)
    assert outcome.best_epoch == best.epoch
    found = evaluate(outcome.model, samples[20:])
    assert found.forces_rmse_meV_per_A == pytest.approx(best.forces_rmse, rel=1e-6)


def test_patience_ends_a_fit_that_no_longer_improves(samples, tmp_path):
    settings = FitSettings(
        epochs=1000, batch_size=20, learning_rate=1e-30, validate_every=1, patience=3
    )
    outcome = fit(small_model(), samples[:20], samples[20:], settings, tmp_path / "c")
    assert len(outcome.history) < 10


def test_an_interrupted_fit_resumes_to_the_same_weights(samples, tmp_path):
    settings = FitSettings(epochs=6, batch_size=4)
    straight = fit(small_model(), samples, [], settings, tmp_path / "straight")

    class Interrupted(Exception):
        pass

    def stop(record):
        if record.epoch == 4:
            raise Interrupted

    with pytest.raises(Interrupted):
        fit(
            small_model(),
            samples,
            [],
            settings,
            tmp_path / "broken",
            seconds_between_checkpoints=0.0,
            on_epoch=stop,
        )
    resumed = fit(small_model(seed=9), samples, [], settings, tmp_path / "broken", resume=True)
    for name, value in straight.model.state_dict().items():
        assert torch.equal(value, resumed.model.state_dict()[name]), name
    assert [r.training_loss for r in straight.history] == [r.training_loss for r in resumed.history]


def test_ctrl_c_keeps_the_last_whole_epoch(samples, tmp_path, monkeypatch):
    settings = FitSettings(epochs=4, batch_size=4)
    straight = fit(small_model(), samples, [], settings, tmp_path / "straight")
    whole_step = _Run._step

    def interrupted(run, sample, progress):
        if progress > 2.5:
            raise KeyboardInterrupt
        return whole_step(run, sample, progress)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(_Run, "_step", interrupted)
        fit(small_model(), samples, [], settings, tmp_path / "stopped")
    assert read_checkpoint(tmp_path / "stopped")[1]["epoch"] == 2
    resumed = fit(small_model(seed=9), samples, [], settings, tmp_path / "stopped", resume=True)
    for name, value in straight.model.state_dict().items():
        assert torch.equal(value, resumed.model.state_dict()[name]), name


def test_a_checkpoint_of_other_settings_is_refused(samples, tmp_path):
    path = tmp_path / "fit.checkpoint"
    fit(small_model(), samples[:4], [], FitSettings(epochs=1), path)
    with pytest.raises(ValueError, match=r"fit.learning_rate was 0.005, is now 1"):
        fit(
            small_model(),
            samples[:4],
            [],
            FitSettings(epochs=1, learning_rate=1),
            path,
            resume=True,
        )


def test_energies_of_atoms_that_differ_by_rounding_are_the_same_model(samples, tmp_path):
    """They are fitted to the data, and threads decide about their last digits."""

    def model(energy):
        return LESModel(replace(small_model().config, atomic_energies={"Ar": energy}), seed=0)

    settings, path = FitSettings(epochs=1), tmp_path / "fit.checkpoint"
    fit(model(-14.1), samples[:4], [], settings, path)
    fit(model(-14.1 - 1e-13), samples[:4], [], settings, path, resume=True)
    with pytest.raises(ValueError, match=r"atomic_energies.Ar was -14.1.*, is now -14.2"):
        fit(model(-14.2), samples[:4], [], settings, path, resume=True)


def test_a_checkpoint_of_an_earlier_version_is_refused(samples, tmp_path, monkeypatch):
    path = tmp_path / "fit.checkpoint"
    with monkeypatch.context() as patch:
        patch.setattr("ase_les.training.learning.checkpoint.FORMAT", "ase_les training 2")
        fit(small_model(), samples[:4], [], FitSettings(epochs=1), path)
    with pytest.raises(ValueError, match=r"format 'ase_les training 2'.*start a new one"):
        fit(small_model(), samples[:4], [], FitSettings(epochs=1), path, resume=True)


def test_damaged_checkpoints_end_in_one_clear_error(samples, tmp_path):
    path = tmp_path / "fit.checkpoint"
    fit(small_model(), samples[:4], [], FitSettings(epochs=1), path)
    sound, chance = path.read_bytes(), random.Random(1)
    for _ in range(200):
        damaged = bytearray(sound)
        place = chance.randrange(len(sound))
        if chance.random() < 0.5:
            damaged[place] ^= 1 << chance.randrange(8)
        else:
            damaged[place : place + 8] = chance.randbytes(8)
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"damaged|has format") as caught:
            read_checkpoint(path)
        assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_a_foreign_file_is_no_checkpoint(samples, tmp_path):
    path = tmp_path / "fit.checkpoint"
    path.write_bytes(b"not a checkpoint at all")
    with pytest.raises(ValueError, match="not a training checkpoint"):
        fit(small_model(), samples, [], FitSettings(epochs=1), path, resume=True)


def test_the_order_of_structures_depends_on_seed_and_epoch_only(samples):
    def order(seed, epoch):
        return [float(b.energy[0]) for (b,) in shuffled_batches(samples, 1, seed, epoch)]

    assert order(1, 3) == order(1, 3)
    assert order(1, 3) != order(1, 4)
    assert sorted(order(1, 3)) == sorted(order(2, 5))


def test_missing_labels_do_not_pull(samples):
    from ase_les.derivatives import differentiate

    model = small_model()
    both = joined(samples[:2])
    n_first = samples[0].graph.n_atoms
    forces = both.forces.clone()
    forces[n_first:] = torch.nan
    partial = both._replace(energy=torch.tensor([float(both.energy[0]), torch.nan]), forces=forces)
    weights = LossWeights(energy=2.0, forces=3.0)
    value = loss(differentiate(model, both.graph), partial, weights)
    alone = loss(differentiate(model, samples[0].graph), samples[0], weights)
    assert value.item() == pytest.approx(alone.item(), rel=1e-5)


def test_a_card_knows_the_largest_force_and_the_closest_contact_of_its_data(samples):
    told = describe_data(samples)
    forces = np.concatenate([s.forces.numpy() for s in samples])
    assert told["largest_force_eV_per_A"] == pytest.approx(
        np.linalg.norm(forces, axis=1).max(), abs=1e-3
    )
    distances = [pdist(s.graph.positions.numpy()).min() for s in samples]
    assert told["closest_contact_A"] == pytest.approx(min(distances), abs=1e-3)


def test_without_force_labels_a_card_sets_no_limit_to_forces(samples):
    blind = [s._replace(forces=torch.full_like(s.forces, torch.nan)) for s in samples]
    assert "largest_force_eV_per_A" not in describe_data(blind)


@pytest.mark.slow
def test_a_killed_command_line_training_ends_with_the_same_model(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write("data.extxyz", [morse_cluster(seed) for seed in range(20)])
    Path("train.yml").write_text(
        "data: {training: data.extxyz, validation: 0.2}\n"
        "model:\n"
        "  representation: {cutoff: 3.5, n_mixed: 4, n_embedding: 1, l_max: 1, nu_max: 2}\n"
        "fit: {epochs: 15, batch_size: 2, validate_every: 2}\n"
    )
    arguments = ["train", "train.yml", "--threads", "1", "--quiet", "-o"]

    def exit_code(*options):
        with pytest.raises(SystemExit) as ended:
            main([*arguments, *options])
        return ended.value.code or 0

    # Checkpoints every epoch instead of every half minute, so that a short run has some.
    script = (
        "import sys, ase_les.training.learning.fit as f; from ase_les.cli import main\n"
        "f.fit.__kwdefaults__['seconds_between_checkpoints'] = 0; main(sys.argv[1:])"
    )
    victim = subprocess.Popen(
        [sys.executable, "-c", script, *arguments, "killed"],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    checkpoint = Path("killed.checkpoint")
    while not checkpoint.exists() or read_checkpoint(checkpoint)[1]["epoch"] < 2:
        assert victim.poll() is None
        time.sleep(0.01)
    victim.send_signal(signal.SIGKILL)
    assert victim.wait() == -signal.SIGKILL, "the run was over before it could be killed"
    assert exit_code("killed") == 2, "an unfinished training was overwritten"
    assert read_checkpoint(checkpoint)[1]["epoch"] < 15
    assert exit_code("killed", "--resume") == 0
    assert exit_code("straight") == 0

    straight, killed = (read_model(Path(f"{name}.safetensors")) for name in ("straight", "killed"))
    for name, value in straight.state_dict().items():
        assert torch.equal(value, killed.state_dict()[name]), name
    assert json.dumps(straight.card["validation_errors"]) == json.dumps(
        killed.card["validation_errors"]
    )


def test_charges_with_a_free_sum_learn_as_free_ones_and_are_shifted_in_the_end(tmp_path):
    frames = [salt_molecule(n_pairs, seed) for seed in range(3) for n_pairs in (1, 2, 3)]
    samples = labeled(frames, CUTOFF, LabelNames())
    graph = joined(samples).graph
    learned = {}
    for rule, free_sum in (("mean", True), ("none", False), ("mean", False)):
        settings = FitSettings(epochs=3, learning_rate=0.02, free_sum=free_sum, dtype="float64")
        checkpoint = tmp_path / f"{rule}-{free_sum}.checkpoint"
        learned[rule, free_sum] = fit(charged_model(rule), samples, [], settings, checkpoint).model
    free, alike, shifted = (learned[key].state_dict() for key in learned)
    assert all(torch.equal(free[name], alike[name]) for name in alike)
    assert not all(torch.equal(free[name], shifted[name]) for name in shifted)
    totals = {
        key: sum_per_structure(model(graph).charges, graph).abs().max()
        for key, model in learned.items()
    }
    assert totals["mean", True] < 1e-12 < 1e-3 < totals["none", False]


@pytest.mark.slow
def test_the_weight_of_the_excess_teaches_free_sums_the_total_charge(tmp_path):
    frames = [salt_molecule(n_pairs, seed) for seed in range(3) for n_pairs in (1, 2, 3)]
    samples = labeled(frames, CUTOFF, LabelNames())
    graph = joined(samples).graph

    def largest_excess(weight):
        weights = LossWeights(excess=weight)
        settings = FitSettings(
            epochs=40, learning_rate=0.02, dtype="float64", loss=weights, final_loss=weights
        )
        checkpoint = tmp_path / f"{weight}.checkpoint"
        model = fit(charged_model("none"), samples, [], settings, checkpoint).model
        return float(sum_per_structure(model(graph).charges, graph).detach().abs().max())

    # Energies alone teach little of it: the short-range energy makes up for what is missing.
    assert largest_excess(1.0) < 0.2 * largest_excess(0.0)


def test_sums_that_cannot_be_wrong_have_no_excess(samples, tmp_path):
    settings = FitSettings(final_loss=LossWeights(excess=1.0))
    for model in (small_model(), charged_model("mean")):
        with pytest.raises(ValueError, match="excess"):
            fit(model, samples, [], settings, tmp_path / "fit.checkpoint")


def test_a_sum_that_is_not_shifted_cannot_be_set_free(samples, tmp_path):
    with pytest.raises(ValueError, match="free_sum"):
        fit(small_model(), samples, [], FitSettings(free_sum=True), tmp_path / "fit.checkpoint")


def salt_molecule(n_pairs, seed):
    """A chain of ions."""
    rng = np.random.default_rng([n_pairs, seed])
    positions = np.zeros((2 * n_pairs, 3))
    positions[:, 0] = 2.4 * np.arange(2 * n_pairs)
    positions += rng.normal(0, 0.15, positions.shape)
    atoms = Atoms("NaCl" * n_pairs, positions)
    atoms.calc = RigidIons({"Na": 0.5, "Cl": -0.5}, {"Na-Cl": (500.0, 0.35)})
    atoms.info["REF_energy"] = atoms.get_potential_energy()
    atoms.arrays["REF_forces"] = atoms.get_forces()
    atoms.calc = None
    return atoms


def charged_model(rule):
    config = CaceConfig(CUTOFF, n_radial=4, n_mixed=4, n_embedding=2, l_max=1, nu_max=2)
    long_range = LongRangeConfig(charges=ChargesConfig(neutrality=rule))
    zero = {"Na": 0.0, "Cl": 0.0}
    return LESModel(ModelConfig(zero, config, long_range=long_range), seed=0)

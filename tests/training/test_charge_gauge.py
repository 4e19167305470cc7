"""The charge gauge: mean charges of elements follow their isotropic Born charges."""

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import bulk, molecule

from ase_les.charges import ChargesConfig
from ase_les.electrostatics import EquilibrationConfig
from ase_les.model import LESModel, LongRangeConfig, ModelConfig
from ase_les.representation import CaceConfig
from ase_les.response import born_charges, local_born_charges
from ase_les.training.engines.rigid_ions import RigidIons
from ase_les.training.learning.charge_gauge import ChargeGauge, GaugeSettings
from ase_les.training.learning.dataset import LabelNames, labeled
from ase_les.training.learning.evaluation import evaluate
from ase_les.training.learning.fit import fit
from ase_les.training.learning.fit_settings import FitSettings

CUTOFF = 4.0


def crystal(seed, repeat=(1, 1, 1)):
    """Rock salt in thermal motion, labeled by rigid ions of 0.7 e."""
    atoms = bulk("NaCl", "rocksalt", a=5.64, cubic=True) * repeat
    atoms.rattle(0.15, seed=seed)
    atoms.calc = RigidIons({"Na": 0.7, "Cl": -0.7}, {"Na-Cl": (1256.0, 0.317)})
    atoms.info["REF_energy"] = atoms.get_potential_energy()
    atoms.arrays["REF_forces"] = atoms.get_forces()
    atoms.calc = None
    return atoms


def salt_model(neutrality="mean", seed=0, **charges):
    config = CaceConfig(CUTOFF, n_radial=4, n_mixed=4, n_embedding=2, l_max=1, nu_max=2)
    charges = ChargesConfig(neutrality=neutrality, **charges)
    return LESModel(
        ModelConfig({"Na": 0.0, "Cl": 0.0}, config, long_range=LongRangeConfig(charges)), seed=seed
    ).double()


@pytest.fixture(scope="module")
def samples():
    return labeled([crystal(seed) for seed in range(6)], CUTOFF, LabelNames())


def differences(model, samples):
    """Mean of q - tr Z*/3 by element, from the definition."""
    numbers, found = [], []
    for sample in samples:
        charges, tensors = born_charges(model, sample.graph)
        numbers.append(sample.graph.numbers)
        found.append(charges.detach() - tensors.detach().diagonal(dim1=1, dim2=2).mean(1))
    numbers, found = torch.cat(numbers), torch.cat(found)
    return {int(z): float(found[numbers == z].mean()) for z in numbers.unique()}


@pytest.mark.slow
def test_a_training_keeps_on_the_ions_what_they_carry(samples, tmp_path):
    """Without the term the same training takes most of the charge off the ions."""
    found, errors = {}, {}
    for weight in (0.0, 0.3):
        model = salt_model("split", formal_charges={"Na": 0.5, "Cl": -0.5})
        settings = FitSettings(
            epochs=60,
            batch_size=1,
            learning_rate=0.01,
            average_decay=0.95,
            gauge=GaugeSettings(weight, weight, interval=3, memory=0.5),
        )
        done = fit(model, samples, [], settings, tmp_path / f"{weight}.checkpoint")
        trained = done.model.double()
        found[weight] = max(map(abs, differences(trained, samples).values()))
        errors[weight] = evaluate(trained, samples).forces_rmse_meV_per_A
        carried = born_charges(trained, samples[0].graph)[1].diagonal(dim1=1, dim2=2).mean(1)
    assert found[0.3] < 0.06
    assert found[0.0] > 0.2
    # The Born charges do not collapse: forces determine them.
    assert carried.abs().mean() > 0.3
    assert errors[0.3] < errors[0.0]


@pytest.mark.parametrize("ratio", [1.0, 0.8])
def test_the_gradient_is_that_of_the_charges_with_born_charges_held(samples, ratio):
    """Against finite differences of the term with frozen Born charges, weight by weight."""
    model, graph = salt_model("split", scale=1.0), samples[0].graph
    settings = GaugeSettings(2.0, 2.0, interval=1, memory=0.0, born_ratio=ratio)
    gauge = ChargeGauge(settings, model)
    carried = ratio * born_charges(model, graph)[1].detach().diagonal(dim1=1, dim2=2).mean(1)

    def term():
        difference = model(graph).charges[:, 0] - carried
        means = [difference[graph.numbers == z].mean() for z in graph.numbers.unique()]
        return 2.0 * sum(mean**2 for mean in means) / len(means)

    weight = model.long_range.charges.readout.linear.weight
    value = gauge.loss(model(graph).charges, graph, step=0, fraction=0.0)
    assert float(value.detach()) == pytest.approx(float(term().detach()), rel=1e-12)
    (gradient,) = torch.autograd.grad(value, weight)
    (expected,) = torch.autograd.grad(term(), weight)
    assert expected.abs().max() > 1e-6
    torch.testing.assert_close(gradient, expected, rtol=1e-9, atol=1e-14)


def test_two_ions_weigh_as_much_as_many_molecules():
    """The same difference per element gives the same term, whatever the numbers of atoms are."""
    atoms = molecule("H2O")
    atoms.set_cell(np.eye(3) * 12.0)
    atoms.pbc = True
    atoms.info["REF_energy"] = 0.0
    config = CaceConfig(CUTOFF, n_radial=4, n_mixed=4, n_embedding=2, l_max=1, nu_max=2)
    model = LESModel(
        ModelConfig({"H": 0.0, "O": 0.0, "Na": 0.0, "Cl": 0.0}, config), seed=0
    ).double()
    gauge = ChargeGauge(GaugeSettings(1.0, 1.0, interval=1000), model)
    gauge.difference[[11, 17]] = 0.5
    gauge.difference[[1, 8]] = 0.0
    values = []
    for count in (1, 8):
        water = atoms * (count, 1, 1)
        water += Atoms("NaCl", [[3.0, 6.0, 6.0], [9.0, 6.0, 6.0]])
        water.info["REF_energy"] = 0.0
        (sample,) = labeled([water], CUTOFF, LabelNames())
        charges = model(sample.graph).charges
        values.append(float(gauge.loss(charges, sample.graph, step=1, fraction=0.0).detach()))
    assert values[0] == pytest.approx(0.5 * 0.25, rel=1e-12)
    assert values[1] == pytest.approx(values[0], rel=1e-12)


def test_charges_of_molecules_can_be_drawn_to_those_of_polar_bonds():
    """Hydrogen fluoride: one bond, 0.4 e per Pauling unit, so 0.4 (3.98 - 2.20) e."""
    atoms = Atoms("HF", [[0, 0, 0], [0, 0, 0.92]])
    atoms.info["REF_energy"] = 0.0
    (sample,) = labeled([atoms], CUTOFF, LabelNames())
    config = CaceConfig(CUTOFF, n_radial=4, n_mixed=4, n_embedding=2, l_max=1, nu_max=2)
    model = LESModel(ModelConfig({"H": 0.0, "F": 0.0}, config), seed=0)
    gauge = ChargeGauge(GaugeSettings(3.0, 3.0, bond_polarity=0.4), model)
    moved = 0.4 * (3.98 - 2.20)
    charges = torch.tensor([[moved], [-moved]], dtype=torch.float64)
    assert gauge.loss(charges, sample.graph, 0, 0.0).item() == pytest.approx(0.0, abs=1e-12)
    assert gauge.loss(charges + 0.1, sample.graph, 0, 0.0).item() == pytest.approx(3 * 0.01)


def test_an_interrupted_training_resumes_with_the_running_means(samples, tmp_path):
    settings = FitSettings(epochs=4, batch_size=1, gauge=GaugeSettings(1.0, 0.1, interval=4))
    straight = fit(salt_model(scale=1.0), samples, [], settings, tmp_path / "straight")

    class Interrupted(Exception):
        pass

    def stop(record):
        if record.epoch == 3:
            raise Interrupted

    with pytest.raises(Interrupted):
        fit(salt_model(scale=1.0), samples, [], settings, tmp_path / "broken", on_epoch=stop)
    other = salt_model(seed=5, scale=1.0)
    resumed = fit(other, samples, [], settings, tmp_path / "broken", resume=True)
    for name, value in straight.model.state_dict().items():
        assert torch.equal(value, resumed.model.state_dict()[name]), name


def test_atoms_that_share_electrons_are_left_alone():
    atoms = bulk("NaCl", "rocksalt", a=5.64, cubic=True)
    atoms.rattle(0.1, seed=3)
    atoms.info["REF_energy"] = 0.0
    (sample,) = labeled([atoms], CUTOFF, LabelNames())
    config = CaceConfig(CUTOFF, n_radial=4, n_mixed=4, n_embedding=2, l_max=1, nu_max=2)
    part = LongRangeConfig(
        ChargesConfig(scale=1.0), equilibration=EquilibrationConfig(elements=("Na",))
    )
    model = LESModel(ModelConfig({"Na": 0.0, "Cl": 0.0}, config, long_range=part), seed=0).double()
    gauge = ChargeGauge(GaugeSettings(1.0, 1.0), model)
    charges = model(sample.graph).charges
    assert gauge.loss(charges, sample.graph, 0, 0.0).item() > 0
    local, tensors = local_born_charges(model, sample.graph)
    chlorine = sample.graph.numbers == 17
    expected = (local - tensors.diagonal(dim1=1, dim2=2).mean(1))[chlorine].mean()
    assert float(gauge.difference[17]) == pytest.approx(expected.item(), rel=1e-10)
    assert gauge.difference[11].isnan()


@pytest.mark.parametrize(
    ("part", "model"),
    [
        ("no charges", {"long_range": None}),
        ("several", {"long_range": LongRangeConfig(ChargesConfig(n_channels=2))}),
    ],
)
def test_models_without_charges_in_the_sense_of_charge_have_no_gauge(samples, part, model):
    config = CaceConfig(CUTOFF, n_radial=4, n_mixed=4, n_embedding=2, l_max=1, nu_max=2)
    model = LESModel(ModelConfig({"Na": 0.0, "Cl": 0.0}, config, **model), seed=0)
    gauge = ChargeGauge(GaugeSettings(1.0, 1.0), model)
    charges = model(samples[0].graph).charges
    assert gauge.loss(charges, samples[0].graph, 0, 0.0).item() == 0.0
    assert gauge.difference.isnan().all()


def test_the_weight_changes_geometrically():
    settings = GaugeSettings(weight=0.04, final_weight=0.01)
    assert settings.weight_at(0.0) == pytest.approx(0.04)
    assert settings.weight_at(0.5) == pytest.approx(0.02)
    assert settings.weight_at(1.0) == pytest.approx(0.01)


@pytest.mark.parametrize(
    "wrong", [{"weight": -1.0}, {"interval": 0}, {"memory": 1.0}, {"bond_polarity": -0.1}]
)
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        GaugeSettings(**wrong)

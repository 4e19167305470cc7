"""The model in torch-sim, against the calculator and against torch-sim's own validation."""

import numpy as np
import pytest
import torch
from ase.build import bulk, fcc111, molecule
from ase.md.verlet import VelocityVerlet

from ase_les import LESCalculator, LESModel
from ase_les.model import LongRangeConfig, ModelConfig, ShortRangeConfig
from ase_les.representation import CaceConfig

ts = pytest.importorskip("torch_sim", reason="needs the extra [torch-sim]")
from torch_sim.models.interface import validate_model_outputs  # noqa: E402
from torch_sim.models.lennard_jones import LennardJonesModel  # noqa: E402

from ase_les.interop.torch_sim import LESTorchSimModel  # noqa: E402

CPU = torch.device("cpu")
# Molecules and crystals here are far from the data of the models.
pytestmark = pytest.mark.filterwarnings("ignore:.*results are an extrapolation:UserWarning")


def salts():
    crystals = []
    for seed, size in ((1, (1, 1, 1)), (2, (2, 1, 1)), (3, (1, 1, 1))):
        atoms = bulk("NaCl", "rocksalt", a=5.7, cubic=True).repeat(size)
        tilt = np.array([[0, 0, 0], [0.3, 0, 0], [-0.2, 0.25, 0]])
        atoms.set_cell(atoms.cell.array + 0.1 * seed * tilt, scale_atoms=True)
        atoms.rattle(0.1, seed=seed)
        crystals.append(atoms)
    return crystals


def state_of(structures):
    return ts.io.atoms_to_state(structures, CPU, torch.float64)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_their_validation_passes(dtype):
    config = ModelConfig(
        atomic_energies={"Si": -1.0, "Fe": -2.0},
        representation=CaceConfig(cutoff=4.0, n_radial=4, n_mixed=3, n_embedding=2),
        short_range=ShortRangeConfig(),
        long_range=LongRangeConfig(),
    )
    model = LESTorchSimModel(LESModel(config, seed=1), dtype=dtype)
    validate_model_outputs(model, CPU, getattr(torch, dtype))


def test_results_are_those_of_the_calculator():
    structures = salts()
    found = LESTorchSimModel("nacl")(state_of(structures))
    first = 0
    for index, atoms in enumerate(structures):
        atoms.calc = LESCalculator("nacl", dtype="float64")
        own = slice(first, first := first + len(atoms))
        assert found["energy"][index] == pytest.approx(atoms.get_potential_energy(), abs=1e-9)
        np.testing.assert_allclose(found["forces"][own], atoms.get_forces(), atol=1e-9)
        stress = atoms.get_stress(voigt=False)
        np.testing.assert_allclose(found["stress"][index], stress, atol=1e-10)
        np.testing.assert_allclose(found["charges"][own], atoms.get_charges(), atol=1e-10)
        assert np.abs(stress).max() > 1e-4


def test_the_sign_of_the_stress_is_theirs():
    atoms = bulk("Ar", "fcc", a=4.0, cubic=True)
    lj = LennardJonesModel(sigma=3.4, epsilon=0.01, cutoff=6.0, compute_stress=True)
    # A compressed crystal.
    assert lj(state_of([atoms]))["stress"][0, 0, 0] < 0
    salt = bulk("NaCl", "rocksalt", a=5.0, cubic=True)
    assert LESTorchSimModel("nacl")(state_of([salt]))["stress"][0, 0, 0] < 0


def test_a_batch_after_another_finds_its_own_neighbors():
    model = LESTorchSimModel("nacl")
    first, second, third = salts()
    expected = [LESTorchSimModel("nacl")(state_of([each]))["energy"] for each in salts()]
    for structures in ([first, second], [third], [second, third, first]):
        order = [[first, second, third].index(each) for each in structures]
        found = model(state_of(structures))["energy"]
        np.testing.assert_allclose(found, torch.cat([expected[i] for i in order]), atol=1e-9)


def test_nve_of_torch_sim_is_that_of_ase():
    structures = salts()
    model = LESTorchSimModel("nacl")
    start, step = ts.integrators.nve(
        model, dt=torch.tensor(0.1, dtype=torch.float64), kT=torch.tensor(0.0)
    )
    state = start(state_of(structures))
    state.momenta = torch.zeros_like(state.momenta)
    for _ in range(20):
        state = step(state)
    first = 0
    for atoms in structures:
        atoms.calc = LESCalculator("nacl", dtype="float64")
        # Its integrators take time in the units of ASE, and wrap the atoms.
        VelocityVerlet(atoms, 0.1).run(20)
        own = slice(first, first := first + len(atoms))
        moved = np.linalg.solve(atoms.cell.T, (state.positions[own].numpy() - atoms.positions).T)
        np.testing.assert_allclose(moved, moved.round(), atol=1e-9)
        assert np.abs(atoms.get_velocities()).max() > 1e-3


def test_open_systems_and_slabs():
    water = molecule("H2O")
    found = LESTorchSimModel("water-rpbe-d3")(state_of([water]))
    water.calc = LESCalculator("water-rpbe-d3", dtype="float64")
    assert found["energy"][0] == pytest.approx(water.get_potential_energy(), abs=1e-9)
    assert not found["stress"].any()
    water.center(5)
    with pytest.raises(ValueError, match="open_systems=True"):
        LESTorchSimModel("water-rpbe-d3")(state_of([water]))
    boxed = LESTorchSimModel("water-rpbe-d3", open_systems=True)(state_of([water]))
    assert boxed["energy"][0] == pytest.approx(float(found["energy"][0]), abs=1e-9)


def test_a_slab_is_a_slab_or_refused():
    slab = bulk("NaCl", "rocksalt", a=5.7, cubic=True)
    slab.center(6, axis=2)
    slab.pbc = (True, True, False)
    state = state_of([slab])
    model = LESTorchSimModel("nacl")
    if not torch.as_tensor(state.pbc).any():
        with pytest.raises(ValueError, match="as slabs do"):
            model(state)
        state.pbc = torch.tensor([True, True, False])
    slab.calc = LESCalculator("nacl", dtype="float64")
    found = model(state)
    assert found["energy"][0] == pytest.approx(slab.get_potential_energy(), abs=1e-9)
    np.testing.assert_allclose(found["stress"][0], slab.get_stress(voigt=False), atol=1e-10)


def test_other_elements_and_collisions_are_refused():
    with pytest.raises(ValueError, match="the model covers Na, Cl"):
        LESTorchSimModel("nacl")(state_of([fcc111("Cu", (1, 1, 2), vacuum=5, periodic=True)]))
    atoms = salts()[0]
    atoms.positions[1] = atoms.positions[0] + 0.1
    with pytest.raises(ValueError, match=r"atoms 0 and 1 of the batch are 0\.173 Å apart"):
        LESTorchSimModel("nacl")(state_of([atoms]))

"""Equal structures give equal digits, whatever was computed before and by whom."""

from __future__ import annotations

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, fcc111, molecule

from ase_les import LESCalculator

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

PROPERTIES = ("energy", "forces", "stress", "energies", "charges", "born_effective_charges")


@pytest.fixture(scope="module")
def model(random_model):
    return random_model(charges={"neutrality": "split"})


def displaced(atoms: Atoms, by: float, seed: int) -> Atoms:
    moved = atoms.copy()
    moved.rattle(by, seed=seed)
    return moved


def strained(atoms: Atoms, by: float) -> Atoms:
    other = atoms.copy()
    other.set_cell((1 + by) * atoms.cell.array, scale_atoms=True)
    return other


@pytest.fixture(scope="module")
def structures() -> list[Atoms]:
    """Small and large, with every kind of boundary, moved within the skin and beyond, strained."""
    crystal = bulk("NaO", "rocksalt", a=5.0, cubic=True)
    crystal.rattle(0.1, seed=1)
    slab = fcc111("Na", (2, 2, 3), a=6.0, vacuum=3.0)
    slab.pbc = (True, True, False)
    slab.numbers[::2] = 8
    # Large enough for the mesh.
    large = crystal.repeat((4, 4, 4))
    large.rattle(0.05, seed=2)
    water = molecule("H2O")
    every = [crystal, slab, large, water, crystal[::-1]]
    every += [displaced(atoms, by, 3) for atoms in (crystal, slab, large) for by in (0.02, 0.3)]
    every += [strained(atoms, by) for atoms in (crystal, slab, large) for by in (0.003, 0.06)]
    return every


def results_of(calculator: LESCalculator, atoms: Atoms, name: str):
    if name == "potential":
        return np.concatenate([v.ravel() for v in calculator.get_potential_and_field(atoms)])
    return calculator.get_property(name, atoms)


def asked(rng, structures) -> tuple[int, str]:
    index = int(rng.integers(len(structures)))
    atoms = structures[index]
    name = str(rng.choice([*PROPERTIES, "potential"]))
    if name == "stress" and not atoms.pbc.any():
        name = "forces"
    # Dear for the large structures, and they ask for no sum.
    if name in ("born_effective_charges", "potential") and len(atoms) > 100:
        name = "forces"
    return index, name


@pytest.fixture(scope="module")
def fresh(model, structures):
    """Results of calculators that have seen nothing else, computed on demand."""
    known: dict[tuple[int, str, str], np.ndarray] = {}

    def result(index: int, name: str, dtype: str):
        key = index, name, dtype
        if key not in known:
            known[key] = results_of(LESCalculator(model, dtype=dtype), structures[index], name)
        return known[key]

    return result


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("seed", range(4))
def test_the_same_structure_gives_the_same_digits_whatever_came_before(
    model, structures, fresh, dtype, seed
):
    rng = np.random.default_rng(seed)
    calculator = LESCalculator(model, dtype=dtype)
    for _ in range(25):
        index, name = asked(rng, structures)
        found = results_of(calculator, structures[index], name)
        expected = fresh(index, name, dtype)
        assert np.array_equal(found, expected), (index, name, np.abs(found - expected).max())
        if rng.random() < 0.1:
            calculator.reset()


def test_a_long_walk_ends_where_a_single_step_does(model):
    """Neighbor list and mesh are reused all along, with a cell that breathes."""
    rng = np.random.default_rng(0)
    atoms = bulk("NaO", "rocksalt", a=5.0, cubic=True).repeat(3)
    calculator = LESCalculator(model)
    for step in range(30):
        atoms.positions += rng.normal(0, 0.01, atoms.positions.shape)
        atoms.set_cell((1 + 0.01 * rng.normal()) * atoms.cell.array, scale_atoms=True)
        forces = calculator.get_property("forces", atoms)
        if step % 10 == 9:
            assert np.array_equal(forces, LESCalculator(model).get_property("forces", atoms))


def test_interleaved_calculators_do_not_see_each_other(model, structures, fresh):
    rng = np.random.default_rng(5)
    calculators = [LESCalculator(model, dtype="float64") for _ in range(3)]
    for step in range(30):
        index, name = asked(rng, structures)
        found = results_of(calculators[step % 3], structures[index], name)
        assert np.array_equal(found, fresh(index, name, "float64"))


@pytest.mark.slow
def test_threads_share_a_calculator(model, structures, fresh):
    calculator = LESCalculator(model, dtype="float64")
    small = [index for index, atoms in enumerate(structures) if len(atoms) < 100]
    work = [(small[i % len(small)], ("forces", "energy", "charges")[i % 3]) for i in range(400)]
    for index, name in set(work):
        fresh(index, name, "float64")

    def right(task: tuple[int, str]) -> bool:
        index, name = task
        atoms = structures[index].copy()
        atoms.calc = calculator
        found = {
            "forces": atoms.get_forces,
            "energy": atoms.get_potential_energy,
            "charges": atoms.get_charges,
        }[name]()
        return np.array_equal(found, fresh(index, name, "float64"))

    with ThreadPoolExecutor(4) as threads:
        wrong = [task for task, ok in zip(work, threads.map(right, work), strict=True) if not ok]
    assert not wrong, f"{len(wrong)} of {len(work)} are wrong"


@pytest.mark.slow
def test_threads_with_a_calculator_each_do_not_see_each_other(model, structures, fresh):
    small = [index for index, atoms in enumerate(structures) if len(atoms) < 100]
    for index in small:
        fresh(index, "forces", "float64")

    def currents(seed: int) -> bool:
        calculator = LESCalculator(model, dtype="float64")
        atoms = structures[0].copy()
        atoms.set_velocities(np.random.default_rng(seed).normal(size=(len(atoms), 3)))
        expected = calculator.get_current(atoms)
        return all(
            np.array_equal(calculator.get_current(atoms), expected)
            and np.array_equal(
                calculator.get_property("forces", structures[index]),
                fresh(index, "forces", "float64"),
            )
            for index in small
        )

    with ThreadPoolExecutor(4) as threads:
        assert all(threads.map(currents, range(8)))


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda c: pickle.loads(pickle.dumps(c))])
def test_a_copy_of_a_calculator_works_as_the_original(model, structures, duplicate):
    calculator = LESCalculator(model)
    forces = calculator.get_property("forces", structures[0])
    twin = duplicate(calculator)
    assert np.array_equal(
        twin.get_property("forces", structures[1]),
        LESCalculator(model).get_property("forces", structures[1]),
    )
    assert np.array_equal(twin.get_property("forces", structures[0]), forces)

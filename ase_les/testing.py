r"""The contract: what every model must obey, whatever its weights.

In a test of your own::

    from ase_les.testing import check_model

    def test_my_model_obeys_the_laws_of_physics():
        print(check_model(my_model))

Each law is one function; it returns what it measured and raises ``AssertionError`` if
that is more than the law allows. ``check_model`` runs them all.

Exact laws are held to the round-off of float64. Where forces exceed 1 eV/Å, tolerances grow
in proportion to the largest force, because round-off and finite differences do.
"""

from __future__ import annotations

import copy
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from ase import Atoms
from ase.data import chemical_symbols, covalent_radii
from ase.geometry import get_distances
from ase.stress import voigt_6_to_full_3x3_strain, voigt_6_to_full_3x3_stress
from scipy.stats import special_ortho_group
from torch import Tensor

from ase_les.calculator import LESCalculator
from ase_les.derivatives import differentiate
from ase_les.graph import Graph, batch, graph_from_atoms, total_charge_of
from ase_les.model import LESModel
from ase_les.neighbors import NeighborList

UNITS = {"energy": "eV", "forces": "eV/Å", "stress": "eV/Å³", "charges": "e"}

# What float64 leaves of an exact law, and float32 of a number.
ROUND_OFF = {"energy": 1e-8, "forces": 1e-8, "stress": 1e-8, "charges": 1e-9}
ANALYTIC = {"energy": 1e-9, "forces": 1e-9, "stress": 1e-9, "charges": 1e-9}
NUMERICAL_FORCES = {"forces": 1e-6}
NUMERICAL_STRESS = {"stress": 1e-6}
SINGLE_PRECISION = {"energy": 1e-3, "forces": 1e-3, "stress": 1e-3, "charges": 1e-4}

# Steps of finite differences. Strain is small enough that no wave vector is likely to cross the
# cutoff of a model whose sum is not converged; there the energy has steps and no derivative.
_DISPLACEMENT = 1e-4
_STRAIN = 1e-5

# Central difference of fourth order: offsets in steps, and weights.
_STENCIL = ((-2, 1 / 12), (-1, -2 / 3), (1, 2 / 3), (2, -1 / 12))

# Other lattice vectors of the same crystal: reordered (left- and right-handed), reversed, sheared.
_LATTICE_DESCRIPTIONS = (
    [[0, 1, 0], [1, 0, 0], [0, 0, 1]],
    [[0, 1, 0], [0, 0, 1], [1, 0, 0]],
    [[1, 0, 0], [0, -1, 0], [0, 0, 1]],
    [[1, 0, 0], [1, 1, 0], [0, -1, 1]],
)

# Atoms per structure whose forces are differentiated numerically.
_MOST_ATOMS = 10


class Finding(NamedTuple):
    """How far a law was from holding, and how far it may be, in ``unit``."""

    law: str
    quantity: str
    deviation: float
    tolerance: float
    unit: str


class Report(NamedTuple):
    """All findings about a model; ``print`` shows them as a table."""

    findings: tuple[Finding, ...]

    def __str__(self) -> str:
        width = max(len(finding.law) for finding in self.findings)
        lines = [f"{'law':{width}}  {'quantity':8}  {'deviation':>9}  {'allowed':>9}  unit"]
        for law, quantity, deviation, tolerance, unit in self.findings:
            lines.append(f"{law:{width}}  {quantity:8}  {deviation:9.1e}  {tolerance:9.1e}  {unit}")
        return "\n".join(lines)

    def deviation(self, law: str, quantity: str) -> float:
        """The deviation found for a law and a quantity."""
        return next(f.deviation for f in self.findings if f[:2] == (law, quantity))


def check_model(
    model: LESModel, atoms_list: Sequence[Atoms] | None = None, *, seed: int = 0
) -> Report:
    """Run every check on a model.

    Parameters
    ----------
    model : LESModel
        Left as it is; the checks run on a float64 copy.
    atoms_list : sequence of ase.Atoms or None
        Structures to check on, of elements and total charges the model covers;
        None for those of `example_structures`.
    seed : int
        Seed of the rotations, translations and permutations.

    Returns
    -------
    Report
        Every law that applies to the structures, with what was measured.

    Raises
    ------
    AssertionError
        If a law is broken; the message names the law, the deviation and what is
        allowed.
    ValueError
        If the model does not cover a structure.
    """
    if atoms_list is None:
        atoms_list = example_structures(model)
    for atoms in atoms_list:
        model.check_coverage(atoms.numbers, total_charge_of(atoms))
    findings: list[Finding] = []
    for number, check in enumerate(CHECKS):
        findings += check(model, atoms_list, np.random.default_rng([seed, number]))
    return Report(tuple(findings))


def check_calculator(
    model: LESModel, device: str = "cpu", atoms_list: Sequence[Atoms] | None = None
) -> Report:
    """What calculators on a device say, in both precisions, is what the plain definition says.

    Parameters
    ----------
    model : LESModel
    device : str
        As torch names it.
    atoms_list : sequence of ase.Atoms or None
        As in `check_model`.

    Raises
    ------
    AssertionError
        If it is not; the message names precision, deviation and what is allowed.
    """
    if atoms_list is None:
        atoms_list = example_structures(model)
    plain = _float64(model)
    findings = []
    for dtype, tolerances in (("float64", ANALYTIC), ("float32", SINGLE_PRECISION)):
        calculator = LESCalculator(model, device, dtype, accuracy=None)
        for atoms in atoms_list:
            said, expected = _said(calculator, atoms), _answer(plain, atoms)
            if said.charges is None:
                # Several charges per atom are none of ASE's.
                expected = expected._replace(charges=None)
            findings += _compare(f"{dtype} on {device}", said, expected, tolerances)
    return Report(tuple(_worst(findings)))


def check_rotation(model, atoms_list, rng) -> list[Finding]:
    """Energy and charges ignore the orientation in space; forces and stress follow it."""
    return _check_rotations("rotation", model, atoms_list, rng, mirror=1.0)


def check_reflection(model, atoms_list, rng) -> list[Finding]:
    """A structure and its mirror image have one energy."""
    return _check_rotations("reflection", model, atoms_list, rng, mirror=-1.0)


def check_translation(model, atoms_list, rng) -> list[Finding]:
    """Nothing depends on where the structure is."""
    return _check_equal_answers(
        "translation", model, atoms_list, lambda atoms: _moved(atoms, rng.uniform(-9, 9, 3))
    )


def check_lattice_translation(model, atoms_list, rng) -> list[Finding]:
    """Nothing depends on which periodic image of an atom is given."""

    def wrapped(atoms: Atoms) -> Atoms:
        cells = rng.integers(-2, 3, (len(atoms), 3)) * atoms.pbc
        return _moved(atoms, cells @ atoms.cell.array)

    return _check_equal_answers("lattice translation", model, _repeating(atoms_list), wrapped)


def check_lattice_description(model, atoms_list, rng) -> list[Finding]:
    """Nothing depends on which vectors describe the lattice: reordered, reversed, sheared."""

    findings = []
    for combination in map(np.array, _LATTICE_DESCRIPTIONS):
        sheared = np.count_nonzero(combination) > 3
        structures = [atoms for atoms in _repeating(atoms_list) if atoms.pbc.all() or not sheared]
        findings += _check_equal_answers(
            "lattice description",
            model,
            structures,
            lambda atoms, combination=combination: _with_lattice(atoms, combination),
        )
    return _worst(findings)


def check_permutation(model, atoms_list, rng) -> list[Finding]:
    """Atoms of one element are interchangeable: order does not matter."""
    model = _float64(model)
    findings = []
    for atoms in atoms_list:
        order = rng.permutation(len(atoms))
        expected = _answer(model, atoms)
        expected = expected._replace(forces=expected.forces[order], charges=expected.charges[order])
        findings += _compare("permutation", _answer(model, atoms[order]), expected, ROUND_OFF)
    return _worst(findings)


def check_batch(model, atoms_list, rng) -> list[Finding]:
    """Structures side by side do not see each other."""
    model = _float64(model)
    graph = batch([_graph(model, atoms) for atoms in atoms_list])
    together = differentiate(model, graph)
    stress = None
    if any(_has_stress(atoms) for atoms in atoms_list):
        stress = differentiate(model, graph, stress=True).stress
    findings = []
    for index, atoms in enumerate(atoms_list):
        mine = graph.structure == index
        got = Answer(
            energy=together.prediction.energy[index].detach(),
            forces=together.forces[mine],
            stress=stress[index] if _has_stress(atoms) else None,
            charges=together.prediction.charges[mine].detach(),
        )
        findings += _compare("batch = single", got, _answer(model, atoms), ROUND_OFF)
    return _worst(findings)


def check_input_unchanged(model, atoms_list, rng) -> list[Finding]:
    """Asking for the energy changes neither the question nor the model."""
    weights = {name: value.clone() for name, value in model.state_dict().items()}
    for atoms in atoms_list:
        given, graph = atoms.copy(), _graph(model, atoms)
        fields = [field.clone() for field in graph]
        differentiate(model, graph, stress=_has_stress(atoms), energies=True)
        same = given == atoms and given.info == atoms.info
        assert same, f"input unchanged: evaluating {atoms} changed the Atoms"
        for name, field, before in zip(graph._fields, graph, fields, strict=True):
            assert torch.equal(field, before), f"input unchanged: `{name}` of the graph changed"
    for name, value in model.state_dict().items():
        assert torch.equal(value, weights[name]), f"input unchanged: weight {name} changed"
    return [Finding("input unchanged", "all", 0.0, 0.0, "")]


def check_forces(model, atoms_list, rng) -> list[Finding]:
    """Forces are minus the derivative of the energy with respect to positions."""
    model = _float64(model)
    findings = []
    for atoms in atoms_list:
        expected = _answer(model, atoms)
        few = rng.permutation(len(atoms))[:_MOST_ATOMS]
        numerical = torch.tensor(np.array([_numerical_force(model, atoms, i) for i in few]))
        findings += _compare(
            "forces = -dE/dr",
            expected._replace(forces=expected.forces[few]),
            expected._replace(forces=numerical),
            NUMERICAL_FORCES,
        )
    return _worst(findings)


def check_stress(model, atoms_list, rng) -> list[Finding]:
    """The stress is the derivative of the energy with respect to strain, a slab's in its plane."""
    model = _float64(model)
    findings = []
    for atoms in atoms_list:
        if _has_stress(atoms):
            expected = _answer(model, atoms)
            numerical = torch.tensor(_numerical_stress(model, atoms))
            findings += _compare(
                "stress = dE/dstrain / V",
                expected,
                expected._replace(stress=numerical),
                NUMERICAL_STRESS,
            )
    return _worst(findings)


def check_atomic_energies(model, atoms_list, rng) -> list[Finding]:
    """The shares of the atoms sum to the energy."""
    model = _float64(model)
    findings = []
    for atoms in atoms_list:
        result = differentiate(model, _graph(model, atoms), energies=True)
        total = result.prediction.energy.detach()
        findings += _compare(
            "sum of atomic energies",
            Answer(result.energies.detach().sum(), result.forces, None, None),
            Answer(total.squeeze(0), result.forces, None, None),
            {"energy": ROUND_OFF["energy"]},
        )
    return _worst(findings)


def check_analytic_gradients(model, atoms_list, rng) -> list[Finding]:
    """Gradients written out by hand are those of automatic differentiation."""
    fast = model.for_inference(dtype="float64")
    return _check_two_models("analytic = autograd", fast, _float64(model), atoms_list, ANALYTIC)


def check_single_precision(model, atoms_list, rng) -> list[Finding]:
    """A network in float32 gives the numbers of float64, to float32."""
    rounded = model.for_inference(dtype="float32")
    return _check_two_models(
        "float32 = float64", rounded, _float64(model), atoms_list, SINGLE_PRECISION
    )


def check_saved(model, atoms_list, rng) -> list[Finding]:
    """A model read from its file is the model that was written."""
    from ase_les.model_io import read_model, save_model

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.safetensors"
        save_model(path, model, {})
        loaded = read_model(path)
    assert loaded.config == model.config, "saved = loaded: the config changed"
    assert loaded.precision == model.precision, "saved = loaded: the precision changed"
    return _check_two_models(
        "saved = loaded", _float64(loaded), _float64(model), atoms_list, ROUND_OFF
    )


#: The contract, in the order in which `check_model` goes through it.
CHECKS = (
    check_rotation,
    check_reflection,
    check_translation,
    check_permutation,
    check_lattice_translation,
    check_lattice_description,
    check_batch,
    check_input_unchanged,
    check_forces,
    check_stress,
    check_atomic_energies,
    check_analytic_gradients,
    check_single_precision,
    check_saved,
)


def example_structures(model: LESModel, seed: int = 0) -> list[Atoms]:
    """Small structures of a model's elements, without colliding atoms.

    A triclinic cell, a tiny one in which atoms see their own images, an open
    cluster, a lone atom and a slab.

    Parameters
    ----------
    model : LESModel
    seed : int
        Equal seeds give equal structures.
    """
    rng = np.random.default_rng(seed)
    elements = list(model.config.elements)

    def some(n_atoms: int) -> list[int]:
        # Every element in turn, so that few atoms cover as many as they can.
        return [elements[i % len(elements)] for i in range(n_atoms)]

    structures = [
        _random_structure(some(8), True, rng),
        _random_structure(some(2), True, rng),
        _random_structure(some(6), False, rng),
        Atoms([elements[-1]], [[0.3, -0.2, 0.1]]),
        _random_structure(some(5), (True, False, True), rng),
    ]
    states = model.config.total_charges or (0,)
    for number, atoms in enumerate(structures):
        atoms.info["charge"] = float(states[number % len(states)])
    return structures


class Answer(NamedTuple):
    """What a model says about one structure."""

    energy: Tensor
    forces: Tensor
    stress: Tensor | None
    charges: Tensor | None


def _answer(model: LESModel, atoms: Atoms) -> Answer:
    result = differentiate(model, _graph(model, atoms), stress=_has_stress(atoms))
    return Answer(
        energy=result.prediction.energy[0].detach(),
        forces=result.forces,
        stress=None if result.stress is None else result.stress[0],
        charges=result.prediction.charges.detach(),
    )


def _said(calculator: LESCalculator, atoms: Atoms) -> Answer:
    with warnings.catch_warnings():
        # Net charge, of which it warns, is meant here.
        warnings.simplefilter("ignore")
        calculator.calculate(atoms, ["energy", "forces"] + ["stress"] * _has_stress(atoms))
    results = calculator.results
    stress = results.get("stress")
    has_charges = "charges" in results
    charges = calculator.get_latent_charges(atoms) if has_charges else None
    return Answer(
        energy=torch.tensor(results["energy"], dtype=torch.float64),
        forces=torch.tensor(results["forces"]),
        stress=None if stress is None else torch.tensor(voigt_6_to_full_3x3_stress(stress)),
        charges=None if charges is None else torch.tensor(charges)[:, None],
    )


def _has_stress(atoms: Atoms) -> bool:
    return bool(atoms.pbc.sum() >= 2 and atoms.cell.volume > 0)


def _graph(model: LESModel, atoms: Atoms) -> Graph:
    return graph_from_atoms(atoms, NeighborList(model.config.cutoff))


def _float64(model: LESModel) -> LESModel:
    return copy.deepcopy(model).double()


def _compare(
    law: str, got: Answer, expected: Answer, tolerances: dict[str, float]
) -> list[Finding]:
    stiffness = max(1.0, float(expected.forces.abs().max()))
    findings = []
    for quantity, tolerance in tolerances.items():
        is_, should_be = getattr(got, quantity), getattr(expected, quantity)
        if should_be is None or not should_be.numel():
            continue
        deviation = float((is_ - should_be).abs().max())
        allowed = tolerance * stiffness
        # Written so that NaN fails.
        if not deviation <= allowed:
            raise AssertionError(
                f"{law}: {quantity} deviates by {deviation:.2e} {UNITS[quantity]}, "
                f"allowed is {allowed:.1e} {UNITS[quantity]}"
            )
        findings.append(Finding(law, quantity, deviation, allowed, UNITS[quantity]))
    return findings


def _worst(findings: list[Finding]) -> list[Finding]:
    """Of every law and quantity, the finding nearest to its tolerance."""
    worst: dict[tuple[str, str], Finding] = {}
    for finding in findings:
        key = finding.law, finding.quantity
        other = worst.get(key, finding)
        if finding.deviation * other.tolerance >= other.deviation * finding.tolerance:
            worst[key] = finding
    return list(worst.values())


def _check_equal_answers(law, model, atoms_list, change) -> list[Finding]:
    model = _float64(model)
    findings = []
    for atoms in atoms_list:
        findings += _compare(law, _answer(model, change(atoms)), _answer(model, atoms), ROUND_OFF)
    return _worst(findings)


def _check_two_models(law, got, expected, atoms_list, tolerances) -> list[Finding]:
    findings = []
    for atoms in atoms_list:
        findings += _compare(law, _answer(got, atoms), _answer(expected, atoms), tolerances)
    return _worst(findings)


def _check_rotations(law, model, atoms_list, rng, mirror) -> list[Finding]:
    model = _float64(model)
    findings = []
    for atoms in atoms_list:
        rotation = mirror * special_ortho_group.rvs(3, random_state=rng)
        turned = atoms.copy()
        turned.set_cell(atoms.cell.array @ rotation)
        turned.positions = atoms.positions @ rotation
        expected = _answer(model, atoms)
        turn = torch.tensor(rotation)
        expected = expected._replace(
            forces=expected.forces @ turn,
            stress=None if expected.stress is None else turn.T @ expected.stress @ turn,
        )
        findings += _compare(law, _answer(model, turned), expected, ROUND_OFF)
    return _worst(findings)


def _numerical_force(model: LESModel, atoms: Atoms, index: int) -> np.ndarray:
    moved = []
    for axis in range(3):
        for offset, _ in _STENCIL:
            shift = np.zeros((len(atoms), 3))
            shift[index, axis] = offset * _DISPLACEMENT
            moved.append(_moved(atoms, shift))
    weights = [weight for _, weight in _STENCIL]
    return -_energies(model, moved).reshape(3, 4) @ weights / _DISPLACEMENT


def _numerical_stress(model: LESModel, atoms: Atoms) -> np.ndarray:
    weights = [weight for _, weight in _STENCIL]
    slopes = []
    for component in np.eye(6):
        deformed = []
        for offset, _ in _STENCIL:
            deformation = voigt_6_to_full_3x3_strain(offset * _STRAIN * component)
            stretched = atoms.copy()
            stretched.set_cell(atoms.cell.array @ deformation, scale_atoms=False)
            stretched.positions = atoms.positions @ deformation
            deformed.append(stretched)
        slopes.append(_energies(model, deformed) @ weights / _STRAIN)
    xx, yy, zz, yz, xz, xy = np.array(slopes) / atoms.get_volume()
    stress = np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])
    if atoms.pbc.all():
        return stress
    normal = np.cross(*atoms.cell.array[atoms.pbc])
    normal /= np.linalg.norm(normal)
    in_plane = np.eye(3) - np.outer(normal, normal)
    return in_plane @ stress @ in_plane


def _energies(model: LESModel, atoms_list: Sequence[Atoms]) -> np.ndarray:
    """Energies without the constants E0, which would only cost digits of differences."""
    with torch.no_grad():
        prediction = model(batch([_graph(model, atoms) for atoms in atoms_list]))
    table = model.config.atomic_energies
    constants = [sum(table[symbol] for symbol in atoms.symbols) for atoms in atoms_list]
    return prediction.energy.numpy() - constants


def _moved(atoms: Atoms, shift: np.ndarray) -> Atoms:
    moved = atoms.copy()
    moved.positions += shift
    return moved


def _with_lattice(atoms: Atoms, combination: np.ndarray) -> Atoms:
    """The same structure with integer combinations of the lattice vectors in their place."""
    other = atoms.copy()
    other.set_cell(combination @ atoms.cell.array, scale_atoms=False)
    other.pbc = (combination != 0) @ atoms.pbc
    return other


def _repeating(atoms_list: Sequence[Atoms]) -> list[Atoms]:
    return [atoms for atoms in atoms_list if atoms.pbc.any()]


def _random_structure(numbers: Sequence[int], pbc, rng: np.random.Generator) -> Atoms:
    """Atoms at random places of a random triclinic box, none closer than their bond length."""
    radii = covalent_radii[list(numbers)]
    bond = radii[:, None] + radii
    edge = 1.5 * np.sum((2 * radii) ** 3) ** (1 / 3)
    for _ in range(1000):
        edge *= 1.02
        cell = edge * (np.eye(3) + rng.uniform(-0.25, 0.25, (3, 3)))
        positions = rng.random((len(numbers), 3)) @ cell
        images = Atoms(numbers, positions, cell=cell, pbc=pbc).repeat(
            np.where(np.broadcast_to(pbc, 3), 2, 1)
        )
        _, distances = get_distances(images.positions, cell=images.cell, pbc=images.pbc)
        distances = distances[: len(numbers)] + 99.0 * np.eye(len(images))[: len(numbers)]
        if (distances > 1.1 * np.tile(bond, len(images) // len(numbers))).all():
            atoms = Atoms(numbers, positions, pbc=pbc)
            if atoms.pbc.any():
                atoms.cell = cell
            return atoms
    symbols = [chemical_symbols[number] for number in numbers]
    raise RuntimeError(f"found no structure of {symbols} without collisions")

r"""The contract: what every model must obey, whatever its weights.

In a test of your own::

    from ase_les.testing import check_model

    def test_my_model_obeys_the_laws_of_physics():
        print(check_model(my_model))

Each law is one function; it returns what it measured and raises ``AssertionError`` if
that is more than the law allows. ``check_model`` runs them all.

Exact laws are held to the round-off of float64. Rotations of a MACE model whose file stores the
coefficients of its polynomials in single precision are held to the round-off of float32; the
report names these laws "rotation, float32 basis". Where forces exceed 1 eV/Å, tolerances grow
in proportion to the largest force, because round-off and finite differences do.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from ase import Atoms
from scipy.stats import special_ortho_group

from ase_les.calculator import LESCalculator
from ase_les.derivatives import differentiate
from ase_les.graph import batch, total_charge_of
from ase_les.kernels.library import compiled_kernels
from ase_les.model import LESModel
from ase_les.testing.answers import (
    answer_of,
    calculator_answer,
    float64,
    graph_of,
    has_stress_tensor,
    numerical_force,
    numerical_stress,
)
from ase_les.testing.findings import Answer, Finding, Report, compare, worst_of
from ase_les.testing.structures import displaced, example_structures, repeating, with_lattice

# What float64 leaves of an exact law, and float32 of a number.
ROUND_OFF = {"energy": 1e-8, "forces": 1e-8, "stress": 1e-8, "charges": 1e-9}
ANALYTIC = {"energy": 1e-9, "forces": 1e-9, "stress": 1e-9, "charges": 1e-9}
# Rotations of models whose polynomials are stored in single precision (published MACE files).
SINGLE_BASIS = {"energy": 1e-6, "forces": 1e-6, "stress": 1e-6, "charges": 1e-7}
NUMERICAL_FORCES = {"forces": 1e-6}
NUMERICAL_STRESS = {"stress": 1e-6}
SINGLE_PRECISION = {"energy": 1e-3, "forces": 1e-3, "stress": 1e-3, "charges": 1e-4}

# Other lattice vectors of the same crystal: reordered (left- and right-handed), reversed, sheared.
_LATTICE_DESCRIPTIONS = (
    [[0, 1, 0], [1, 0, 0], [0, 0, 1]],
    [[0, 1, 0], [0, 0, 1], [1, 0, 0]],
    [[1, 0, 0], [0, -1, 0], [0, 0, 1]],
    [[1, 0, 0], [1, 1, 0], [0, -1, 1]],
)

# Atoms per structure whose forces are differentiated numerically.
_MOST_ATOMS = 10


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
    plain = float64(model)
    findings = []
    for dtype, tolerances in (("float64", ANALYTIC), ("float32", SINGLE_PRECISION)):
        calculator = LESCalculator(model, device, dtype, accuracy=None)
        for atoms in atoms_list:
            said, expected = calculator_answer(calculator, atoms), answer_of(plain, atoms)
            if said.charges is None:
                # Several charges per atom are none of ASE's.
                expected = expected._replace(charges=None)
            findings += compare(f"{dtype} on {device}", said, expected, tolerances)
    return Report(tuple(worst_of(findings)))


def check_rotation(model, atoms_list, rng) -> list[Finding]:
    """Energy and charges ignore the orientation in space; forces and stress follow it."""
    return _check_rotations("rotation", model, atoms_list, rng, mirror=1.0)


def check_reflection(model, atoms_list, rng) -> list[Finding]:
    """A structure and its mirror image have one energy."""
    return _check_rotations("reflection", model, atoms_list, rng, mirror=-1.0)


def check_translation(model, atoms_list, rng) -> list[Finding]:
    """Nothing depends on where the structure is."""
    return _check_equal_answers(
        "translation", model, atoms_list, lambda atoms: displaced(atoms, rng.uniform(-9, 9, 3))
    )


def check_lattice_translation(model, atoms_list, rng) -> list[Finding]:
    """Nothing depends on which periodic image of an atom is given."""

    def wrapped(atoms: Atoms) -> Atoms:
        cells = rng.integers(-2, 3, (len(atoms), 3)) * atoms.pbc
        return displaced(atoms, cells @ atoms.cell.array)

    return _check_equal_answers("lattice translation", model, repeating(atoms_list), wrapped)


def check_lattice_description(model, atoms_list, rng) -> list[Finding]:
    """Nothing depends on which vectors describe the lattice: reordered, reversed, sheared."""
    findings = []
    for combination in map(np.array, _LATTICE_DESCRIPTIONS):
        sheared = np.count_nonzero(combination) > 3
        structures = [atoms for atoms in repeating(atoms_list) if atoms.pbc.all() or not sheared]
        findings += _check_equal_answers(
            "lattice description",
            model,
            structures,
            lambda atoms, combination=combination: with_lattice(atoms, combination),
        )
    return worst_of(findings)


def check_permutation(model, atoms_list, rng) -> list[Finding]:
    """Atoms of one element are interchangeable: order does not matter."""
    model = float64(model)
    findings = []
    for atoms in atoms_list:
        order = rng.permutation(len(atoms))
        expected = answer_of(model, atoms)
        assert expected.charges is not None
        expected = expected._replace(forces=expected.forces[order], charges=expected.charges[order])
        findings += compare("permutation", answer_of(model, atoms[order]), expected, ROUND_OFF)
    return worst_of(findings)


def check_batch(model, atoms_list, rng) -> list[Finding]:
    """Structures side by side do not see each other."""
    model = float64(model)
    graph = batch([graph_of(model, atoms) for atoms in atoms_list])
    together = differentiate(model, graph)
    stress = None
    if any(has_stress_tensor(atoms) for atoms in atoms_list):
        stress = differentiate(model, graph, stress=True).stress
    findings = []
    for index, atoms in enumerate(atoms_list):
        mine = graph.structure == index
        got = Answer(
            energy=together.prediction.energy[index].detach(),
            forces=together.forces[mine],
            stress=None if stress is None or not has_stress_tensor(atoms) else stress[index],
            charges=together.prediction.charges[mine].detach(),
        )
        findings += compare("batch = single", got, answer_of(model, atoms), ROUND_OFF)
    return worst_of(findings)


def check_input_unchanged(model, atoms_list, rng) -> list[Finding]:
    """Asking for the energy changes neither the question nor the model."""
    weights = {name: value.clone() for name, value in model.state_dict().items()}
    for atoms in atoms_list:
        given, graph = atoms.copy(), graph_of(model, atoms)
        fields = [field.clone() for field in graph]
        differentiate(model, graph, stress=has_stress_tensor(atoms), energies=True)
        same = given == atoms and given.info == atoms.info
        assert same, f"input unchanged: evaluating {atoms} changed the Atoms"
        for name, field, before in zip(graph._fields, graph, fields, strict=True):
            assert torch.equal(field, before), f"input unchanged: `{name}` of the graph changed"
    for name, value in model.state_dict().items():
        assert torch.equal(value, weights[name]), f"input unchanged: weight {name} changed"
    return [Finding("input unchanged", "all", 0.0, 0.0, "")]


def check_forces(model, atoms_list, rng) -> list[Finding]:
    """Forces are minus the derivative of the energy with respect to positions."""
    model = float64(model)
    findings = []
    for atoms in atoms_list:
        expected = answer_of(model, atoms)
        few = rng.permutation(len(atoms))[:_MOST_ATOMS]
        numerical = torch.tensor(np.array([numerical_force(model, atoms, i) for i in few]))
        findings += compare(
            "forces = -dE/dr",
            expected._replace(forces=expected.forces[few]),
            expected._replace(forces=numerical),
            NUMERICAL_FORCES,
        )
    return worst_of(findings)


def check_stress(model, atoms_list, rng) -> list[Finding]:
    """The stress is the derivative of the energy with respect to strain, a slab's in its plane."""
    model = float64(model)
    findings = []
    for atoms in atoms_list:
        if has_stress_tensor(atoms):
            expected = answer_of(model, atoms)
            numerical = torch.tensor(numerical_stress(model, atoms))
            findings += compare(
                "stress = dE/dstrain / V",
                expected,
                expected._replace(stress=numerical),
                NUMERICAL_STRESS,
            )
    return worst_of(findings)


def check_atomic_energies(model, atoms_list, rng) -> list[Finding]:
    """The shares of the atoms sum to the energy."""
    model = float64(model)
    findings = []
    for atoms in atoms_list:
        result = differentiate(model, graph_of(model, atoms), energies=True)
        assert result.energies is not None
        total = result.prediction.energy.detach()
        findings += compare(
            "sum of atomic energies",
            Answer(result.energies.detach().sum(), result.forces, None, None),
            Answer(total.squeeze(0), result.forces, None, None),
            {"energy": ROUND_OFF["energy"]},
        )
    return worst_of(findings)


def check_analytic_gradients(model, atoms_list, rng) -> list[Finding]:
    """Hand-written gradients, and compiled kernels, agree with automatic differentiation."""
    engines = {"analytic = autograd": model.for_inference(dtype="float64", kernels=False)}
    if compiled_kernels() is not None:
        engines["kernels = autograd"] = model.for_inference(dtype="float64")
    definition = float64(model)
    return [
        finding
        for law, engine in engines.items()
        for finding in _check_two_models(law, engine, definition, atoms_list, ANALYTIC)
    ]


def check_single_precision(model, atoms_list, rng) -> list[Finding]:
    """A network in float32 gives the numbers of float64, to float32."""
    rounded = model.for_inference(dtype="float32")
    return _check_two_models(
        "float32 = float64", rounded, float64(model), atoms_list, SINGLE_PRECISION
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
        "saved = loaded", float64(loaded), float64(model), atoms_list, ROUND_OFF
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


def _check_equal_answers(law, model, atoms_list, change) -> list[Finding]:
    model = float64(model)
    findings = []
    for atoms in atoms_list:
        findings += compare(
            law, answer_of(model, change(atoms)), answer_of(model, atoms), ROUND_OFF
        )
    return worst_of(findings)


def _check_two_models(law, got, expected, atoms_list, tolerances) -> list[Finding]:
    findings = []
    for atoms in atoms_list:
        findings += compare(law, answer_of(got, atoms), answer_of(expected, atoms), tolerances)
    return worst_of(findings)


def _check_rotations(law, model, atoms_list, rng, mirror) -> list[Finding]:
    law, tolerances = (
        (f"{law}, float32 basis", SINGLE_BASIS)
        if getattr(model.representation, "has_single_precision_basis", False)
        else (law, ROUND_OFF)
    )
    model = float64(model)
    findings = []
    for atoms in atoms_list:
        rotation = mirror * special_ortho_group.rvs(3, random_state=rng)
        turned = atoms.copy()
        turned.set_cell(atoms.cell.array @ rotation)
        turned.positions = atoms.positions @ rotation
        expected = answer_of(model, atoms)
        turn = torch.tensor(rotation)
        expected = expected._replace(
            forces=expected.forces @ turn,
            stress=None if expected.stress is None else turn.T @ expected.stress @ turn,
        )
        findings += compare(law, answer_of(model, turned), expected, tolerances)
    return worst_of(findings)

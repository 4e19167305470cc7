r"""Physical laws that every model must obey for any weights.

Use it in a test::

    from ase_les.testing import check_model

    def test_my_model_obeys_the_laws_of_physics():
        print(check_model(my_model))

Each law is one function, which returns measured deviations and raises ``AssertionError`` if
they exceed the tolerance. ``check_model`` runs all functions.

Exact laws must hold within the round-off of float64. For MACE models whose file stores the
coefficients of polynomials in single precision, rotations must hold within the round-off of
float32; the report names these laws "rotation, float32 basis". For forces above 1 eV/Å, tolerances
are proportional to the largest force, as are round-off and errors of finite differences.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
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
from ase_les.testing.polarizability import polarizability_findings
from ase_les.testing.structures import displaced, example_structures, with_lattice

# Tolerances of exact laws in float64, and of results in float32.
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


@dataclass(frozen=True)
class Subject:
    """Model and structures to check, with reference results for all laws."""

    model: LESModel
    structures: Sequence[Atoms]

    @cached_property
    def definition(self) -> LESModel:
        """Copy of the model in float64, without fast paths."""
        return float64(self.model)

    @cached_property
    def expected(self) -> list[tuple[Atoms, Answer]]:
        """Each structure with the result of the reference definition."""
        return [(atoms, answer_of(self.definition, atoms)) for atoms in self.structures]


def check_model(
    model: LESModel, atoms_list: Sequence[Atoms] | None = None, *, seed: int = 0
) -> Report:
    """Run every check on a model.

    Parameters
    ----------
    model : LESModel
        Not modified; the checks run on a float64 copy.
    atoms_list : sequence of ase.Atoms or None
        Structures with elements and total charges that the model covers;
        None for those of `example_structures`.
    seed : int
        Seed of the rotations, translations and permutations.

    Returns
    -------
    Report
        Every law that applies to the structures, with measured deviations.

    Raises
    ------
    AssertionError
        If a law is violated; the message contains the law, the deviation and the
        tolerance.
    ValueError
        If the model does not cover a structure.
    """
    if atoms_list is None:
        atoms_list = example_structures(model)
    for atoms in atoms_list:
        model.check_coverage(atoms.numbers, total_charge_of(atoms))
    subject = Subject(model, atoms_list)
    findings: list[Finding] = []
    for number, check in enumerate(CHECKS):
        findings += check(subject, np.random.default_rng([seed, number]))
    return Report(tuple(findings))


def check_calculator(
    model: LESModel, device: str = "cpu", atoms_list: Sequence[Atoms] | None = None
) -> Report:
    """Compare calculators on a device, in both precisions, with the reference definition.

    Parameters
    ----------
    device : str
        Device, as named by torch.
    atoms_list : sequence of ase.Atoms or None
        As in `check_model`.

    Raises
    ------
    AssertionError
        If they differ; the message contains precision, deviation and tolerance.
    """
    if atoms_list is None:
        atoms_list = example_structures(model)
    plain = float64(model)
    findings = []
    for dtype, tolerances in (("float64", ANALYTIC), ("float32", SINGLE_PRECISION)):
        calculator = LESCalculator(model, device, dtype, accuracy=None)
        for atoms in atoms_list:
            result, expected = calculator_answer(calculator, atoms), answer_of(plain, atoms)
            if result.charges is None:
                # ASE has no property for several charges per atom.
                expected = expected._replace(charges=None)
            findings += compare(f"{dtype} on {device}", result, expected, tolerances)
    return Report(tuple(worst_of(findings)))


def check_rotation(subject: Subject, rng: np.random.Generator) -> list[Finding]:
    """Check that energy and charges are invariant under rotation; forces and stress covariant."""
    return _check_rotations("rotation", subject, rng, mirror=1.0)


def check_reflection(subject: Subject, rng: np.random.Generator) -> list[Finding]:
    """Check that a structure and its mirror image have the same energy."""
    return _check_rotations("reflection", subject, rng, mirror=-1.0)


def check_translation(subject: Subject, rng: np.random.Generator) -> list[Finding]:
    """Check invariance under translation."""
    return _check_equal_answers(
        "translation", subject, lambda atoms: displaced(atoms, rng.uniform(-9, 9, 3))
    )


def check_lattice_translation(subject: Subject, rng: np.random.Generator) -> list[Finding]:
    """Check independence of the periodic images of atoms."""

    def wrapped(atoms: Atoms) -> Atoms:
        cells = rng.integers(-2, 3, (len(atoms), 3)) * atoms.pbc
        return displaced(atoms, cells @ atoms.cell.array)

    return _check_equal_answers("lattice translation", subject, wrapped, needed=_repeats)


def check_lattice_description(subject: Subject, rng: np.random.Generator) -> list[Finding]:
    """Check independence of the lattice vectors: reordered, reversed, sheared."""
    findings = []
    for combination in map(np.array, _LATTICE_DESCRIPTIONS):
        sheared = np.count_nonzero(combination) > 3
        findings += _check_equal_answers(
            "lattice description",
            subject,
            partial(with_lattice, combination=combination),
            needed=_is_crystal if sheared else _repeats,
        )
    return worst_of(findings)


def check_permutation(subject: Subject, rng: np.random.Generator) -> list[Finding]:
    """Check that results do not depend on the order of the atoms."""
    findings = []
    for atoms, expected in subject.expected:
        order = rng.permutation(len(atoms))
        assert expected.charges is not None
        expected = expected._replace(forces=expected.forces[order], charges=expected.charges[order])
        findings += compare(
            "permutation", answer_of(subject.definition, atoms[order]), expected, ROUND_OFF
        )
    return worst_of(findings)


def check_batch(subject: Subject, rng: np.random.Generator) -> list[Finding]:
    """Check that structures in a batch do not interact."""
    model = subject.definition
    graph = batch([graph_of(model, atoms) for atoms in subject.structures])
    together = differentiate(model, graph)
    stress = None
    if any(has_stress_tensor(atoms) for atoms in subject.structures):
        stress = differentiate(model, graph, stress=True).stress
    findings = []
    for index, (atoms, expected) in enumerate(subject.expected):
        selected = graph.structure == index
        got = Answer(
            energy=together.prediction.energy[index].detach(),
            forces=together.forces[selected],
            stress=None if stress is None or not has_stress_tensor(atoms) else stress[index],
            charges=together.prediction.charges[selected].detach(),
        )
        findings += compare("batch = single", got, expected, ROUND_OFF)
    return worst_of(findings)


def check_input_unchanged(subject: Subject, rng: np.random.Generator) -> list[Finding]:
    """Check that an evaluation changes neither the structure nor the model."""
    model = subject.model
    weights = {name: value.clone() for name, value in model.state_dict().items()}
    for atoms in subject.structures:
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


def check_forces(subject: Subject, rng: np.random.Generator) -> list[Finding]:
    """Check that forces are minus the derivative of the energy with respect to positions."""
    findings = []
    for atoms, expected in subject.expected:
        few = rng.permutation(len(atoms))[:_MOST_ATOMS]
        numerical = torch.tensor(
            np.array([numerical_force(subject.definition, atoms, i) for i in few])
        )
        findings += compare(
            "forces = -dE/dr",
            expected._replace(forces=expected.forces[few]),
            expected._replace(forces=numerical),
            NUMERICAL_FORCES,
        )
    return worst_of(findings)


def check_stress(subject: Subject, rng: np.random.Generator) -> list[Finding]:
    """Check that the stress is the derivative of the energy with respect to strain."""
    findings = []
    for atoms, expected in subject.expected:
        if has_stress_tensor(atoms):
            numerical = torch.tensor(numerical_stress(subject.definition, atoms))
            findings += compare(
                "stress = dE/dstrain / V",
                expected,
                expected._replace(stress=numerical),
                NUMERICAL_STRESS,
            )
    return worst_of(findings)


def check_atomic_energies(subject: Subject, rng: np.random.Generator) -> list[Finding]:
    """Check that atomic energies sum to the energy."""
    model = subject.definition
    findings = []
    for atoms in subject.structures:
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


def check_analytic_gradients(subject: Subject, rng: np.random.Generator) -> list[Finding]:
    """Check hand-written gradients and compiled kernels against automatic differentiation."""
    engines = {"analytic = autograd": subject.model.for_inference(dtype="float64", kernels=False)}
    if compiled_kernels() is not None:
        engines["kernels = autograd"] = subject.model.for_inference(dtype="float64")
    return [
        finding
        for law, engine in engines.items()
        for finding in _check_model(law, engine, subject, ANALYTIC)
    ]


def check_single_precision(subject: Subject, rng: np.random.Generator) -> list[Finding]:
    """Check that a network in float32 agrees with float64 to single precision."""
    rounded = subject.model.for_inference(dtype="float32")
    return _check_model("float32 = float64", rounded, subject, SINGLE_PRECISION)


def check_polarizability(subject: Subject, rng: np.random.Generator) -> list[Finding]:
    """Check symmetry, covariance, additivity and derivatives of the polarizability, if any."""
    if subject.model.polarizability is None:
        return []
    engine = subject.model.for_inference(dtype="float64")
    return polarizability_findings(subject.definition, engine, subject.structures, rng)


def check_saved(subject: Subject, rng: np.random.Generator) -> list[Finding]:
    """Check that a model read from a file equals the model that was written."""
    from ase_les.model_io import read_model, save_model

    model = subject.model
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.safetensors"
        save_model(path, model, {})
        loaded = read_model(path)
    assert loaded.config == model.config, "saved = loaded: the config changed"
    assert loaded.precision == model.precision, "saved = loaded: the precision changed"
    return _check_model("saved = loaded", float64(loaded), subject, ROUND_OFF)


#: All laws, in the order of `check_model`.
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
    check_polarizability,
    check_saved,
)


def _repeats(atoms: Atoms) -> bool:
    return bool(atoms.pbc.any())


def _is_crystal(atoms: Atoms) -> bool:
    return bool(atoms.pbc.all())


def _check_equal_answers(
    law: str,
    subject: Subject,
    change: Callable[[Atoms], Atoms],
    needed: Callable[[Atoms], bool] = lambda atoms: True,
) -> list[Finding]:
    """Compare results before and after a change of the selected structures."""
    findings = []
    for atoms, expected in subject.expected:
        if needed(atoms):
            changed = answer_of(subject.definition, change(atoms))
            findings += compare(law, changed, expected, ROUND_OFF)
    return worst_of(findings)


def _check_model(
    law: str, model: LESModel, subject: Subject, tolerances: dict[str, float]
) -> list[Finding]:
    """Compare the results of a model with the reference definition."""
    findings = []
    for atoms, expected in subject.expected:
        findings += compare(law, answer_of(model, atoms), expected, tolerances)
    return worst_of(findings)


def _check_rotations(
    law: str, subject: Subject, rng: np.random.Generator, mirror: float
) -> list[Finding]:
    law, tolerances = (
        (f"{law}, float32 basis", SINGLE_BASIS)
        if getattr(subject.model.representation, "has_single_precision_basis", False)
        else (law, ROUND_OFF)
    )
    findings = []
    for atoms, expected in subject.expected:
        rotation = mirror * special_ortho_group.rvs(3, random_state=rng)
        turned = atoms.copy()
        turned.set_cell(atoms.cell.array @ rotation)
        turned.positions = atoms.positions @ rotation
        turn = torch.tensor(rotation)
        expected = expected._replace(
            forces=expected.forces @ turn,
            stress=None if expected.stress is None else turn.T @ expected.stress @ turn,
        )
        findings += compare(law, answer_of(subject.definition, turned), expected, tolerances)
    return worst_of(findings)

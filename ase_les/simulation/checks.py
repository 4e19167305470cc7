"""Input validation for dynamics and relaxation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
from ase import Atoms

from ase_les.arguments import settings_of
from ase_les.calculator_extensions import model_cutoff, model_hash
from ase_les.simulation.close_contacts import CLOSEST_PAIR_A, closest_contact
from ase_les.simulation.ensembles import DynamicsSettings
from ase_les.simulation.observations import resolved_per_cm
from ase_les.simulation.relaxation_settings import RelaxationSettings
from ase_les.structure_limits import check_extent

#: Largest deviation of forces in eV/Å between runs of the same model: above rounding errors of
#: different machines, below differences between models.
SAME_MODEL_FORCES = 1e-3
#: Wave numbers of the fastest vibrations with hydrogen (H2, HF) and without (N2, CO2).
FASTEST_WITH_HYDROGEN_PER_CM, FASTEST_WITHOUT_PER_CM = 4400.0, 2500.0
# Timesteps of 0.1 to 5 fs, written in ps.
_SHORT_TIMESTEP_FS = 0.005
# An atmosphere, written in Pa.
_HIGH_PRESSURE_BAR = 1e5


def check_structure(atoms: Atoms) -> None:
    """Check that a structure has a calculator and can be calculated, see `check_atoms`."""
    if len(atoms) and atoms.calc is None:
        raise ValueError("the structure has no calculator; set `atoms.calc` first")
    check_atoms(atoms)


def check_atoms(atoms: Atoms) -> None:
    """Check that energy and forces of a structure can be calculated.

    It needs atoms, finite positions of plausible size, a cell vector for each periodic direction,
    an integer total charge, and distances of at least 0.4 Å.
    """
    if len(atoms) == 0:
        raise ValueError("the structure has no atoms")
    if not np.isfinite(atoms.positions).all():
        invalid = np.flatnonzero(~np.isfinite(atoms.positions).all(axis=1))
        raise ValueError(f"positions of atoms {_listed(invalid)} are not finite; correct the input")
    check_extent(atoms)
    periodic = atoms.cell.array[atoms.pbc]
    if np.linalg.matrix_rank(periodic) < len(periodic):
        raise ValueError(
            f"pbc is {atoms.pbc.tolist()} but the cell is {atoms.cell.tolist()}: every periodic "
            "direction needs its own cell vector. Set the cell, or set pbc to False"
        )
    charge = atoms.info.get("charge", 0)
    if not (np.ndim(charge) == 0 and np.isreal(charge) and float(charge).is_integer()):
        raise ValueError(
            f"the total charge must be an integer in e, atoms.info['charge'] is {charge!r}"
        )
    contact = closest_contact(atoms, CLOSEST_PAIR_A)
    if contact is not None:
        raise ValueError(
            f"{contact.describe(atoms)}: check for duplicate atoms and for a cell that is too small"
        )


def refuse_other_run(
    stem: Path,
    settings: DynamicsSettings | RelaxationSettings,
    expected: Mapping[str, object],
    calculator: object,
    recorded_hash: str | None,
    structural: Sequence[str] = (),
) -> None:
    """Refuse to continue a run with other settings, another model or another structure.

    Parameters
    ----------
    settings : DynamicsSettings or RelaxationSettings
        Of the run.
    expected : mapping
        Settings that the run must have.
    recorded_hash : str or None
        Hash of the model of the run.
    structural : sequence of str
        Differences of the structure.
    """
    task = "dynamics" if isinstance(settings, DynamicsSettings) else "a relaxation"
    given = settings_of(type(settings), asdict(settings) | dict(expected), task)
    differences = [
        f"{name} is {getattr(settings, name)!r}, given {getattr(given, name)!r}"
        for name in expected
        if getattr(settings, name) != getattr(given, name)
    ]
    if model_hash(calculator) != recorded_hash:
        differences.append(f"model hash is {recorded_hash}, given {model_hash(calculator)}")
    differences += structural
    if differences:
        raise ValueError(
            f"run {stem} does not match: {'; '.join(differences)}. Omit these options to "
            "continue with the settings of the run, or start a new run with a different output"
        )


def restart_notes(where: str, forces: np.ndarray, recorded: np.ndarray) -> list[str]:
    """Compare restart forces with recorded ones.

    Parameters
    ----------
    where : str
        Step and run, for messages.
    forces, recorded : array, shape (N, 3)
        Forces of the calculator and of the run, in eV/Å.

    Returns
    -------
    list of str
        Empty if the forces are identical.
    """
    deviation = float(np.abs(forces - recorded).max())
    if not deviation <= SAME_MODEL_FORCES:
        raise ValueError(
            f"the calculator's forces at {where} differ by up to {deviation:.3g} eV/Å from those "
            "of the run: the model or its settings are different. Resume with the model named in "
            "the summary, or start a new run"
        )
    if deviation == 0:
        return []
    return [
        f"forces at the restart differ by {deviation:.1e} eV/Å (different machine or number of "
        "threads, or a calculator whose reset() is incomplete): the continuation is valid but not "
        "bitwise identical"
    ]


def check_start(atoms: Atoms) -> None:
    """Check that energy and forces of a structure are finite."""
    problem = not_finite(atoms)
    if problem is not None:
        raise ValueError(
            f"{problem} for the given structure: it is outside the domain of the calculator"
        )


def size_notes(atoms: Atoms) -> list[str]:
    """Return a note if the cell is thinner than twice the cutoff of the model."""
    cutoff = model_cutoff(atoms.calc)
    periodic = atoms.pbc & (np.linalg.norm(atoms.cell.array, axis=1) > 0)
    if cutoff is None or not periodic.any() or atoms.cell.rank < 3:
        return []
    heights = 1 / np.linalg.norm(atoms.cell.reciprocal().array, axis=1)
    thinnest = float(heights[periodic].min())
    if thinnest >= 2 * cutoff:
        return []
    return [
        f"the cell is {thinnest:.2f} Å thick, less than twice the cutoff of {cutoff:g} Å: atoms "
        "interact with several images of each other. Energies are exact, but correlations are "
        "limited by the cell"
    ]


def unit_notes(settings: DynamicsSettings) -> list[str]:
    """Return warnings about a timestep probably given in ps, and a pressure in Pa."""
    notes = []
    if settings.timestep_fs <= _SHORT_TIMESTEP_FS:
        notes.append(
            f"the timestep is {settings.timestep_fs:g} fs, a hundredth of what hydrogen needs: if "
            f"it was meant in ps, write {1000 * settings.timestep_fs:g}"
        )
    pressure = max(float(np.abs(stage.pressure_bar).max()) for stage in settings.protocol)
    if pressure >= _HIGH_PRESSURE_BAR:
        notes.append(
            f"the pressure is {pressure:g} bar = {1e-4 * pressure:.3g} GPa: if it was meant in Pa, "
            f"write {1e-5 * pressure:g}"
        )
    return notes


def sampling_notes(atoms: Atoms, settings: DynamicsSettings) -> list[str]:
    """Return a warning if a current or polarizability is recorded too rarely for vibrations.

    Parameters
    ----------
    atoms : Atoms
        With hydrogen, vibrations reach 4400 1/cm (H2); without, 2500 1/cm (CO2, N2).
    """
    strides = [
        (int(stage.observe[name]["stride"]), name)
        for stage in settings.protocol
        for name in ("current", "layers", "polarizability")
        if name in stage.observe
    ]
    if not strides:
        return []
    stride, name = max(strides)
    with_hydrogen = 1 in atoms.numbers
    highest = FASTEST_WITH_HYDROGEN_PER_CM if with_hydrogen else FASTEST_WITHOUT_PER_CM
    interval = stride * settings.timestep_fs
    resolved = resolved_per_cm(interval)
    if resolved > highest:
        return []
    enough = resolved_per_cm(1.0) / highest
    remedy = (
        f"observe it every {int(enough / settings.timestep_fs)} steps or more often"
        if enough >= settings.timestep_fs
        else f"use a time step of at most {enough:.2g} fs"
    )
    return [
        f"WARNING: `{name}` is recorded every {interval:g} fs, which resolves "
        f"vibrations up to {resolved:.0f} 1/cm; those {'with' if with_hydrogen else 'without'} "
        f"hydrogen reach {highest:.0f} 1/cm and would be aliased to lower wave numbers: {remedy}"
    ]


def not_finite(atoms: Atoms) -> str | None:
    """Return a description of an energy or force that is not finite, or None."""
    if not np.isfinite(atoms.get_potential_energy()):
        return f"the energy is {atoms.get_potential_energy()}"
    forces = atoms.get_forces(apply_constraint=False)
    if not np.isfinite(forces).all():
        invalid = np.flatnonzero(~np.isfinite(forces).all(axis=1))
        return f"the forces on atoms {_listed(invalid)} are not finite"
    return None


def structural_differences(run: Atoms, given: Atoms) -> list[str]:
    """Return the differences between two structures, except positions."""
    if not np.array_equal(run.numbers, given.numbers):
        return [f"the atoms are {run.symbols}, given {given.symbols} (order counts)"]
    differences = []
    if not np.array_equal(run.pbc, given.pbc):
        differences.append(f"pbc is {run.pbc.tolist()}, given {given.pbc.tolist()}")
    if not np.allclose(run.cell, given.cell, rtol=0, atol=1e-6):
        differences.append(f"the cell is {run.cell.tolist()}, given {given.cell.tolist()}")
    if not np.allclose(run.get_masses(), given.get_masses(), rtol=0, atol=1e-6):
        differences.append("the masses differ")
    for key in ("charge", "spin"):
        if run.info.get(key) != given.info.get(key):
            differences.append(f"{key} is {run.info.get(key)}, given {given.info.get(key)}")
    return differences


def _listed(indices: np.ndarray) -> str:
    shown = ", ".join(map(str, indices[:5]))
    return f"{shown} and {len(indices) - 5} more" if len(indices) > 5 else shown

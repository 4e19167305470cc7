"""Steps, log, trajectory and checkpoints of a relaxation."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from time import perf_counter
from typing import NamedTuple, TextIO

import numpy as np
from ase import Atoms, units
from ase.constraints import FixSymmetry

from ase_les.calculator_extensions import reset
from ase_les.runs.growing_files import GrowingFile, writing
from ase_les.runs.lock import OutputLock
from ase_les.runs.output import RunFiles
from ase_les.runs.progress import NO_PROGRESS, Progress, task
from ase_les.runs.provenance import describe_calculator
from ase_les.runs.stop_request import StopRequest
from ase_les.screening import describe_charges
from ase_les.simulation.checkpoint import RelaxationCheckpoint, write_relaxation_checkpoint
from ase_les.simulation.checks import not_finite
from ase_les.simulation.close_contacts import closest_contact
from ase_les.simulation.degrees_of_freedom import relaxed_target, space_group
from ase_les.simulation.observers import TrajectoryFrames
from ase_les.simulation.optimizers import make_optimizer, optimizer_state, restore_optimizer
from ase_les.simulation.relaxation_result import RelaxationResult
from ase_les.simulation.relaxation_settings import RelaxationSettings

#: Displacement in Å, relative to the cell, beyond which a relaxation is stopped.
LARGEST_DISPLACEMENT_A = 15.0
#: Factor of the volume beyond which a relaxation is stopped.
LARGEST_VOLUME_FACTOR = 2.0


class _State(NamedTuple):
    """Energy (eV), largest force (eV/Å) and largest stress deviation (eV/Å³) of a structure."""

    energy: float = math.nan
    force: float = math.nan
    stress: float = math.nan


class RelaxationRun:
    """Relaxation that starts from a checkpoint and writes the following ones.

    Parameters
    ----------
    atoms : Atoms
        With calculator and all constraints; changed in place.
    growing : mapping of str to GrowingFile, optional
        Rewound trajectory and log; by default new ones.
    """

    HEADER = (
        f"{'# step':>8} {'energy[eV]':>18} {'max_force[eV/A]':>16} {'max_stress[eV/A^3]':>19}\n"
    )

    def __init__(
        self,
        start: RelaxationCheckpoint,
        settings: RelaxationSettings,
        atoms: Atoms,
        files: RunFiles,
        growing: Mapping[str, GrowingFile] | None = None,
    ) -> None:
        self._start = start
        self._settings = settings
        self._files = files
        self._growing = growing_files(files) if growing is None else growing
        self._clock = perf_counter()
        self._interrupted = False
        self._lock: OutputLock | None = None
        self._last_valid = (atoms.positions.copy(), atoms.cell.array.copy())
        self._written = start.step if start.files else -1
        self._state = _State()
        self.step = start.step
        self.atoms = atoms
        self._target = relaxed_target(atoms, settings.cell, settings.pressure_bar, start.start_cell)
        self._optimizer = make_optimizer(settings.optimizer, self._target)
        if start.optimizer:
            restore_optimizer(self._optimizer, start.optimizer)

    def advance(
        self, progress: Progress = NO_PROGRESS, lock: OutputLock | None = None
    ) -> RelaxationResult:
        """Perform steps until convergence, or until something stops the relaxation.

        Parameters
        ----------
        lock : OutputLock, optional
            Lock to refresh after every step.
        """
        self._lock = lock
        for note in self._start.notes:
            progress.message(note)
        frames = TrajectoryFrames(self._files.trajectory, 1, self._optimizer.todict())
        try:
            with open(self._files.log, "a", encoding="utf-8", buffering=1) as log:
                converged, stopped = self._perform_steps(log, frames, progress)
        finally:
            frames.close()
        return self._result(converged, stopped)

    def _perform_steps(
        self, log: TextIO, frames: TrajectoryFrames, progress: Progress
    ) -> tuple[bool, str | None]:
        """Perform steps and return whether they converged, and why they ended early."""
        limit = self._settings.steps
        with StopRequest() as stop, task(progress, limit, "relaxation steps", self.step):
            while True:
                checkpoint_due = self.step % self._settings.checkpoint_stride == 0
                checkpoint_due = checkpoint_due and self.step > self._written
                if checkpoint_due and self.step > 0:
                    # A restarted run has no calculator history either.
                    reset(self.atoms.calc)
                problem = self._check()
                if problem is not None:
                    return False, f"step {self.step}: {problem}"
                self._state = self._present_state()
                if self.step > self._written:
                    self._write(log, frames)
                if checkpoint_due:
                    self._save()
                self._last_valid = (self.atoms.positions.copy(), self.atoms.cell.array.copy())
                if self._converged():
                    return True, None
                if self.step >= limit:
                    return False, None
                if stop.received is not None:
                    self._interrupted = True
                    return False, f"step {self.step}: {stop.received} received"
                try:
                    self._optimizer.step()
                except (ValueError, ArithmeticError, RuntimeError) as error:
                    return False, f"step {self.step + 1}: {error}"
                self.step += 1
                energy, force, _ = self._state
                if self._lock is not None:
                    self._lock.refresh()
                progress.advance(1, f"E {energy:.4f} eV, max force {force:.4f} eV/Å")

    def _write(self, log: TextIO, frames: TrajectoryFrames) -> None:
        if self.step == 0:
            log.write(self.HEADER)
        energy, force, stress = self._state
        with writing(self._files.log):
            log.write(f"{self.step:8d} {energy:18.8f} {force:16.8f} {stress:19.10f}\n")
        frames.write(self.atoms)
        self._written = self.step

    def _converged(self) -> bool:
        # With a fixed cell, the stress is nan and the second comparison false.
        stress_bar = self._state.stress / units.bar
        return self._state.force < self._settings.fmax and not stress_bar >= self._settings.smax_bar

    def _present_state(self) -> _State:
        force = float(np.linalg.norm(self.atoms.get_forces(), axis=1).max())
        stress = math.nan
        if not isinstance(self._target, Atoms):
            # The filter sets its `stress`, without the pressure and fixed components.
            self._target.get_forces()
            stress = float(np.abs(self._target.stress).max())
        return _State(float(self.atoms.get_potential_energy()), force, stress)

    def _displacements(self) -> np.ndarray:
        """Return the displacements of the atoms since the start in Å, without strain."""
        reference = self._start.start_positions
        if self._target is not self.atoms:
            deformation = np.linalg.solve(self._start.start_cell, self.atoms.cell.array)
            reference = reference @ deformation
        return np.linalg.norm(self.atoms.positions - reference, axis=1)

    def _check(self) -> str | None:
        """Return a description of a problem with the current structure, or None."""
        if self._target is not self.atoms:
            volume = abs(np.linalg.det(self._start.start_cell))
            factor = self.atoms.get_volume() / volume
            if not 1 / LARGEST_VOLUME_FACTOR < factor < LARGEST_VOLUME_FACTOR:
                return f"the volume is {factor:.3g} times the initial one: the cell is unstable"
        displacements = self._displacements()
        if not (displacements < LARGEST_DISPLACEMENT_A).all():
            finite = np.isfinite(displacements).any()
            farthest = int(np.nanargmax(displacements)) if finite else 0
            return (
                f"atom {farthest} ({self.atoms.symbols[farthest]}) has moved by "
                f"{displacements[farthest]:.1f} Å: the structure disintegrates"
            )
        try:
            problem = not_finite(self.atoms)
        except (ValueError, ArithmeticError, RuntimeError) as error:
            return f"the calculator failed: {error}"
        if problem is not None:
            return problem
        contact = closest_contact(self.atoms)
        return None if contact is None else f"the atoms collapse: {contact.describe(self.atoms)}"

    def _save(self) -> None:
        checkpoint = replace(
            self._start,
            step=self.step,
            atoms=given_atoms(self.atoms, self._settings),
            forces=self.atoms.get_forces(apply_constraint=False),
            optimizer=optimizer_state(self._optimizer),
            wall_time_s=self._wall_time_s,
            files={name: file.mark() for name, file in self._growing.items()},
        )
        with writing(self._files.checkpoint):
            write_relaxation_checkpoint(self._files.checkpoint, checkpoint)

    @property
    def _wall_time_s(self) -> float:
        return self._start.wall_time_s + perf_counter() - self._clock

    def _result(self, converged: bool, stopped: str | None) -> RelaxationResult:
        # After an alarm, the present structure is invalid; the last valid one is returned.
        positions, cell = self._last_valid
        self.atoms.set_cell(cell, apply_constraint=False)
        self.atoms.arrays["positions"] = positions
        final = given_atoms(self.atoms, self._settings).copy()
        return RelaxationResult(
            atoms=final,
            settings=self._settings,
            converged=converged,
            steps=max(self._written, 0),
            stopped=stopped,
            interrupted=self._interrupted,
            energy_eV=self._state.energy,
            energy_change_eV=self._state.energy - self._start.start_energy_eV,
            max_force_eV_per_A=self._state.force,
            max_stress_eV_per_A3=self._state.stress,
            displacements_A=self._displacements(),
            space_group=space_group(final, self._settings.symprec_A),
            wall_time_s=self._wall_time_s,
            notes=self._start.notes,
            structure=self._start.structure,
            calculator=describe_calculator(self.atoms.calc),
            charges=describe_charges(self.atoms),
            provenance=self._start.provenance,
            files=self._files,
        )


def growing_files(files: RunFiles) -> dict[str, GrowingFile]:
    """Return the files to which a relaxation appends, by name."""
    return {"trajectory": GrowingFile(files.trajectory), "log": GrowingFile(files.log)}


def given_atoms(atoms: Atoms, settings: RelaxationSettings) -> Atoms:
    """Return a copy with the given constraints, without the one from ``symmetry=True``."""
    copy = atoms.copy()
    if settings.symmetry:
        kept = [each for each in atoms.constraints if not isinstance(each, FixSymmetry)]
        copy.set_constraint(kept)
    return copy

"""Step after step down to a minimum, with alarms, log, frames and checkpoints."""

from __future__ import annotations

import math
from dataclasses import replace
from time import perf_counter

import numpy as np
import vesin
from ase import Atoms, units
from ase.calculators.abc import GetPropertiesMixin
from ase.constraints import FixSymmetry
from rich.console import Console

from ase_les.reports import terminal
from ase_les.runs.growing_files import mark_file
from ase_les.runs.output import RunFiles, write_summary
from ase_les.runs.provenance import describe_calculator
from ase_les.runs.stop_request import StopRequest
from ase_les.screening import describe_charges
from ase_les.simulation.checkpoint import RelaxationCheckpoint, write_relaxation_checkpoint
from ase_les.simulation.checks import CLOSEST_PAIR_A, not_finite
from ase_les.simulation.degrees_of_freedom import relaxed_target, space_group
from ase_les.simulation.observers import TrajectoryFrames
from ase_les.simulation.optimizers import make_optimizer, optimizer_state, restore_optimizer
from ase_les.simulation.relaxation_result import RelaxationResult, draw_convergence
from ase_les.simulation.relaxation_settings import RelaxationSettings

FARTHEST_A = 15.0
"""Å; an atom that has moved this far relative to the cell is on no way to a near minimum."""

LARGEST_STRETCH = 2.0
"""Factor by which the volume may grow or shrink before the cell counts as lost."""


class Descent:
    """The moving parts of a relaxation: made from a checkpoint, and able to make the next one.

    Parameters
    ----------
    start : RelaxationCheckpoint
    settings : RelaxationSettings
    atoms : Atoms
        With calculator and all constraints; moved in place.
    files : RunFiles
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
    ) -> None:
        self._start = start
        self._settings = settings
        self._files = files
        self._clock = perf_counter()
        self._interrupted = False
        self._kept = atoms.copy()
        self.step = start.step
        self.atoms = atoms
        self._target = relaxed_target(atoms, settings.cell, settings.pressure_bar, start.start_cell)
        self._optimizer = make_optimizer(settings.optimizer, self._target)
        if start.optimizer:
            restore_optimizer(self._optimizer, start.optimizer)

    def descend(self, console: Console) -> RelaxationResult:
        """Step to the minimum, or to the reason not to."""
        for note in self._start.notes:
            console.print(note, markup=False, highlight=False, soft_wrap=True)
        frames = TrajectoryFrames(self._files.trajectory, 1, self._optimizer.todict())
        try:
            with open(self._files.log, "a", encoding="utf-8", buffering=1) as log:
                converged, stopped, last = self._steps(log, frames, console)
        finally:
            frames.close()
        return self._finish(converged, stopped, *last)

    def _steps(
        self, log, frames: TrajectoryFrames, console: Console
    ) -> tuple[bool, str | None, tuple[float, float, float]]:
        """Do the steps; return whether they converged, why they ended early, and the last energy
        (eV), largest force (eV/Å) and stress (eV/Å³)."""
        stride = self._settings.checkpoint_stride
        written = self._start.step if self._start.files else -1
        last = (math.nan, math.nan, math.nan)
        with StopRequest() as stop, terminal.progress_bar(console) as progress:
            bar = progress.add_task("relaxation", total=self._settings.steps, status="")
            while True:
                saves = self.step % stride == 0 and self.step > written
                if saves and self.step > 0:
                    # What the calculator remembers of earlier steps, a restart would not know.
                    forget(self.atoms.calc)
                problem = self._unphysical()
                if problem is not None:
                    return False, f"step {self.step}: {problem}", last
                last = energy, force, stress = self._progress()
                if self.step > written:
                    if self.step == 0:
                        log.write(self.HEADER)
                    log.write(f"{self.step:8d} {energy:18.8f} {force:16.8f} {stress:19.10f}\n")
                    frames.write(without_symmetry(self.atoms))
                    written = self.step
                if saves:
                    self._save()
                self._kept = self.atoms.copy()
                progress.update(
                    bar,
                    completed=self.step,
                    status=f"E {energy:.4f} eV, max force {force:.4f} eV/Å",
                )
                stress_bar = stress / units.bar
                # A fixed cell has no stress to converge: nan is not above any bound.
                if force < self._settings.fmax and not stress_bar >= self._settings.smax_bar:
                    return True, None, last
                if self.step >= self._settings.steps:
                    return False, None, last
                if stop.received is not None:
                    self._interrupted = True
                    return False, f"step {self.step}: {stop.received} received", last
                try:
                    self._optimizer.step()
                except (ValueError, ArithmeticError, RuntimeError) as error:
                    return False, f"step {self.step + 1}: {error}", last
                self.step += 1

    def _progress(self) -> tuple[float, float, float]:
        force = float(np.linalg.norm(self.atoms.get_forces(), axis=1).max())
        stress = math.nan
        if self._target is not self.atoms:
            # The filter takes the pressure off and leaves out what does not relax.
            self._target.get_forces()
            stress = float(np.abs(self._target.stress).max())
        return float(self.atoms.get_potential_energy()), force, stress

    def _displacements(self) -> np.ndarray:
        """Ways of the atoms since the start in Å, the strain of the cell taken out."""
        carried = self._start.start_positions
        if self._target is not self.atoms:
            deformation = np.linalg.solve(self._start.start_cell, self.atoms.cell.array)
            carried = carried @ deformation
        return np.linalg.norm(self.atoms.positions - carried, axis=1)

    def _unphysical(self) -> str | None:
        if self._target is not self.atoms:
            volume = abs(np.linalg.det(self._start.start_cell))
            factor = self.atoms.get_volume() / volume
            if not 1 / LARGEST_STRETCH < factor < LARGEST_STRETCH:
                return f"the volume is {factor:.3g} times that of the start: the cell is lost"
        ways = self._displacements()
        if not (ways < FARTHEST_A).all():
            farthest = int(np.nanargmax(ways)) if np.isfinite(ways).any() else 0
            return (
                f"atom {farthest} ({self.atoms.symbols[farthest]}) has moved by "
                f"{ways[farthest]:.1f} Å: the atoms fly apart"
            )
        try:
            problem = not_finite(self.atoms)
        except (ValueError, ArithmeticError, RuntimeError) as error:
            return f"the calculator failed: {error}"
        if problem is not None:
            return problem
        return _collapsed(self.atoms)

    def _save(self) -> None:
        checkpoint = replace(
            self._start,
            step=self.step,
            atoms=without_symmetry(self.atoms),
            forces=self.atoms.get_forces(apply_constraint=False),
            optimizer=optimizer_state(self._optimizer),
            wall_time_s=self._wall_time_s,
            files={
                "trajectory": mark_file(self._files.trajectory),
                "log": mark_file(self._files.log),
            },
        )
        write_relaxation_checkpoint(self._files.checkpoint, checkpoint)

    @property
    def _wall_time_s(self) -> float:
        return self._start.wall_time_s + perf_counter() - self._clock

    def _finish(
        self, converged: bool, stopped: str | None, energy: float, force: float, stress: float
    ) -> RelaxationResult:
        """Turn the log into a result; write summary and figure."""
        # After an alarm the atoms are where nothing is defined; the last good ones count.
        history = np.loadtxt(self._files.log, ndmin=2)
        kept = without_symmetry(self._kept)
        self.atoms.set_cell(kept.cell)
        self.atoms.arrays["positions"] = kept.positions.copy()
        result = RelaxationResult(
            atoms=kept,
            settings=self._settings,
            converged=converged,
            steps=len(history) - 1,
            stopped=stopped,
            interrupted=self._interrupted,
            energy_eV=energy,
            energy_change_eV=energy - self._start.start_energy_eV,
            max_force_eV_per_A=force,
            max_stress_eV_per_A3=stress,
            max_displacement_A=float(self._displacements().max()),
            space_group=space_group(kept, self._settings.symprec_A),
            wall_time_s=self._wall_time_s,
            notes=self._start.notes,
            structure=self._start.structure,
            calculator=describe_calculator(self.atoms.calc),
            charges=describe_charges(self.atoms),
            provenance=self._start.provenance,
            files=self._files,
        )
        draw_convergence(self._files.figure, history, self._settings)
        write_summary(self._files.summary, result.summary())
        return result


def without_symmetry(atoms: Atoms) -> Atoms:
    """A copy without the symmetry condition, which belongs to the run; calculator and all."""
    copy = atoms.copy()
    copy.set_constraint([each for each in atoms.constraints if not isinstance(each, FixSymmetry)])
    copy.calc = atoms.calc
    return copy


def _collapsed(atoms: Atoms) -> str | None:
    """Say which atoms sit on each other, if any."""
    finder = vesin.NeighborList(cutoff=CLOSEST_PAIR_A, full_list=False, n_threads=1)
    first, second, distance = finder.compute(
        points=atoms.positions,
        box=atoms.cell.array,
        periodic=atoms.pbc.tolist(),
        quantities="ijd",
    )
    if len(first) == 0:
        return None
    closest = int(distance.argmin())
    return (
        f"atoms collapse: {first[closest]} and {second[closest]} are {distance[closest]:.3f} Å "
        "apart (periodic images included)"
    )


def forget(calculator: GetPropertiesMixin) -> None:
    """Let a calculator lose what it remembers of earlier structures, if it can."""
    if hasattr(calculator, "reset"):
        calculator.reset()

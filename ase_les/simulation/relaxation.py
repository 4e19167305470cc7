"""Relaxation of atoms, and of the cell if asked, to a minimum of the energy.

Optimizers, filters and constraints are ASE's. A relaxation can be stopped at any moment and goes
on from its last checkpoint with the steps it would have taken.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from time import perf_counter

import numpy as np
import vesin
from ase import Atoms, units
from ase.calculators.abc import GetPropertiesMixin
from ase.constraints import FixSymmetry
from rich.console import Console

from ase_les import reporting
from ase_les.reporting import Panel
from ase_les.simulation.checkpoint import RunFiles, StopRequest, mark_file, rewind_file
from ase_les.simulation.checks import (
    CLOSEST_PAIR_A,
    check_start,
    check_structure,
    not_finite,
    structural_differences,
)
from ase_les.simulation.degrees_of_freedom import (
    CELLS,
    atoms_held_below,
    check_cell_can_relax,
    relaxed_target,
    space_group,
    with_symmetry_kept,
)
from ase_les.simulation.observers import TrajectoryFrames
from ase_les.simulation.optimizers import (
    OPTIMIZERS,
    make_optimizer,
    optimizer_state,
    restore_optimizer,
)
from ase_les.simulation.relaxation_checkpoint import (
    RelaxationCheckpoint,
    read_relaxation_checkpoint,
    write_relaxation_checkpoint,
)

SAME_MODEL_FORCES = 1e-3
"""eV/Å; rounding on another machine stays far below, another model far above."""

FARTHEST_A = 15.0
"""Å; an atom that has moved this far relative to the cell is on no way to a near minimum."""

LARGEST_STRETCH = 2.0
"""Factor by which the volume may grow or shrink before the cell counts as lost."""


@dataclass(frozen=True)
class RelaxationSettings:
    """How a structure is relaxed.

    Attributes
    ----------
    optimizer : str
        ``"bfgs"`` (fewest steps; its own cost grows with the cube of the number of atoms),
        ``"lbfgs"`` (for more than some hundred atoms) or ``"fire"`` (robust far from a minimum).
    fmax : float
        Converged when no force on a free atom is larger, in eV/Å, and
    smax_bar : float
        when no relaxed component of the stress differs by more from the pressure, in bar. For a
        slab the stress refers to the whole cell, vacuum included. Of no effect on a fixed cell.
    cell : str
        ``"fixed"``; ``"full"``: all six strains; ``"isotropic"``: the volume alone;
        ``"in-plane"``: the two vectors along a slab, whose normal must be x, y or z.
        Fixed atoms follow the strain.
    pressure_bar : float
        Outer pressure, in bar; positive compresses.
    symmetry : bool
        Make the structure exactly symmetric within `symprec_A`, and keep its space group. Needs
        spglib.
    symprec_A : float
        Tolerance of the symmetry, in Å.
    fix_below_A : float or None
        Hold the atoms with z below this, in Å: the bottom of a slab.
    steps : int
        Most steps to take.
    checkpoint_stride : int
        Steps between checkpoints; a run that was killed repeats the ones since the last.

    Raises
    ------
    ValueError
        If a value is impossible.
    """

    optimizer: str = "bfgs"
    fmax: float = 0.01
    smax_bar: float = 100.0
    cell: str = "fixed"
    pressure_bar: float = 0.0
    symmetry: bool = False
    symprec_A: float = 0.01
    fix_below_A: float | None = None
    steps: int = 500
    checkpoint_stride: int = 10

    def __post_init__(self) -> None:
        if self.optimizer not in OPTIMIZERS:
            raise ValueError(
                f"`optimizer` must be one of {tuple(OPTIMIZERS)}, got {self.optimizer!r}"
            )
        if self.cell not in CELLS:
            raise ValueError(f"`cell` must be one of {CELLS}, got {self.cell!r}")
        for name in ("fmax", "smax_bar", "symprec_A"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise ValueError(f"`{name}` must be positive and finite, got {value}")
        if not math.isfinite(self.pressure_bar):
            raise ValueError(f"`pressure_bar` must be finite, got {self.pressure_bar}")
        if self.pressure_bar and self.cell not in ("full", "isotropic"):
            raise ValueError(
                f"`pressure_bar` = {self.pressure_bar:g} acts on a cell that may relax: use "
                "cell='full' or 'isotropic'"
            )
        if self.fix_below_A is not None and not math.isfinite(self.fix_below_A):
            raise ValueError(f"`fix_below_A` must be finite, got {self.fix_below_A}")
        if not isinstance(self.steps, int) or self.steps < 0:
            raise ValueError(f"`steps` must be an integer of at least 0, got {self.steps!r}")
        if not isinstance(self.checkpoint_stride, int) or self.checkpoint_stride < 1:
            raise ValueError(
                f"`checkpoint_stride` must be an integer of at least 1, got "
                f"{self.checkpoint_stride!r}"
            )


@dataclass(frozen=True)
class RelaxationResult:
    """The outcome of a relaxation; look at `converged` first.

    Attributes
    ----------
    atoms : Atoms
        The last structure with the constraints that were given, without calculator.
    converged : bool
        Whether forces and stress are below `fmax` and `smax_bar`.
    steps : int
    stopped : str or None
        Why it ended neither converged nor after all steps; else None.
    interrupted : bool
        Whether that was by Ctrl-C or SIGTERM, so that there is more to do.
    energy_eV, energy_change_eV : float
        At the end, and since the start; without the work of the outer pressure.
    max_force_eV_per_A : float
        Largest force on a free atom.
    max_stress_eV_per_A3 : float
        Largest difference of a relaxed stress component from the pressure; nan when the cell is
        fixed.
    max_displacement_A : float
        Largest way of an atom relative to the cell.
    space_group : str or None
        At the end, within `symprec_A`; None without spglib or without a lattice.
    notes : tuple of str
        What was done to the structure before the first step, and at restarts.
    structure, calculator, provenance : mapping
        What was relaxed, and with what; as written in the summary.
    files : RunFiles
    """

    atoms: Atoms
    settings: RelaxationSettings
    converged: bool
    steps: int
    stopped: str | None
    interrupted: bool
    energy_eV: float
    energy_change_eV: float
    max_force_eV_per_A: float
    max_stress_eV_per_A3: float
    max_displacement_A: float
    space_group: str | None
    wall_time_s: float
    notes: tuple[str, ...]
    structure: Mapping[str, object]
    calculator: Mapping[str, object]
    provenance: Mapping[str, object]
    files: RunFiles

    def summary(self) -> dict[str, object]:
        """What the summary file says."""
        return {
            "task": "relaxation",
            "input": {
                "structure": self.structure,
                "calculator": self.calculator,
                "settings": self.settings,
                "provenance": self.provenance,
            },
            "notes": self.notes,
            "results": {
                "converged": self.converged,
                "stopped": self.stopped,
                "steps": self.steps,
                "energy_eV": self.energy_eV,
                "energy_change_eV": self.energy_change_eV,
                "max_force_eV_per_A": self.max_force_eV_per_A,
                "max_stress_eV_per_A3": self.max_stress_eV_per_A3,
                "max_displacement_A": self.max_displacement_A,
                "space_group": self.space_group,
                "cell_A": self.atoms.cell.tolist(),
                "wall_time_s": self.wall_time_s,
            },
            "files": self.files.as_summary(),
        }


def relax(
    atoms: Atoms,
    *,
    output: str | Path = "relaxed",
    overwrite: bool = False,
    quiet: bool = False,
    provenance: Mapping[str, object] | None = None,
    **settings: object,
) -> RelaxationResult:
    """Relax a structure and write trajectory, log, checkpoint, summary and convergence figure.

    Parameters
    ----------
    atoms : Atoms
        With a calculator; its constraints are obeyed. Not changed: the relaxed atoms are in the
        result and last in ``<output>.traj``.
    output : str or Path
        Stem of the files: ``<output>.traj``, ``.log``, ``.checkpoint``, ``-summary.yml`` and
        ``.png``.
    overwrite : bool
        Allow an earlier run of that name to be replaced.
    quiet : bool
        Print nothing.
    provenance : mapping, optional
        Where structure and calculator came from (plain values); recorded in summary and
        checkpoint.
    **settings
        Fields of :class:`RelaxationSettings`: `optimizer`, `fmax`, `smax_bar`, `cell`,
        `pressure_bar`, `symmetry`, `symprec_A`, `fix_below_A`, `steps`, `checkpoint_stride`.

    Returns
    -------
    RelaxationResult
        With `converged` false after `steps` steps, after Ctrl-C, when energy or forces cease to
        be finite, or when atoms fly apart or collapse.

    Raises
    ------
    ValueError
        If settings or structure are impossible; nothing has been written then.
    FileExistsError
        If a run of that name exists and `overwrite` is false.
    """
    chosen = make_settings(**settings)
    run = begin(atoms, chosen, RunFiles(Path(output)), overwrite, provenance)
    console = reporting.console(quiet)
    result = run.descend(console)
    tell(console, result)
    return result


def resume_relaxation(
    output: str | Path,
    calculator: GetPropertiesMixin,
    *,
    steps: int | None = None,
    atoms: Atoms | None = None,
    quiet: bool = False,
    **expected: object,
) -> RelaxationResult:
    """Go on from the last checkpoint of a relaxation, as if it had never stopped.

    Log and trajectory are cut back to the checkpoint; the steps after it are computed again. With
    the same calculator on the same machine the steps are identical, bit for bit, to those of an
    uninterrupted run, provided that the calculator's ``reset()`` makes it forget everything.

    Parameters
    ----------
    output : str or Path
        Stem of the run's files.
    calculator : ASE calculator
        The same as before; recognized by its model hash and by the forces it gives.
    steps : int, optional
        A new number of most steps, counted from the start of the run.
    atoms : Atoms, optional
        The structure the run is believed to be of.
    quiet : bool
        Print nothing.
    **expected
        Fields of :class:`RelaxationSettings` the run is believed to have.

    Raises
    ------
    FileNotFoundError
        If there is no such run.
    ValueError
        If settings, structure or calculator are not those of the run, naming what differs, or
        if its files have been cut.
    """
    run = come_back(RunFiles(Path(output)), calculator, steps, atoms, expected)
    console = reporting.console(quiet)
    result = run.descend(console)
    tell(console, result)
    return result


def make_settings(**given: object) -> RelaxationSettings:
    """Settings from keywords; an unknown one is a ValueError that lists those there are."""
    known = [field.name for field in fields(RelaxationSettings)]
    unknown = sorted(set(given) - set(known))
    if unknown:
        raise ValueError(
            f"a relaxation has no setting {', '.join(unknown)}; it has {', '.join(known)}"
        )
    return RelaxationSettings(**given)


def begin(
    atoms: Atoms,
    settings: RelaxationSettings,
    files: RunFiles,
    overwrite: bool,
    provenance: Mapping[str, object] | None,
) -> Descent:
    """Check everything, make room for the files, and stand before the first step."""
    check_structure(atoms)
    moving, notes = _prepared(atoms, settings)
    check_cell_can_relax(moving, settings.cell)
    # Whatever the calculator remembers of other structures must not decide any digit.
    _reset(moving.calc)
    check_start(moving)
    origin = RelaxationCheckpoint(
        step=0,
        atoms=_without_symmetry(moving),
        forces=moving.get_forces(apply_constraint=False),
        start_positions=moving.positions.copy(),
        start_cell=moving.cell.array.copy(),
        start_energy_eV=float(moving.get_potential_energy()),
        optimizer={},
        settings=asdict(settings),
        provenance=reporting.plain(provenance or {}),
        structure=reporting.plain(reporting.describe_structure(atoms)),
        notes=notes,
        model_hash=getattr(atoms.calc, "model_hash", None),
        wall_time_s=0.0,
        files={},
    )
    files.make_room(overwrite)
    return Descent(origin, settings, moving, files)


def come_back(
    files: RunFiles,
    calculator: GetPropertiesMixin,
    steps: int | None,
    atoms: Atoms | None,
    expected: Mapping[str, object],
) -> Descent:
    """Stand where the last checkpoint was written."""
    checkpoint = read_relaxation_checkpoint(files.checkpoint)
    settings = RelaxationSettings(**checkpoint.settings)
    _refuse_differences(files, checkpoint, settings, calculator, atoms, expected)
    if steps is not None:
        if steps < checkpoint.step:
            raise ValueError(
                f"{files.stem} is at step {checkpoint.step} already, got steps={steps}: `steps` "
                "counts from the start of the run"
            )
        settings = replace(settings, steps=steps)
    moving = checkpoint.atoms.copy()
    if settings.symmetry:
        start = checkpoint.atoms.copy()
        start.set_cell(checkpoint.start_cell)
        start.arrays["positions"] = checkpoint.start_positions.copy()
        kept = with_symmetry_kept(start, settings.symprec_A)
        moving.set_constraint(kept.constraints)
    moving.calc = calculator
    _reset(calculator)
    deviation = float(np.abs(moving.get_forces(apply_constraint=False) - checkpoint.forces).max())
    if not deviation <= SAME_MODEL_FORCES:
        raise ValueError(
            f"the calculator's forces at step {checkpoint.step} of {files.stem} differ by up to "
            f"{deviation:.3g} eV/Å from those of the run: it is another model or has other "
            "settings. Resume with the one named in the summary, or start a new run"
        )
    notes = [*checkpoint.notes, f"resumed at step {checkpoint.step}"]
    if deviation > 0:
        notes.append(
            f"forces at the restart differ by {deviation:.1e} eV/Å (another machine or number of "
            "threads, or a calculator whose reset() keeps something): a valid continuation, though "
            "not the identical steps"
        )
    rewind_file(files.trajectory, checkpoint.files["trajectory"])
    rewind_file(files.log, checkpoint.files["log"])
    here = replace(checkpoint, settings=asdict(settings), notes=tuple(notes))
    return Descent(here, settings, moving, files)


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
        with StopRequest() as stop, reporting.progress_bar(console) as progress:
            bar = progress.add_task("relaxation", total=self._settings.steps, status="")
            while True:
                saves = self.step % stride == 0 and self.step > written
                if saves and self.step > 0:
                    # What the calculator remembers of earlier steps, a restart would not know.
                    _reset(self.atoms.calc)
                problem = self._unphysical()
                if problem is not None:
                    return False, f"step {self.step}: {problem}", last
                last = energy, force, stress = self._progress()
                if self.step > written:
                    if self.step == 0:
                        log.write(self.HEADER)
                    log.write(f"{self.step:8d} {energy:18.8f} {force:16.8f} {stress:19.10f}\n")
                    frames.write(_without_symmetry(self.atoms))
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
            atoms=_without_symmetry(self.atoms),
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
        kept = _without_symmetry(self._kept)
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
            calculator=reporting.describe_calculator(self.atoms.calc),
            provenance=self._start.provenance,
            files=self._files,
        )
        _draw(self._files.figure, history, self._settings)
        reporting.write_summary(self._files.summary, result.summary())
        return result


def _prepared(atoms: Atoms, settings: RelaxationSettings) -> tuple[Atoms, tuple[str, ...]]:
    """A copy with calculator, held atoms and symmetry, and what was done to it."""
    moving = atoms.copy()
    notes = []
    if settings.fix_below_A is not None:
        held = atoms_held_below(atoms, settings.fix_below_A)
        count = len(held.constraints[-1].index)
        notes.append(
            f"{count} of {len(atoms)} atoms held, those with z below {settings.fix_below_A:g} Å"
        )
        moving = held
    if settings.symmetry:
        symmetric = with_symmetry_kept(moving, settings.symprec_A)
        shift = float(np.linalg.norm(symmetric.positions - atoms.positions, axis=1).max())
        group = space_group(symmetric, settings.symprec_A)
        notes.append(f"space group {group} kept; atoms moved by up to {shift:.2g} Å into it")
        moving = symmetric
    moving.calc = atoms.calc
    return moving, tuple(notes)


def _without_symmetry(atoms: Atoms) -> Atoms:
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


def _reset(calculator: GetPropertiesMixin) -> None:
    if hasattr(calculator, "reset"):
        calculator.reset()


def _refuse_differences(
    files: RunFiles,
    checkpoint: RelaxationCheckpoint,
    settings: RelaxationSettings,
    calculator: GetPropertiesMixin,
    atoms: Atoms | None,
    expected: Mapping[str, object],
) -> None:
    make_settings(**expected)
    differences = [
        f"{name} is {getattr(settings, name)!r}, given {value!r}"
        for name, value in expected.items()
        if getattr(settings, name) != value
    ]
    model_hash = getattr(calculator, "model_hash", None)
    if model_hash != checkpoint.model_hash:
        differences.append(f"model hash is {checkpoint.model_hash}, given {model_hash}")
    if atoms is not None:
        start = checkpoint.atoms.copy()
        start.set_cell(checkpoint.start_cell)
        if settings.symmetry and np.allclose(start.cell, atoms.cell, atol=settings.symprec_A):
            # The run made the cell symmetric before it began.
            start.set_cell(atoms.cell)
        differences += structural_differences(start, atoms)
    if differences:
        raise ValueError(
            f"the run {files.stem} is another one: {'; '.join(differences)}. Leave out what "
            "should stay as it was, or start a new run with another output"
        )


def _draw(path: Path, history: np.ndarray, settings: RelaxationSettings) -> None:
    step, energy, force, stress = history.T
    bound = np.full(len(step), settings.smax_bar * units.bar)
    reporting.save_figure(
        path,
        step,
        "step",
        (
            Panel("energy − last (eV)", {"energy": energy - energy[-1]}),
            Panel(
                "largest force (eV/Å)",
                {"force": force, "fmax": np.full(len(step), settings.fmax)},
                logarithmic=True,
            ),
            Panel(
                "largest stress (eV/Å³)",
                {"stress": stress, "smax": np.where(np.isnan(stress), np.nan, bound)},
                logarithmic=True,
            ),
        ),
    )


def tell(console: Console, result: RelaxationResult) -> None:
    """Print the outcome, and loudly when it is no minimum."""
    rows = {
        "steps": result.steps,
        "energy (eV)": result.energy_eV,
        "energy change (eV)": result.energy_change_eV,
        "largest force (eV/Å)": result.max_force_eV_per_A,
        "largest displacement (Å)": result.max_displacement_A,
    }
    if result.settings.cell != "fixed":
        rows["largest stress (bar)"] = result.max_stress_eV_per_A3 / units.bar
    if result.space_group is not None:
        rows["space group"] = result.space_group
    console.print(reporting.results_table(str(result.files.stem), rows))
    if not result.converged:
        reason = result.stopped or f"{result.steps} steps were not enough"
        console.print(
            f"NOT CONVERGED: {reason}. The last structure is in {result.files.trajectory}; it is "
            "no minimum.",
            style="bold red",
            markup=False,
            soft_wrap=True,
        )
        console.print(f"Go on with: {_resume_command(result)}", markup=False, soft_wrap=True)


def _resume_command(result: RelaxationResult) -> str:
    more = "" if result.stopped else f" --steps {2 * max(result.settings.steps, 1)}"
    if "model" in result.provenance:
        return f"ase-les relax --resume {shlex.quote(str(result.files.stem))}{more}"
    return f'resume_relaxation("{result.files.stem}", calculator)'

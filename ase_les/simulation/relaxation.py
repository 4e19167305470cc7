"""Relaxation of atoms, and of the cell if asked, to a minimum of the energy.

The optimizers are ASE's.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import numpy as np
from ase import Atoms
from ase.filters import FrechetCellFilter
from ase.optimize import BFGS, FIRE, LBFGS
from rich.console import Console

from ase_les import reporting
from ase_les.reporting import Panel
from ase_les.simulation.checkpoint import RunFiles, StopRequest
from ase_les.simulation.checks import check_start, check_structure, not_finite
from ase_les.simulation.observers import TrajectoryFrames

OPTIMIZERS = {"bfgs": BFGS, "lbfgs": LBFGS, "fire": FIRE}
CELLS = ("fixed", "full")


@dataclass(frozen=True)
class RelaxationSettings:
    """How a structure is relaxed.

    Attributes
    ----------
    optimizer : str
        ``"bfgs"`` (fewest steps; its own cost grows with the cube of the number of atoms),
        ``"lbfgs"`` (for more than some hundred atoms) or ``"fire"`` (robust far from a minimum).
    fmax : float
        Converged when no force is larger, in eV/Å. With ``cell="full"`` the same number bounds
        the virial per atom, in eV.
    cell : str
        ``"fixed"``, or ``"full"`` to relax all six strains.
    steps : int
        Most steps to take.

    Raises
    ------
    ValueError
        If a value is impossible.
    """

    optimizer: str = "bfgs"
    fmax: float = 0.01
    cell: str = "fixed"
    steps: int = 500

    def __post_init__(self) -> None:
        if self.optimizer not in OPTIMIZERS:
            raise ValueError(
                f"`optimizer` must be one of {tuple(OPTIMIZERS)}, got {self.optimizer!r}"
            )
        if self.cell not in CELLS:
            raise ValueError(f"`cell` must be one of {CELLS}, got {self.cell!r}")
        if not (math.isfinite(self.fmax) and self.fmax > 0):
            raise ValueError(f"`fmax` must be positive and finite, got {self.fmax}")
        if not isinstance(self.steps, int) or self.steps < 0:
            raise ValueError(f"`steps` must be an integer of at least 0, got {self.steps!r}")


@dataclass(frozen=True)
class RelaxationResult:
    """The outcome of a relaxation; look at `converged` first.

    Attributes
    ----------
    atoms : Atoms
        The last structure, without calculator.
    converged : bool
        Whether `max_force_eV_per_A` is below `fmax`.
    steps : int
    stopped : str or None
        Why it ended neither converged nor after all steps; else None.
    energy_eV, energy_change_eV : float
        At the end, and since the start.
    max_force_eV_per_A : float
        Largest force on a free atom; with ``cell="full"`` the virial per atom takes part.
    max_stress_eV_per_A3 : float
        Largest stress component; nan when the cell is fixed.
    structure, calculator, provenance : mapping
        What was relaxed, and with what; as written in the summary.
    files : RunFiles
    """

    atoms: Atoms
    settings: RelaxationSettings
    converged: bool
    steps: int
    stopped: str | None
    energy_eV: float
    energy_change_eV: float
    max_force_eV_per_A: float
    max_stress_eV_per_A3: float
    wall_time_s: float
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
            "results": {
                "converged": self.converged,
                "stopped": self.stopped,
                "steps": self.steps,
                "energy_eV": self.energy_eV,
                "energy_change_eV": self.energy_change_eV,
                "max_force_eV_per_A": self.max_force_eV_per_A,
                "max_stress_eV_per_A3": self.max_stress_eV_per_A3,
                "cell_A": self.atoms.cell.tolist(),
                "wall_time_s": self.wall_time_s,
            },
            "files": self.files.as_summary(),
        }


def relax(
    atoms: Atoms,
    *,
    optimizer: str = RelaxationSettings.optimizer,
    fmax: float = RelaxationSettings.fmax,
    cell: str = RelaxationSettings.cell,
    steps: int = RelaxationSettings.steps,
    output: str | Path = "relaxed",
    overwrite: bool = False,
    quiet: bool = False,
    provenance: Mapping[str, object] | None = None,
) -> RelaxationResult:
    """Relax a structure and write trajectory, log, summary and convergence figure.

    Parameters
    ----------
    atoms : Atoms
        With a calculator; its constraints are obeyed. Not changed: the relaxed atoms are in the
        result and last in ``<output>.traj``.
    optimizer, fmax, cell, steps
        See :class:`RelaxationSettings`.
    output : str or Path
        Stem of the files: ``<output>.traj``, ``.log``, ``-summary.yml`` and ``.png``.
    overwrite : bool
        Allow an earlier run of that name to be replaced.
    quiet : bool
        Print nothing.
    provenance : mapping, optional
        Where structure and calculator came from (plain values); recorded in the summary.

    Returns
    -------
    RelaxationResult
        With `converged` false after `steps` steps, after Ctrl-C, or when energy or forces cease
        to be finite.

    Raises
    ------
    ValueError
        If settings or structure are impossible, or ``cell="full"`` meets an open boundary or a
        calculator without stress; nothing has been written then.
    FileExistsError
        If a run of that name exists and `overwrite` is false.
    """
    settings = RelaxationSettings(optimizer=optimizer, fmax=fmax, cell=cell, steps=steps)
    check_structure(atoms)
    if settings.cell == "full":
        _check_cell_can_relax(atoms)
    check_start(atoms)
    files = RunFiles(Path(output))
    files.make_room(overwrite)

    began = perf_counter()
    moving = atoms.copy()
    moving.calc = atoms.calc
    console = reporting.console(quiet)
    converged, stopped, history = _descend(moving, settings, files, console)
    result = RelaxationResult(
        atoms=moving.copy(),
        settings=settings,
        converged=converged,
        steps=len(history) - 1,
        stopped=stopped,
        energy_eV=history[-1, 0],
        energy_change_eV=history[-1, 0] - history[0, 0],
        max_force_eV_per_A=history[-1, 1],
        max_stress_eV_per_A3=history[-1, 2],
        wall_time_s=perf_counter() - began,
        structure=reporting.describe_structure(atoms),
        calculator=reporting.describe_calculator(atoms.calc),
        provenance=reporting.plain(provenance or {}),
        files=files,
    )
    _draw(files.figure, history, settings)
    reporting.write_summary(files.summary, result.summary())
    _tell(console, result)
    return result


def _descend(
    atoms: Atoms, settings: RelaxationSettings, files: RunFiles, console: Console
) -> tuple[bool, str | None, np.ndarray]:
    """Move the atoms in place; return converged, stopped and the (steps + 1, 3) history of energy
    (eV), largest force (eV/Å) and largest stress (eV/Å³)."""
    target = FrechetCellFilter(atoms) if settings.cell == "full" else atoms
    optimizer = OPTIMIZERS[settings.optimizer](target, logfile=None)
    frames = TrajectoryFrames(files.trajectory, 1, optimizer.todict())
    history: list[tuple[float, float, float]] = []
    stopped = None
    with (
        open(files.log, "w", encoding="utf-8", buffering=1) as log,
        StopRequest() as stop,
        reporting.progress_bar(console) as progress,
    ):
        log.write(
            f"{'# step':>8} {'energy[eV]':>18} {'max_force[eV/A]':>16} {'max_stress[eV/A^3]':>19}\n"
        )
        bar = progress.add_task("relaxation", total=settings.steps, status="")
        for converged in optimizer.irun(fmax=settings.fmax, steps=settings.steps):
            stopped = not_finite(atoms)
            if stopped is not None:
                converged = False
                break
            energy, force, stress = _progress_of(atoms, target)
            log.write(f"{len(history):8d} {energy:18.8f} {force:16.8f} {stress:19.10f}\n")
            frames.write(atoms)
            progress.update(
                bar, completed=len(history), status=f"E {energy:.4f} eV, max force {force:.4f} eV/Å"
            )
            history.append((energy, force, stress))
            if stop.received is not None and not converged:
                stopped = f"{stop.received} received"
                break
        frames.close()
    if stopped is not None:
        stopped = f"step {len(history)}: {stopped}"
    return bool(converged), stopped, np.array(history)


def _progress_of(atoms: Atoms, target: Atoms | FrechetCellFilter) -> tuple[float, float, float]:
    force = float(np.linalg.norm(target.get_forces(), axis=1).max())
    stress = math.nan if target is atoms else float(np.abs(atoms.get_stress()).max())
    return atoms.get_potential_energy(), force, stress


def _check_cell_can_relax(atoms: Atoms) -> None:
    if not atoms.pbc.all():
        raise ValueError(
            f"cell='full' needs three periodic directions, pbc is {atoms.pbc.tolist()}: vacuum "
            "has no pressure to balance. Use cell='fixed'"
        )
    if "stress" not in getattr(atoms.calc, "implemented_properties", ()):
        raise ValueError(
            f"cell='full' needs the stress, which {type(atoms.calc).__name__} does not give; use "
            "cell='fixed' or another calculator"
        )


def _draw(path: Path, history: np.ndarray, settings: RelaxationSettings) -> None:
    reporting.save_figure(
        path,
        np.arange(len(history)),
        "step",
        (
            Panel("energy − last (eV)", {"energy": history[:, 0] - history[-1, 0]}),
            Panel(
                "largest force (eV/Å)",
                {"force": history[:, 1], "fmax": np.full(len(history), settings.fmax)},
                logarithmic=True,
            ),
            Panel("largest stress (eV/Å³)", {"stress": history[:, 2]}),
        ),
    )


def _tell(console: Console, result: RelaxationResult) -> None:
    rows = {
        "steps": result.steps,
        "energy (eV)": result.energy_eV,
        "energy change (eV)": result.energy_change_eV,
        "largest force (eV/Å)": result.max_force_eV_per_A,
    }
    if result.settings.cell == "full":
        rows["largest stress (eV/Å³)"] = result.max_stress_eV_per_A3
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

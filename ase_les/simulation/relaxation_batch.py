"""Many structures relaxed one after another: what fails is written down, and the rest goes on."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from time import perf_counter

from ase import Atoms, units
from ase.calculators.abc import GetPropertiesMixin
from ase.io import read
from rich.console import Console
from rich.table import Table

from ase_les.reports import terminal
from ase_les.runs.output import BatchFiles, replace_file, write_summary, write_trajectory
from ase_les.runs.provenance import describe_calculator, plain
from ase_les.runs.stop_request import StopRequest
from ase_les.simulation.relaxation import begin, come_back
from ase_les.simulation.relaxation_result import RelaxationResult
from ase_les.simulation.relaxation_settings import RelaxationSettings, make_settings

FORMAT = "relaxations 1"


@dataclass(frozen=True)
class RelaxationOutcome:
    """One line of the table.

    Attributes
    ----------
    name, formula : str
    converged : bool
    steps : int
    energy_eV, energy_per_atom_eV, energy_change_eV, max_force_eV_per_A, max_stress_bar : float
        nan where the structure could not be relaxed, or the cell is fixed.
    wall_time_s : float
    problem : str or None
        What went wrong, if anything did; too few steps are no problem but no convergence.
    """

    name: str
    formula: str
    converged: bool
    steps: int
    energy_eV: float
    energy_per_atom_eV: float
    energy_change_eV: float
    max_force_eV_per_A: float
    max_stress_bar: float
    wall_time_s: float
    problem: str | None


@dataclass(frozen=True)
class RelaxationBatchResult:
    """The outcomes of many relaxations.

    Attributes
    ----------
    outcomes : tuple of RelaxationOutcome
        In the order of the structures; those not reached are missing.
    structures : int
        That were given.
    stopped : str or None
        Why structures were not reached; None when all were.
    """

    settings: RelaxationSettings
    outcomes: tuple[RelaxationOutcome, ...]
    structures: int
    stopped: str | None
    calculator: Mapping[str, object]
    provenance: Mapping[str, object]
    files: BatchFiles

    @property
    def converged(self) -> bool:
        """Whether every structure was relaxed to convergence."""
        return len(self.outcomes) == self.structures and all(
            each.converged for each in self.outcomes
        )

    def summary(self) -> dict[str, object]:
        """What the summary file says."""
        return {
            "task": "relaxation of many structures",
            "input": {
                "structures": self.structures,
                "calculator": self.calculator,
                "settings": self.settings,
                "provenance": self.provenance,
            },
            "results": {
                "stopped": self.stopped,
                "relaxed": len(self.outcomes),
                "converged": sum(each.converged for each in self.outcomes),
                "failed": sum(each.problem is not None for each in self.outcomes),
                "wall_time_s": sum(each.wall_time_s for each in self.outcomes),
                "table": [asdict(each) for each in self.outcomes],
            },
            "files": {
                "input": self.files.input.name,
                **({"relaxed": self.files.relaxed.name} if self.files.relaxed.exists() else {}),
                "of_each": f"{self.files.of(0).stem.name}.traj and so on",
            },
        }


def relax_many(
    structures: Sequence[Atoms],
    calculator: GetPropertiesMixin,
    *,
    names: Sequence[str] | None = None,
    output: str | Path = "relaxed",
    overwrite: bool = False,
    quiet: bool = False,
    provenance: Mapping[str, object] | None = None,
    **settings: object,
) -> RelaxationBatchResult:
    """Relax structures one after another.

    Each has files of its own, ``<output>-0001.traj`` and so on, as :func:`relax` writes them. The
    last structures of all are in ``<output>-relaxed.traj``, the table in
    ``<output>-summary.yml``.

    Parameters
    ----------
    structures : sequence of Atoms
        Not changed; their own calculators are not used.
    calculator : ASE calculator
    names : sequence of str, optional
        For the table; by default numbers.
    output : str or Path
        Stem of the files.
    overwrite : bool
        Allow earlier files of that name to be replaced.
    quiet : bool
        Print nothing.
    provenance : mapping, optional
        Where structures and calculator came from (plain values).
    **settings
        Fields of :class:`RelaxationSettings`.

    Returns
    -------
    RelaxationBatchResult
        A structure that cannot be relaxed, or whose calculation fails, is in it with its
        `problem`; the others are relaxed all the same.

    Raises
    ------
    ValueError
        If the settings are impossible or there is no structure; nothing has been written then.
    FileExistsError
        If files of that name exist and `overwrite` is false.
    """
    chosen = make_settings(**settings)
    if len(structures) == 0:
        raise ValueError("no structure to relax")
    if names is None:
        names = [str(number + 1) for number in range(len(structures))]
    if len(names) != len(structures):
        raise ValueError(f"{len(structures)} structures have {len(names)} `names`")
    files = BatchFiles(Path(output))
    files.prepare_batch(len(structures), overwrite)
    write_trajectory(files.input, structures)
    batch = _Batch(
        files=files,
        # Read back, so that a resumed batch starts from the very same structures.
        structures=read(files.input, index=":"),
        calculator=calculator,
        settings=chosen,
        names=tuple(map(str, names)),
        provenance=plain(provenance or {}),
        outcomes={},
    )
    batch.save()
    return batch.work(terminal.console(quiet))


def resume_relaxations(
    output: str | Path,
    calculator: GetPropertiesMixin,
    *,
    steps: int | None = None,
    quiet: bool = False,
    **expected: object,
) -> RelaxationBatchResult:
    """Go on with :func:`relax_many` where it was stopped, in the middle of a structure if need be.

    Parameters
    ----------
    output : str or Path
        Stem of the files.
    calculator : ASE calculator
        The same as before.
    steps : int, optional
        A new number of most steps for each structure; those that ran out of steps go on too.
    quiet : bool
        Print nothing.
    **expected
        Fields of :class:`RelaxationSettings` the batch is believed to have.

    Raises
    ------
    FileNotFoundError
        If there is no such batch.
    ValueError
        If settings or calculator are not those of the batch, naming what differs.
    """
    files = BatchFiles(Path(output))
    stored = read_batch(files)
    settings = RelaxationSettings(**stored["settings"])
    make_settings(**expected)
    differences = [
        f"{name} is {getattr(settings, name)!r}, given {value!r}"
        for name, value in expected.items()
        if getattr(settings, name) != value
    ]
    model_hash = getattr(calculator, "model_hash", None)
    if model_hash != stored["model_hash"]:
        differences.append(f"model hash is {stored['model_hash']}, given {model_hash}")
    if differences:
        raise ValueError(
            f"the relaxations {files.stem} are others: {'; '.join(differences)}. Leave out what "
            "should stay as it was, or choose another output"
        )
    outcomes = {int(index): RelaxationOutcome(**each) for index, each in stored["outcomes"].items()}
    if steps is not None:
        settings = replace(settings, steps=steps)
        outcomes = {
            index: each
            for index, each in outcomes.items()
            if each.converged or each.problem or each.steps >= steps
        }
    batch = _Batch(
        files=files,
        structures=read(files.input, index=":"),
        calculator=calculator,
        settings=settings,
        names=tuple(stored["names"]),
        provenance=stored["provenance"],
        outcomes=outcomes,
    )
    return batch.work(terminal.console(quiet))


def read_batch(files: BatchFiles) -> dict:
    """What is recorded of a batch.

    Raises
    ------
    FileNotFoundError
        If there is no batch of that name.
    ValueError
        If the record is not one this version can read.
    """
    if not files.state.exists():
        raise FileNotFoundError(f"no relaxations at {files.state}; resume takes the stem of them")
    try:
        stored = json.loads(files.state.read_text(encoding="utf-8"))
        known = stored["format"]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{files.state} is no record of relaxations: {error}") from error
    if known != FORMAT:
        raise ValueError(f"{files.state} has format {known}, this version reads {FORMAT}")
    return stored


@dataclass
class _Batch:
    """The structures, and what has become of them so far."""

    files: BatchFiles
    structures: Sequence[Atoms]
    calculator: GetPropertiesMixin
    settings: RelaxationSettings
    names: tuple[str, ...]
    provenance: Mapping[str, object]
    outcomes: dict[int, RelaxationOutcome]

    def save(self) -> None:
        record = {
            "format": FORMAT,
            "settings": asdict(self.settings),
            "provenance": self.provenance,
            "model_hash": getattr(self.calculator, "model_hash", None),
            "names": self.names,
            "outcomes": {index: asdict(each) for index, each in self.outcomes.items()},
        }
        replace_file(self.files.state, json.dumps(record, indent=1).encode())

    def work(self, console: Console) -> RelaxationBatchResult:
        """Relax what is left, and report on all."""
        with StopRequest() as stop:
            stopped = self._relax_all(stop, console)
        return self._finish(stopped, console)

    def _relax_all(self, stop: StopRequest, console: Console) -> str | None:
        """Relax what is left; return why something still is, if so."""
        left = [index for index in range(len(self.structures)) if index not in self.outcomes]
        for index in left:
            # The one within a relaxation hears of what comes then; this one of the rest.
            if stop.received is not None:
                return f"{stop.received} received before structure {self.names[index]}"
            outcome, stopped = self._relax(index)
            if stopped is not None:
                return f"structure {self.names[index]}, {stopped}"
            self.outcomes[index] = outcome
            self.save()
            console.print(
                f"{index + 1}/{len(self.structures)} {outcome.name}: {_in_words(outcome)}",
                markup=False,
                highlight=False,
                soft_wrap=True,
            )
        return None

    def _relax(self, index: int) -> tuple[RelaxationOutcome | None, str | None]:
        """Outcome of one structure, or why it was interrupted."""
        began = perf_counter()
        atoms = self.structures[index].copy()
        atoms.calc = self.calculator
        files = self.files.of(index)
        resumed = None
        if files.checkpoint.exists():
            # Outside of what is forgiven: another model must not pass as a failure of one.
            resumed = come_back(files, self.calculator, self.settings.steps, None, {})
        try:
            descent = resumed or begin(atoms, self.settings, files, True, self.provenance)
            result = descent.descend(Console(quiet=True))
        except OSError:
            raise
        except Exception as error:
            # Whatever goes wrong with one structure, the others are not concerned.
            return _failed(self.names[index], atoms, error, perf_counter() - began), None
        if result.interrupted:
            return None, result.stopped
        return _outcome(self.names[index], result), None

    def _finish(self, stopped: str | None, console: Console) -> RelaxationBatchResult:
        relaxed = [
            read(self.files.of(index).trajectory, index=-1)
            for index in sorted(self.outcomes)
            if self.files.of(index).trajectory.exists()
        ]
        if relaxed:
            write_trajectory(self.files.relaxed, relaxed)
        result = RelaxationBatchResult(
            settings=self.settings,
            outcomes=tuple(self.outcomes[index] for index in sorted(self.outcomes)),
            structures=len(self.structures),
            stopped=stopped,
            calculator=describe_calculator(self.calculator),
            provenance=self.provenance,
            files=self.files,
        )
        write_summary(self.files.summary, result.summary())
        _tell(console, result)
        return result


def _outcome(name: str, result: RelaxationResult) -> RelaxationOutcome:
    return RelaxationOutcome(
        name=name,
        formula=result.atoms.get_chemical_formula(),
        converged=result.converged,
        steps=result.steps,
        energy_eV=result.energy_eV,
        energy_per_atom_eV=result.energy_eV / len(result.atoms),
        energy_change_eV=result.energy_change_eV,
        max_force_eV_per_A=result.max_force_eV_per_A,
        max_stress_bar=result.max_stress_eV_per_A3 / units.bar,
        wall_time_s=result.wall_time_s,
        problem=result.stopped,
    )


def _failed(name: str, atoms: Atoms, error: Exception, seconds: float) -> RelaxationOutcome:
    return RelaxationOutcome(
        name=name,
        formula=atoms.get_chemical_formula(),
        converged=False,
        steps=0,
        energy_eV=math.nan,
        energy_per_atom_eV=math.nan,
        energy_change_eV=math.nan,
        max_force_eV_per_A=math.nan,
        max_stress_bar=math.nan,
        wall_time_s=seconds,
        problem=f"{type(error).__name__}: {error}",
    )


def _in_words(outcome: RelaxationOutcome) -> str:
    if outcome.problem is not None:
        return f"FAILED: {outcome.problem}"
    reached = "converged" if outcome.converged else "NOT CONVERGED"
    return f"{reached} after {outcome.steps} steps, {outcome.energy_eV:.4f} eV"


def _tell(console: Console, result: RelaxationBatchResult) -> None:
    columns = ("structure", "formula", "steps", "energy (eV)", "max force (eV/Å)", "")
    table = Table(*columns, title=str(result.files.stem), title_justify="left")
    for each in result.outcomes:
        state = "failed" if each.problem else "converged" if each.converged else "NOT CONVERGED"
        energy, force = f"{each.energy_eV:.4f}", f"{each.max_force_eV_per_A:.4f}"
        table.add_row(each.name, each.formula, str(each.steps), energy, force, state)
    console.print(table)
    if result.stopped is not None:
        left = result.structures - len(result.outcomes)
        console.print(
            f"Stopped: {result.stopped}; {left} structures are left",
            style="bold red",
            markup=False,
            soft_wrap=True,
        )

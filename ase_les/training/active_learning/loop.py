"""Active learning: label, train and explore until the model meets the criterion.

A round trains a committee on all labels so far, runs dynamics with it at the conditions of the
plan, labels structures of these runs, and uses them and runs from held-back structures to decide
whether the model meets the criterion. Otherwise these structures are added to the training data of
the next round.

All results are written to one folder in the order of the calculation. Every step depends only on
the plan and on complete files, so that a calculation interrupted at any moment resumes with the
same results.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from ase_les.calculator import LESCalculator
from ase_les.committee import Committee
from ase_les.committee_io import save_committee
from ase_les.model_io import load_single_model
from ase_les.properties.charges_by_element import charges_by_element
from ase_les.reading import all_frames
from ase_les.reading.extended_xyz import write_labeled
from ase_les.reading.labels import LabelNames
from ase_les.runs.lock import refreshed_lock
from ase_les.runs.output import replace_file
from ase_les.runs.progress import NO_PROGRESS, Progress, WarningsOnly
from ase_les.runs.provenance import changed, plain_mapping
from ase_les.training.active_learning.exploration import (
    RunRecord,
    chosen,
    run_once,
    without_extrapolation_warnings,
)
from ase_les.training.active_learning.plan import LearningPlan
from ase_les.training.engines.programs import make_reference
from ase_les.training.labeling.reference import label_structures
from ase_les.training.learning.calibration import CommitteeComparison, compare_committee
from ase_les.training.learning.configuration import DataConfig, TrainingConfig
from ase_les.training.learning.evaluation import errors
from ase_les.training.learning.labeled_files import read_labeled
from ase_les.training.learning.train import train
from ase_les.training.structures.sampling import sample_by_recipe


@dataclass(frozen=True)
class Round:
    """Result of a round, as stored in its ``round.json``.

    ``labeled``: number of training structures. ``errors``: entries of
    `ase_les.training.learning.evaluation.Errors` for the sets "held back" and "own dynamics".
    ``calibration``: see `ase_les.training.learning.calibration`. ``explored``, ``held``: runs of
    the exploration and of the criterion. ``charges``: mean charge of each element in e, empty
    without charges. ``failed_labels``: number of structures that could not be labeled.
    ``reasons``: why the model fails the criterion; empty if it meets it.
    """

    number: int
    labeled: int
    errors: Mapping[str, Mapping[str, Any]]
    calibration: Mapping[str, float]
    explored: Sequence[RunRecord]
    held: Sequence[RunRecord]
    charges: Mapping[str, float]
    failed_labels: int
    reasons: Sequence[str]

    @property
    def holds(self) -> bool:
        """Return whether the model satisfies the criterion."""
        return not self.reasons

    @classmethod
    def read(cls, path: Path) -> Round:
        """Read a ``round.json``."""
        given = json.loads(path.read_text(encoding="utf-8"))
        for name in ("explored", "held"):
            given[name] = [RunRecord(**each) for each in given[name]]
        return cls(**given)

    def write(self, path: Path) -> None:
        """Write a ``round.json``, atomically."""
        replace_file(path, json.dumps(asdict(self), indent=1).encode())


@dataclass(frozen=True)
class LearningResult:
    """Rounds of active learning, and the committee of the last one.

    ``model``: file of the committee. ``state``: folder of all results.
    """

    plan: LearningPlan
    rounds: tuple[Round, ...]
    model: Path
    state: Path

    @property
    def holds(self) -> bool:
        """Return whether the model satisfies the criterion."""
        return self.rounds[-1].holds

    def summary(self) -> dict[str, object]:
        """Return plain containers."""
        return {
            "task": "active learning",
            "holds": self.holds,
            "reasons": list(self.rounds[-1].reasons),
            "model": str(self.model),
            "rounds": [asdict(each) for each in self.rounds],
        }


def learn(
    plan: LearningPlan,
    folder: str | Path,
    state: str | Path,
    *,
    jobs: int = 1,
    threads: int | None = None,
    progress: Progress = NO_PROGRESS,
) -> LearningResult:
    """Learn a model from starting structures and an engine.

    Parameters
    ----------
    folder : str or Path
        Folder that paths of the plan refer to.
    state : str or Path
        Folder of all results; a calculation in it is resumed.
    jobs : int
        Number of processes for labeling.
    threads : int or None
        Threads of these processes together; None gives each one thread.

    Returns
    -------
    LearningResult
        The committee is written to ``model.safetensors`` in `state`, whether or not it meets the
        criterion.

    Raises
    ------
    ValueError
        If the folder belongs to another plan, a structure cannot be used, or none can be labeled.
    OutputInUseError
        If a different process uses the folder.
    KeyboardInterrupt
        If labeling was interrupted.
    """
    # Engines that are not installed are an error before anything is written.
    make_reference(plan.engine, plan.settings, stress=plan.stress)
    state = Path(state)
    state.mkdir(parents=True, exist_ok=True)
    with refreshed_lock(state / "learning"):
        _check_plan(plan, state)
        return _Learning(plan, Path(folder), state, jobs, threads, progress).carry_out()


def seed_of(plan_seed: int, *parts: object) -> int:
    """Return a seed that depends only on the seed of the plan and the position in it."""
    return zlib.crc32(" ".join(map(str, (plan_seed, *parts))).encode()) % 2**31


def _check_plan(plan: LearningPlan, state: Path) -> None:
    """Store the plan, or compare it with the one the folder belongs to."""
    now = plain_mapping(asdict(plan))
    path = state / "plan.json"
    if not path.exists():
        replace_file(path, json.dumps(now, indent=1).encode())
        return
    # The number of rounds may be increased.
    then = {**json.loads(path.read_text(encoding="utf-8")), "rounds": now["rounds"]}
    changes = [
        f"{'.'.join(map(str, where))} was {old}, is now {new}"
        for where, old, new in changed(then, json.loads(json.dumps(now)))
    ]
    if changes:
        raise ValueError(
            f"'{state}' belongs to another plan ({'; '.join(changes)}); restore these settings or "
            "choose another --state folder"
        )


@dataclass
class _Learning:
    plan: LearningPlan
    folder: Path
    state: Path
    jobs: int
    threads: int | None
    progress: Progress
    failed_labels: int = 0
    _held: list[Atoms] = field(default_factory=list)

    def carry_out(self) -> LearningResult:
        plan = self.plan
        starts, self._held = self._first_structures()
        self._label(self._held, "held-back")
        training = [self._label(starts, "start")]
        rounds: list[Round] = []
        for number in range(plan.rounds):
            self.progress.message(f"round {number + 1} of at most {plan.rounds}")
            rounds.append(self._round(number, training, starts))
            self.failed_labels = rounds[-1].failed_labels
            verdict = "; ".join(rounds[-1].reasons) or "the model meets the criterion"
            self.progress.message(f"round {number + 1}: {verdict}")
            if rounds[-1].holds:
                break
            training += [self._work(number) / f"{name}.extxyz" for name in ("typical", "disputed")]
            training = [path for path in training if path.is_file()]
        last = self._committee(len(rounds) - 1)
        model = self.state / "model.safetensors"
        save_committee(model, last, {**last.card, "calibration": dict(rounds[-1].calibration)})
        return LearningResult(plan, tuple(rounds), model, self.state)

    def _work(self, number: int) -> Path:
        return self.state / f"round-{number + 1}"

    def _first_structures(self) -> tuple[list[Atoms], list[Atoms]]:
        path = self.state / "samples.extxyz"
        if not path.exists():
            given = self.plan.structures(self.folder)
            recipe = self.plan.sample
            seed = seed_of(self.plan.seed, "samples", recipe.seed)
            self.progress.message("sampling the structures of the first round")
            samples = sample_by_recipe(given, replace(recipe, seed=seed), progress=self.progress)
            write_labeled(path, samples.frames)
        return self.plan.divided(all_frames(path), self.folder)

    def _label(self, frames: Sequence[Atoms], name: str, work: Path | None = None) -> Path:
        """Label structures and return the file; complete labels are not calculated again."""
        result = label_structures(
            frames,
            self.plan.engine,
            settings=self.plan.settings,
            stress=self.plan.stress,
            output=(work or self.state) / name,
            jobs=self.jobs,
            threads=self.threads if self.jobs > 1 else None,
            resume=True,
            progress=self.progress,
        )
        if result.stopped:
            raise KeyboardInterrupt(f"interrupted labeling of '{name}'; start again to continue")
        if result.labeled == 0:
            raise ValueError(
                f"none of the structures '{name}' could be labeled: "
                f"{next(iter(result.failures.values()))}"
            )
        self.failed_labels += len(result.failures)
        return result.files.frames

    def _round(self, number: int, training: Sequence[Path], starts: Sequence[Atoms]) -> Round:
        work = self._work(number)
        work.mkdir(exist_ok=True)
        self._train(number, training)
        if (work / "round.json").exists():
            return Round.read(work / "round.json")
        plan, committee = self.plan, self._committee(number)
        self.progress.message(f"dynamics: {plan.explore.runs} exploration runs")
        explored = self._explore(number, committee, starts)
        candidates = [work / f"{each.name}.extxyz" for each in explored]
        typical, disputed = chosen(candidates, plan.explore.structures)
        fresh = None
        if typical:
            fresh = self._compare(committee, self._label(typical, "typical", work))
        if disputed:
            self._label(disputed, "disputed", work)
        self.progress.message(f"dynamics: {plan.criterion.runs} runs from held-back structures")
        held = self._hold(number, committee)
        found = {
            "held back": self._errors(self._compare(committee, self.state / "held-back.extxyz"))
        }
        if fresh is not None:
            found["own dynamics"] = self._errors(fresh)
        done = Round(
            number=number + 1,
            labeled=sum(len(all_frames(path)) for path in training),
            errors=found,
            calibration={} if fresh is None else fresh.calibration().to_dict(),
            explored=explored,
            held=held,
            charges=self._charges(committee),
            failed_labels=self.failed_labels,
            reasons=self._reasons(found.get("own dynamics"), held),
        )
        done.write(work / "round.json")
        return done

    def _train(self, number: int, training: Sequence[Path]) -> None:
        for member in range(self.plan.committee):
            stem = self._work(number) / f"member-{member + 1}"
            if stem.with_suffix(".safetensors").exists():
                continue
            self.progress.message(f"training model {member + 1} of {self.plan.committee}")
            before = self._work(number - 1) / f"member-{member + 1}.safetensors"
            seed = seed_of(self.plan.seed, number, "member", member)
            config = TrainingConfig(
                data=DataConfig(
                    training=tuple(str(path.resolve()) for path in training),
                    validation=self.plan.validation,
                ),
                model=self.plan.model,
                fit=replace(self.plan.fit_of(number), seed=seed),
                start=str(before.resolve()) if number else None,
                output=str(stem),
            )
            resume = stem.with_suffix(".checkpoint").exists()
            train(config, resume=resume, progress=WarningsOnly(self.progress))

    def _committee(self, number: int) -> Committee:
        files = [
            self._work(number) / f"member-{member + 1}.safetensors"
            for member in range(self.plan.committee)
        ]
        return Committee([load_single_model(file) for file in files])

    def _explore(
        self, number: int, committee: Committee, starts: Sequence[Atoms]
    ) -> list[RunRecord]:
        plan, explore = self.plan, self.plan.explore
        order = np.random.default_rng(seed_of(plan.seed, number, "starts")).permutation(len(starts))
        return [
            run_once(
                starts[order[run % len(starts)]],
                committee,
                plan.conditions[run % len(plan.conditions)],
                explore.picoseconds,
                explore.disagreement_eV_per_A,
                self._work(number) / f"explore-{run + 1}",
                seed_of(plan.seed, number, "explore", run),
                WarningsOnly(self.progress),
            )
            for run in range(explore.runs)
        ]

    def _hold(self, number: int, committee: Committee) -> list[RunRecord]:
        plan, criterion = self.plan, self.plan.criterion
        return [
            run_once(
                criterion.start(self._held[run % len(self._held)]),
                committee,
                plan.conditions[run % len(plan.conditions)],
                criterion.picoseconds,
                criterion.disagreement_eV_per_A,
                self._work(number) / f"hold-{run + 1}",
                seed_of(plan.seed, "hold", run),
                WarningsOnly(self.progress),
            )
            for run in range(criterion.runs)
        ]

    def _compare(self, committee: Committee, path: Path) -> CommitteeComparison:
        file = read_labeled(path, committee.config.cutoff, LabelNames())
        return compare_committee(committee.for_inference(dtype="float32"), file.samples)

    def _errors(self, found: CommitteeComparison) -> dict[str, Any]:
        return errors(found.comparison, len(found.energy_std), len(found.force_std)).to_dict()

    def _charges(self, committee: Committee) -> dict[str, float]:
        if not committee.has_charges:
            return {}
        atoms = self._held[0].copy()
        atoms.calc = LESCalculator(committee)
        with without_extrapolation_warnings():
            return dict(charges_by_element(atoms).mean)

    def _reasons(self, fresh: Mapping[str, Any] | None, held: Sequence[RunRecord]) -> list[str]:
        """Return the reasons why the model fails the criterion."""
        criterion = self.plan.criterion
        reasons = []
        failed = [each for each in held if each.stopped]
        if failed:
            first = failed[0]
            reasons.append(
                f"{len(failed)} of {len(held)} runs from held-back structures stopped, the first "
                f"after {first.time_ps:.3g} of {first.wanted_ps:.3g} ps: {first.stopped}"
            )
        if fresh is None:
            return [*reasons, "no exploration run went beyond its initial structure"]
        found = fresh["forces_rmse_meV_per_A"]
        if not found <= criterion.forces_rmse_meV_per_A:
            reasons.append(
                f"the force error on structures of its own dynamics is {found:.1f} meV/Å, more "
                f"than {criterion.forces_rmse_meV_per_A:g}"
            )
        return reasons

"""Groups of options that several commands share; a command receives each group as one argument."""

from __future__ import annotations

import functools
import inspect
import typing
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ase_les.cli import _options as options

if TYPE_CHECKING:
    from ase import Atoms

    from ase_les.reports.terminal import TerminalProgress


def with_groups(verb: Callable[..., Any]) -> Callable[..., Any]:
    """Return a command whose parameters that are dataclasses are replaced by their fields.

    The options of the groups follow those of the command.
    """
    hints = typing.get_type_hints(verb, include_extras=True)
    groups: dict[str, Any] = {name: hint for name, hint in hints.items() if is_dataclass(hint)}
    signature = inspect.signature(verb)
    own = [
        each.replace(annotation=hints[name])
        for name, each in signature.parameters.items()
        if name not in groups
    ]
    of_groups = [
        inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=field.default,
            annotation=typing.get_type_hints(group, include_extras=True)[field.name],
        )
        for group in groups.values()
        for field in fields(group)
    ]

    @functools.wraps(verb)
    def command(*args: Any, **given: Any) -> Any:
        made = {
            name: group(**{field.name: given.pop(field.name) for field in fields(group)})
            for name, group in groups.items()
        }
        return verb(*args, **made, **given)

    del command.__wrapped__
    command.__annotations__ = {each.name: each.annotation for each in (*own, *of_groups)}
    command.__signature__ = signature.replace(  # type: ignore[attr-defined]
        parameters=[*own, *of_groups]
    )
    return command


@dataclass(frozen=True)
class Common:
    """Options of commands that write results."""

    overwrite: options.Overwrite = False
    config: options.Config = None
    json: options.Json = False
    quiet: options.Quiet = False

    @property
    def progress(self) -> TerminalProgress:
        """Progress bar, unless quiet."""
        from ase_les.reports.terminal import TerminalProgress

        return TerminalProgress(self.quiet)

    def finish(self, report: Any, result: Any, *output: str) -> None:
        """Write the files of a result, show it, and print its summary as JSON if requested.

        Parameters
        ----------
        report : module of `ase_les.reports`
            With functions ``write(result, *output)`` and ``show(result, quiet)``.
        *output : str
            Stem of the files, unless the result contains it.
        """
        report.write(result, *output)
        report.show(result, self.quiet)
        self.print_json(result)

    def print_json(self, result: Any) -> None:
        """Print the summary of a result as JSON if requested."""
        from ase_les.runs.output import summary_as_json

        if self.json:
            print(summary_as_json(result.summary()))


@dataclass(frozen=True)
class OnModel(Common):
    """Options of commands that calculate with a model."""

    device: options.Device = None
    dtype: options.DType = None
    threads: options.Threads = 1


@dataclass(frozen=True)
class ByDisplacements(OnModel):
    """Options of commands that differentiate forces."""

    dtype: options.Precision = "float64"
    resume: options.Resume = False
    jobs: options.NumberOfJobs = 1
    scheduler: options.Scheduler = None
    beyond_limits: options.BeyondLimits = False

    def prepare(
        self,
        structure: Path | None,
        model: str | None,
        charge: int | None,
        dielectric: str | None = None,
    ) -> tuple[Atoms, dict[str, Any]]:
        """Return a structure with its calculator, and keywords of the library call."""
        from ase_les.cli._calculator import differentiable_structure

        atoms, jobs = differentiable_structure(
            structure,
            model,
            self.device,
            self.dtype,
            processes=self.jobs,
            scheduler=self.scheduler,
            threads=self.threads,
            charge=charge,
            dielectric=dielectric,
        )
        return atoms, {
            "beyond_limits": self.beyond_limits,
            "resume": self.resume,
            "overwrite": self.overwrite,
            "jobs": jobs,
            "progress": self.progress,
        }

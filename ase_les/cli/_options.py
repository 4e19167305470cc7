"""Options that verbs share, and the file that can supply any of them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from ase_les.configuration import read_yaml

_UNIT = r"_(?:K|A|fs|ps|bar|per_bar|per_cm|mPa_s|V_per_A|eV_per_A|eA)"


class Verb(TyperCommand):
    """A command in whose errors the library's settings bear the names of its options."""

    def invoke(self, ctx: typer.Context) -> object:
        try:
            return super().invoke(ctx)
        except ValueError as error:
            raise ValueError(self._in_options(str(error))) from error

    def _in_options(self, text: str) -> str:
        for parameter in self.params:
            if parameter.param_type_name == "option" and not parameter.hidden:
                option, name = _spelled(parameter)[0], re.escape(parameter.name)
                # Without a unit only in backticks: it could be any other word.
                text = re.sub(rf"`{name}(?:{_UNIT})?`|\b{name}{_UNIT}\b", option, text)
        return text


def _spelled(parameter: Any) -> list[str]:
    """Long forms of an option, the one to be shown first; those of an argument are its name."""
    long = [option for option in parameter.opts if option.startswith("--")]
    return long or [parameter.name]


def read_config(context: typer.Context, path: Path | None) -> Path | None:
    """Take options from a YAML file; those on the command line win.

    Keys are the long options without dashes in front, such as ``temperature: 300``.
    """
    if path is None:
        return None
    given = read_yaml(path) or {}
    if not isinstance(given, dict):
        raise ValueError(f"{path} must hold lines of the form `option: value`")
    parameters = {
        option.removeprefix("--"): parameter
        for parameter in context.command.params
        for option in (parameter.name.replace("_", "-"), *_spelled(parameter))
        if parameter.name not in ("config", "help")
    }
    given = {str(key).replace("_", "-"): value for key, value in given.items()}
    unknown = sorted(set(given) - set(parameters))
    if unknown:
        raise ValueError(
            f"{path}: `{context.command.name}` has no option {', '.join(unknown)}; it has "
            f"{', '.join(sorted(parameters))}"
        )
    options = {parameters[key].name: _value(parameters[key], given[key]) for key in given}
    context.default_map = options
    return path


def _value(parameter: Any, given: object) -> object:
    """What a file says of an option, as if it had stood on the command line."""
    repeated = getattr(parameter, "multiple", False)
    if repeated and isinstance(given, dict):
        # What may be repeated on the command line is a list here, or a mapping of its entries.
        return [{key: entry} for key, entry in given.items()]
    if isinstance(given, str) and (repeated or parameter.nargs == -1):
        # One value stands for a list of one; a text would be taken letter by letter.
        return [given]
    return given


Config = Annotated[
    Path | None,
    typer.Option(
        callback=read_config,
        is_eager=True,
        exists=True,
        dir_okay=False,
        help="YAML file with any of these options; the command line wins.",
    ),
]
Structure = Annotated[
    Path | None, typer.Argument(help="Any structure file ASE reads; its last frame.")
]
Model = Annotated[str | None, typer.Option(help="Shipped model by name, or a model file.")]
DIELECTRIC = ("--dielectric", "--epsilon-infinity")
"""Both mean the dielectric constant of the electrons; the first is the one to be written."""

Charge = Annotated[
    int | None,
    typer.Option(help="Total charge in e.", show_default="what the file says, or 0"),
]
EpsilonInfinity = Annotated[
    float | None,
    typer.Option(
        *DIELECTRIC,
        help="ε∞ of the bulk, of its electrons alone; 1.78 for water.",
        show_default="the calculator's, or 1",
    ),
]
Device = Annotated[str | None, typer.Option(help="cpu, cuda, ...", show_default="cpu")]
DType = Annotated[
    str | None, typer.Option(help="float32 or float64; the calculator's own if absent.")
]
Precision = Annotated[str, typer.Option(help="float32 or float64.")]
Threads = Annotated[int, typer.Option(min=1, help="Threads to use, shared by all processes.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="Print nothing but errors.")]
Json = Annotated[bool, typer.Option("--json", help="Print the summary as JSON to stdout.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace an earlier run.")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on where an earlier run stopped.")]
NumberOfJobs = Annotated[
    int,
    typer.Option("--jobs", min=1, help="Processes that share the displacements, and the threads."),
]

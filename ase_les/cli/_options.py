"""Options that verbs share, and the file that can supply any of them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer
from typer.core import TyperCommand

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
                option, name = max(parameter.opts, key=len), re.escape(parameter.name)
                # Without a unit only in backticks: it could be any other word.
                text = re.sub(rf"`{name}(?:{_UNIT})?`|\b{name}{_UNIT}\b", option, text)
        return text


def read_config(context: typer.Context, path: Path | None) -> Path | None:
    """Take options from a YAML file; those on the command line win.

    Keys are the long options without dashes in front, such as ``temperature: 300``.
    """
    if path is None:
        return None
    import yaml

    try:
        given = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except yaml.YAMLError as error:
        raise ValueError(f"{path} is not valid YAML: {error}") from error
    if not isinstance(given, dict):
        raise ValueError(f"{path} must hold lines of the form `option: value`")
    options = {str(key).replace("-", "_"): value for key, value in given.items()}
    parameters = {parameter.name: parameter for parameter in context.command.params}
    known = set(parameters) - {"config", "help"}
    unknown = sorted(set(options) - known)
    if unknown:
        raise ValueError(
            f"{path}: `{context.command.name}` has no option {', '.join(unknown)}; it has "
            f"{', '.join(sorted(known))}"
        )
    for name, value in options.items():
        parameter = parameters[name]
        if getattr(parameter, "multiple", False) and isinstance(value, dict):
            # What may be repeated on the command line is a list here, or a mapping of its entries.
            options[name] = [{key: entry} for key, entry in value.items()]
        elif isinstance(value, str) and (
            getattr(parameter, "multiple", False) or parameter.nargs == -1
        ):
            # One value stands for a list of one; a text would be taken letter by letter.
            options[name] = [value]
    context.default_map = options
    return path


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
Model = Annotated[str | None, typer.Option(help="Shipped model by name, or a model file.")]
Charge = Annotated[
    int | None,
    typer.Option(help="Total charge in e.", show_default="what the file says, or 0"),
]
Device = Annotated[str | None, typer.Option(help="cpu, cuda, ...", show_default="cpu")]
DType = Annotated[
    str | None, typer.Option(help="float32 or float64; the calculator's own if absent.")
]
Threads = Annotated[int, typer.Option(min=1, help="Threads to use, shared by all processes.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="Print nothing but errors.")]
Json = Annotated[bool, typer.Option("--json", help="Print the summary as JSON to stdout.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace an earlier run.")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on where an earlier run stopped.")]
NumberOfJobs = Annotated[
    int,
    typer.Option("--jobs", min=1, help="Processes that share the displacements, and the threads."),
]

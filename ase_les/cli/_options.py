"""Options shared by commands, and reading of options from a file."""

from __future__ import annotations

import functools
import inspect
import re
import typing
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperOption

_WITHOUT_FIGURES = ("client", "committee", "convert", "label")
_UNIT = r"_(?:K|A|fs|ps|bar|per_bar|per_cm|mPa_s|V_per_A|eV_per_A|eA)"


class Verb(TyperCommand):
    """Command that rewrites parameter names in error messages to option names."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except ValueError as error:
            raise ValueError(self._in_options(str(error))) from error

    def _in_options(self, text: str) -> str:
        for parameter in self.params:
            if isinstance(parameter, TyperOption) and not parameter.hidden:
                option, name = _long_forms(parameter)[0], re.escape(str(parameter.name))
                # Names without a unit are replaced only in backticks: they can be ordinary words.
                text = re.sub(rf"`{name}(?:{_UNIT})?`|\b{name}{_UNIT}\b", option, text)
        return text


def _long_forms(parameter: Any) -> list[str]:
    """Return the long forms of an option, the preferred one first, or the name of an argument."""
    long = [option for option in parameter.opts if option.startswith("--")]
    return long or [parameter.name]


def with_options(
    verb: Callable[..., Any],
    added: Mapping[str, Any],
    setting: Callable[..., AbstractContextManager[Any]],
) -> Callable[..., Any]:
    """Return a command with additional options that are in effect while it runs.

    Parameters
    ----------
    verb : callable
        The command, which does not receive these options.
    added : mapping of str to annotation
        Options by name, None by default.
    setting : callable
        Context manager of these options and of ``quiet``, entered around the command.
    """
    signature = inspect.signature(verb)
    hints = {**typing.get_type_hints(verb, include_extras=True), **added}
    parameters = [
        parameter.replace(annotation=hints.get(name, parameter.annotation))
        for name, parameter in signature.parameters.items()
    ]
    parameters += [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)
        for name, annotation in added.items()
    ]

    @functools.wraps(verb)
    def command(*args: Any, **given: Any) -> Any:
        options = {name: given.pop(name, None) for name in added}
        with setting(**options, quiet=bool(given.get("quiet", False))):
            return verb(*args, **given)

    del command.__wrapped__
    command.__annotations__ = hints
    command.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    return command


def with_figure_format(verb: Callable[..., Any]) -> Callable[..., Any]:
    """Return a command with ``--figure-format`` if it draws figures."""
    draws = "output" in inspect.signature(verb).parameters and verb.__name__ not in _WITHOUT_FIGURES
    if not draws:
        return verb

    def setting(figure_format: str | None, quiet: bool) -> AbstractContextManager[None]:
        from ase_les.reports import figures

        return figures.figure_format(figure_format or "png")

    return with_options(verb, {"figure_format": FigureFormat}, setting)


def read_config(context: typer.Context, path: Path | None) -> Path | None:
    """Read options from a YAML file; options on the command line take precedence.

    Keys are the long options without leading dashes, such as ``temperature: 300``.
    """
    if path is None:
        return None
    from ase_les.configuration import read_yaml

    given = read_yaml(path) or {}
    if not isinstance(given, dict):
        raise ValueError(f"{path} must contain lines of the form `option: value`")
    parameters = {
        option.removeprefix("--"): parameter
        for parameter in context.command.params
        for option in (parameter.name.replace("_", "-"), *_long_forms(parameter))
        if parameter.name not in ("config", "help")
    }
    given = {str(key).replace("_", "-"): value for key, value in given.items()}
    unknown = sorted(set(given) - set(parameters))
    if unknown:
        raise ValueError(
            f"{path}: `{context.command.name}` has no option {', '.join(unknown)}; it has "
            f"{', '.join(sorted(parameters))}"
        )
    for key, value in given.items():
        _check_number(f"{path}: `{key}`", parameters[key], value)
    options = {parameters[key].name: _value(parameters[key], given[key]) for key in given}
    context.default_map = options
    return path


def _check_number(name: str, parameter: Any, given: object) -> None:
    """Refuse truth values as numbers, and fractions as whole numbers; both would be converted."""
    # Versions of typer differ.
    described = getattr(parameter, "type_descriptor", None)
    kind = parameter.type.name if described is None else described.annotation.__name__
    kind = kind.removesuffix(" range")
    if kind not in ("int", "integer", "float"):
        return
    fraction = kind != "float" and isinstance(given, float) and not given.is_integer()
    if isinstance(given, bool) or fraction:
        needed = "a number" if kind == "float" else "a whole number"
        raise ValueError(f"{name} must be {needed}, got {given!r}")


def _value(parameter: Any, given: object) -> object:
    """Return a value from a file in the form used on the command line."""
    repeated = getattr(parameter, "multiple", False)
    if repeated and isinstance(given, dict):
        # Options that can be repeated are lists in the file, or mappings of their entries.
        return [{key: entry} for key, entry in given.items()]
    if isinstance(given, str) and (repeated or parameter.nargs == -1):
        # A single value becomes a list, since a string would be split into letters.
        return [given]
    return given


def _electrodes(given: Any) -> Any:
    """Return electrodes from text such as ``left=bottom:3; right=top:3; potential_V=1``."""
    from ase_les.calculator.electrodes import HELD, check_entries

    if isinstance(given, str):
        entries = [part.partition("=") for part in given.split(";") if part.strip()]
        given = {name.strip(): value.strip() for name, _, value in entries}
    try:
        check_entries(given)
        return {name: float(each) if name in HELD else each for name, each in given.items()}
    except (TypeError, ValueError) as error:
        remedy = "give left=ATOMS; right=ATOMS; and potential_V=V or charge_e=E"
        raise typer.BadParameter(f"{error}; {remedy}") from None


Electrodes = Annotated[
    Any,
    typer.Option(
        parser=_electrodes,
        metavar="LEFT;RIGHT;V",
        help="Metal atoms at a potential, 'left=Pt&bottom:3; right=Pt&top:3; potential_V=1.5', or "
        "with charge_e; ATOMS as in `ase-les born --atoms`.",
    ),
]
Config = Annotated[
    Path | None,
    typer.Option(
        callback=read_config,
        is_eager=True,
        exists=True,
        dir_okay=False,
        help="YAML file with any of these options; the command line takes precedence.",
    ),
]
Structure = Annotated[
    Path | None, typer.Argument(help="Any structure file ASE reads; its last frame.")
]
Model = Annotated[str | None, typer.Option(help="Shipped model by name, or a model file.")]
#: Names of the option for the electronic dielectric constant, the preferred one first.
DIELECTRIC = ("--dielectric", "--epsilon-infinity")


def stem_option(default: str | None = None) -> Any:
    """Return the option for the stem of the files; `default` is shown in the help."""
    shown: dict[str, Any] = {} if default is None else {"show_default": default}
    return typer.Option("--output", "-o", help="Stem of the files.", **shown)


Output = Annotated[str, stem_option()]
Charge = Annotated[
    int | None,
    typer.Option(help="Total charge in e.", show_default="from the file, or 0"),
]
EpsilonInfinity = Annotated[
    float | None,
    typer.Option(
        *DIELECTRIC,
        help="Electronic dielectric constant ε∞ of the bulk; 1.78 for water.",
        show_default="the calculator's, or 1",
    ),
]
DielectricConstant = Annotated[
    float | None,
    typer.Option(
        *DIELECTRIC,
        help="ε∞ of the bulk; dipole and charges are scaled by its square root.",
        show_default="from the model card, or 1",
    ),
]
RecordedCharges = Annotated[
    str | None,
    typer.Option(
        help="latent, or physical if the calculator had a dielectric constant.",
        show_default="as recorded by the run, or latent",
    ),
]
SkippedTime = Annotated[float, typer.Option(help="Initial time in ps to exclude.")]
RunTemperature = Annotated[
    float | None, typer.Option(help="Temperature in K.", show_default="mean of the run")
]
FrameInterval = Annotated[
    float | None,
    typer.Option(
        help="Time between the frames of a trajectory file in fs.",
        show_default="from the file, if recorded",
    ),
]
Device = Annotated[str | None, typer.Option(help="cpu, cuda, ...", show_default="cpu")]
DType = Annotated[
    str | None, typer.Option(help="float32 or float64; by default that of the calculator.")
]
Precision = Annotated[str, typer.Option(help="float32 or float64.")]
Threads = Annotated[int, typer.Option(min=1, help="Threads to use, shared by all processes.")]
FigureFormat = Annotated[
    str | None,
    typer.Option(help="Format of figures: png; pdf or svg for print.", show_default="png"),
]
Quiet = Annotated[bool, typer.Option("--quiet", help="Print only errors.")]
Json = Annotated[bool, typer.Option("--json", help="Print the summary as JSON to stdout.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace an earlier run.")]
Resume = Annotated[bool, typer.Option("--resume", help="Continue an earlier run.")]
_BEYOND_LIMITS = "Allow calculations beyond the limits of the model, with a note in the result."
BeyondLimits = Annotated[bool, typer.Option("--beyond-limits", help=_BEYOND_LIMITS)]
#: For runs that can be resumed: None keeps the previous value.
BeyondLimitsOfRun = Annotated[
    bool | None, typer.Option("--beyond-limits", help=_BEYOND_LIMITS, show_default="False")
]
NumberOfJobs = Annotated[
    int,
    typer.Option(
        "--jobs", min=1, help="Worker processes for the displacements, which share the threads."
    ),
]
Scheduler = Annotated[
    str | None,
    typer.Option(
        help="Dask scheduler whose workers replace --jobs: tcp://HOST:PORT, or its scheduler file.",
    ),
]


def refuse_options(context: typer.Context, names: tuple[str, ...], why: str) -> None:
    """Raise an error for options that would be ignored."""
    given = []
    for parameter in context.command.params:
        source = context.get_parameter_source(str(parameter.name))
        if parameter.name in names and source is not None and source.name != "DEFAULT":
            given.append(parameter.opts[0])
    if given:
        raise ValueError(f"{why} {', '.join(given)}")

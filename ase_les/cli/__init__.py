"""The command line: ``ase-les VERB``. A verb parses its arguments and makes one library call.

Verbs import libraries inside their function, so that help is fast.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module, metadata
from typing import Annotated

import typer

from ase_les.cli._options import Verb, with_figure_format
from ase_les.cli._reading import with_reading_options
from ase_les.cli._terminal import warnings_in_one_line, write_any_text

VERBS = (
    "models",
    "info",
    "evaluate",
    "convert",
    "label",
    "train",
    "committee",
    "learn",
    "md",
    "relax",
    "born",
    "phonons",
    "infrared",
    "sfg",
    "raman",
    "dielectric",
    "transport",
    "capacitance",
    "surface",
    "profile",
    "potential",
    "client",
    "structure",
    "doctor",
)
"""Modules of this package, each with a function of the same name, in the order of the help."""

app = typer.Typer(
    help="Latent Ewald Summation models: dynamics, relaxation and properties with ASE.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _print_version(asked: bool) -> None:
    if asked:
        print(f"ase-les {metadata.version('ase_les')}")
        raise typer.Exit


@app.callback()
def _verbs(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    # With a callback, typer requires the verb even if there is only one.
    pass


for _verb in VERBS:
    _function = getattr(import_module(f"{__name__}.{_verb}"), _verb)
    app.command(_verb, cls=Verb)(with_figure_format(with_reading_options(_function)))


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command; errors that a user can correct end in one message and exit code 2.

    Parameters
    ----------
    arguments : sequence of str, optional
        By default the arguments of the process.
    """
    write_any_text()
    try:
        with warnings_in_one_line():
            app(arguments)
    except (ValueError, OSError, ModuleNotFoundError, FloatingPointError) as error:
        # A missing extra has its package name in the message; other missing modules are bugs.
        if isinstance(error, ModuleNotFoundError) and error.name is not None:
            raise
        from rich.text import Text

        from ase_les.messages import printable
        from ase_les.reports.terminal import console

        message = Text.assemble(("Error: ", "bold red"), printable(str(error)))
        console().print(message, soft_wrap=True)
        raise SystemExit(2) from None

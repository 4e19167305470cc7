"""Reference of the command line, from the commands themselves."""

from __future__ import annotations

import inspect
from pathlib import Path

import typer
from rst import escaped, heading

from ase_les.cli import VERBS, app

KINDS = {"str": "text", "int": "integer", "float": "number", "Path": "path", "list": "text"}


def pages(_source: Path) -> dict[str, str]:
    commands = typer.main.get_command(app).commands
    text = heading("Command line") + (
        "``ase-les VERB [OPTIONS]``; the same text is shown by ``ase-les VERB --help``. Options of "
        "every command can be stored in a YAML file, without dashes, and read by ``--config``; the "
        "command line takes precedence. Commands exit with 0 on success, 1 if a calculation ended "
        "without its goal, and 2 after an error.\n\n"
    )
    return {"commands": text + "".join(_command(verb, commands[verb]) for verb in VERBS)}


def _command(verb: str, command: object) -> str:
    parameters = [parameter for parameter in command.params if not parameter.hidden]
    arguments = [p for p in parameters if p.param_type_name == "argument"]
    options = [p for p in parameters if p.param_type_name == "option"]
    usage = " ".join(["ase-les", verb, *(p.name.upper() for p in arguments), "[OPTIONS]"])
    text = f".. _verb-{verb}:\n\n" + heading(verb, "-")
    text += inspect.cleandoc(command.help or "") + f"\n\n.. code-block:: text\n\n   {usage}\n\n"
    text += f".. program:: ase-les {verb}\n\n"
    for parameter in arguments:
        text += f".. option:: {parameter.name.upper()}\n\n   {_described(parameter)}\n\n"
    for parameter in options:
        names = ", ".join(name + _metavar(parameter) for name in parameter.opts)
        text += f".. option:: {names}\n\n   {_described(parameter)}\n\n"
    return text


def _metavar(parameter: object) -> str:
    if parameter.is_flag:
        return ""
    if parameter.metavar:
        return f" {parameter.metavar}"
    described = getattr(parameter, "type_descriptor", None)
    kind = parameter.type.name if described is None else described.annotation.__name__
    return f" <{KINDS.get(kind, kind)}>"


def _described(parameter: object) -> str:
    text = escaped(" ".join((parameter.help or "").split()))
    default = getattr(parameter, "show_default", None)
    if parameter.required:
        return f"{text} Required."
    if isinstance(default, str):
        text += f" Default: {escaped(default)}."
    elif parameter.default not in (None, False, [], ()) and not callable(parameter.default):
        text += f" Default: {escaped(str(parameter.default))}."
    if getattr(parameter, "multiple", False):
        text += " May be repeated."
    return text

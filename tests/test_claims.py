"""Every statement of the README has a command, and these commands exist."""

import ast
import re
import shlex
from pathlib import Path

import pytest
import typer

from ase_les import list_models
from ase_les.cli import app

ROOT = Path(__file__).parents[1]
README = " ".join((ROOT / "README.rst").read_text(encoding="utf-8").split())
PAGE = (ROOT / "docs" / "reference" / "claims.rst").read_text(encoding="utf-8")
ROWS = re.findall(r"   \* - ((?:.|\n)+?)\n     - ((?:.|\n)+?)(?=\n   \* - |\Z)", PAGE)[1:]
COMMAND = re.compile(r"``((?:ase-les|python|pytest|make) [^`]+)``")


@pytest.mark.parametrize(("statement", "commands"), ROWS)
def test_statements_are_in_the_readme_and_have_commands(statement, commands):
    assert " ".join(statement.split()) in README
    found = [" ".join(each.split()) for each in COMMAND.findall(commands)]
    assert found
    for command in found:
        check(shlex.split(command))


def check(words: list[str]) -> None:
    program, *rest = words
    if program == "ase-les":
        verb = typer.main.get_command(app).commands[rest[0]]
        known = {name for each in verb.params for name in each.opts}
        assert {word for word in rest if word.startswith("--")} <= known
        files = [word for word in rest[1:] if "/" in word]
    elif program == "make":
        targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
        assert set(rest) <= set(targets)
        files = []
    elif program == "pytest":
        files = rest
    elif rest[0] == "-m":
        files = [f"{rest[1]}/__main__.py"]
    else:
        files = rest[:1]
        check_options(ROOT / rest[0], rest[1:])
    for file in files:
        assert (ROOT / file).is_file(), file


def check_options(script: Path, words: list[str]) -> None:
    """Check that a script declares the options that it is given."""
    calls = [
        node
        for node in ast.walk(ast.parse(script.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "add_argument"
    ]
    declared = {
        argument.value
        for call in calls
        for argument in call.args
        if isinstance(argument, ast.Constant)
    }
    assert {word for word in words if word.startswith("--")} <= declared


def test_every_section_and_table_of_the_readme_is_covered():
    """A statement per section; a new section needs new rows."""
    sections = re.findall(r"^(.+)\n-{4,}$", (ROOT / "README.rst").read_text(), re.MULTILINE)
    assert sections == ["Models", "Beside other programs", "Speed", "More"]
    assert len(ROWS) > 20


@pytest.mark.parametrize("name", sorted(list_models()))
def test_one_model_was_trained_on_dipoles_and_none_on_born_charges_of_dft(name):
    """Weights of a loss are for labels of teachers only, which are models."""
    training = list_models()[name]["training"]
    for loss in ("loss", "final_loss"):
        weights = training["fit"][loss]
        if not training.get("teachers"):
            assert weights.get("born_charges", 0) == 0
            assert (weights.get("dipole", 0) > 0) == (name == "dipeptides")

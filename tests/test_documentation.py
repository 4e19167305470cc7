"""Code blocks of README and of the documentation run, unless they are marked as not run.

Blocks of a page run in order in one folder with `workflows` and `models`: Python in one namespace,
commands of `ase-les` in this process with fewer steps, YAML with a caption as a file of that name.
"""

import os
import re
from itertools import pairwise
from pathlib import Path

import pytest
import typer
import yaml
from typer.testing import CliRunner

from ase_les.cli import app
from docs.code_blocks import blocks_of

ROOT = Path(__file__).parents[1]
PAGES = [
    ROOT / "README.rst",
    *(
        page
        for page in sorted((ROOT / "docs").rglob("*.rst"))
        if not {"generated", "_build", "_templates"} & set(page.relative_to(ROOT).parts)
    ),
]
LANGUAGES = {"python", "shell", "yaml", "text"}
# Long calculations show in a few steps that their commands work; spectra need some more.
SHORTER = {"--steps": "4", "--min-length": "8", "--skip": "0", "--resolution": "800"}
RECORDED_STEPS = "160"


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_code_is_in_blocks_of_a_known_language(page):
    text = page.read_text(encoding="utf-8")
    assert {block.language for block in blocks_of(page)} <= LANGUAGES
    assert text.count(".. code-block::") == len(blocks_of(page))
    for literal in re.findall(r"(?<!\S)::\n\n((?:    .*\n|\n)+)", text):
        assert not re.search(r"^\s*(ase-les |from \S+ import|python )", literal, re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_commands_and_options_exist(page):
    verbs = typer.main.get_command(app).commands
    for block in blocks_of(page):
        for command in block.commands if block.language == "shell" else []:
            if command[0] != "ase-les":
                assert not block.runs, f"{page}: only ase-les runs, got {command}"
                continue
            verb = verbs[command[1]]
            known = {"--help", *(name for each in verb.params for name in each.opts)}
            given = {word.split("=")[0] for word in command[2:] if re.match(r"--?[a-z]", word)}
            assert given <= known, f"{page}: {command}"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_yaml_and_python_can_be_read(page):
    for block in blocks_of(page):
        if block.language == "yaml":
            assert isinstance(yaml.safe_load(block.code), dict)
        elif block.language == "python":
            compile(block.code, str(page), "exec")


@pytest.mark.slow
@pytest.mark.parametrize(
    "page", [page for page in PAGES if any(b.runs for b in blocks_of(page))], ids=name_of
)
@pytest.mark.filterwarnings("ignore")
def test_blocks_run(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for folder in ("workflows", "models"):
        os.symlink(ROOT / folder, tmp_path / folder)
    names: dict = {"__name__": "__main__"}
    for block in blocks_of(page):
        if block.file:
            Path(block.file).write_text(re.sub(r"epochs: \d+", "epochs: 1", block.code))
        elif block.language == "python" and block.runs:
            exec(compile(block.code, name_of(page), "exec"), names)
        elif block.language == "shell" and block.runs:
            for command in block.commands:
                run(command[1:])


def run(command: list[str]) -> None:
    values = SHORTER | ({"--steps": RECORDED_STEPS} if "--observe" in command else {})
    shorter = [command[0], *(values.get(one, two) for one, two in pairwise(command))]
    if command[0] == "relax" and "--steps" not in command:
        shorter += ["--steps", values["--steps"]]
    outcome = CliRunner().invoke(app, shorter)
    if outcome.exception is not None and not isinstance(outcome.exception, SystemExit):
        raise outcome.exception
    # Four steps do not relax a structure: exit code 1.
    unfinished = shorter[0] in ("relax", "surface")
    assert outcome.exit_code in ((0, 1) if unfinished else (0,)), outcome.output

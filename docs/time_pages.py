"""Run the commands of pages as a reader does, and print how long each takes.

    python docs/time_pages.py start tutorials/own_data           in this environment
    python docs/time_pages.py --fresh start tutorials/own_data   in a clean clone and venv

Blocks of a page run in order in one empty folder with links to `workflows` and `models`, as in
``tests/test_documentation.py``, but complete. Times are CPU and wall time in s of each command, as
a user runs it. With ``--fresh`` the last commit is cloned and installed with pip first, which takes
torch from where pip is set up to find it.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import CodeType

from code_blocks import blocks_of

DOCS = Path(__file__).resolve().parent


def cpu_time() -> float:
    """Return the CPU time in s of this process and of its finished children."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def timed(label: str, action: Callable[[], object]) -> float:
    """Run an action, print and return its CPU time."""
    cpu, wall = cpu_time(), time.perf_counter()
    action()
    cpu, wall = cpu_time() - cpu, time.perf_counter() - wall
    print(f"{cpu:8.1f} {wall:8.1f}  {label}", flush=True)
    return cpu


def command(words: list[str], **keywords) -> None:
    """Run a command quietly; its output is shown if it fails."""
    outcome = subprocess.run(
        words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, **keywords
    )
    if outcome.returncode:
        sys.exit(f"{' '.join(words)} ended with {outcome.returncode}:\n{outcome.stdout[-3000:]}")


def quietly(code: CodeType, names: dict[str, object]) -> None:
    """Execute Python without its output."""
    with contextlib.redirect_stdout(io.StringIO()):
        exec(code, names)


def time_page(page: str) -> None:
    """Run the blocks of a page."""
    print(f"{'CPU / s':>8} {'wall / s':>8}  {page}")
    names: dict[str, object] = {"__name__": "__main__"}
    total = 0.0
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for shipped in ("workflows", "models"):
            os.symlink(DOCS.parent / shipped, shipped)
        for block in blocks_of(DOCS / f"{page}.rst"):
            if block.file:
                Path(block.file).write_text(block.code, encoding="utf-8")
            elif block.language == "python" and block.runs:
                code = compile(block.code, page, "exec")
                label = f"python: {block.code.strip().splitlines()[-1]}"
                total += timed(label, lambda code=code: quietly(code, names))
            elif block.language == "shell" and block.runs:
                for words in block.commands:
                    program = [sys.executable, "-m", "ase_les", *words[1:]]
                    total += timed(" ".join(words), lambda program=program: command(program))
        os.chdir(DOCS)
    print(f"{total:8.1f} {'':8}  all commands of this page", flush=True)


def fresh(pages: list[str]) -> None:
    """Clone, install in a new environment, and time the pages there."""
    with tempfile.TemporaryDirectory() as temporary:
        clone, venv = f"{temporary}/clone", f"{temporary}/venv"
        python = f"{venv}/bin/python"
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
        print(f"{'CPU / s':>8} {'wall / s':>8}  installation")
        for words in (
            ["git", "clone", "--quiet", str(DOCS.parent), clone],
            [sys.executable, "-m", "venv", venv],
            [python, "-m", "pip", "install", "--quiet", f"{clone}[phonons]"],
            [f"{venv}/bin/ase-les", "doctor"],
        ):
            label = " ".join(words).replace(f"{temporary}/", "").replace(str(DOCS.parent), "URL")
            timed(label, lambda words=words: command(words, env=environment, cwd=temporary))
        script = [python, f"{clone}/docs/time_pages.py", *pages]
        subprocess.run(script, env=environment, cwd=temporary, check=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pages", nargs="*", help="such as start or tutorials/own_data")
    parser.add_argument("--fresh", action="store_true", help="in a clean clone and environment")
    arguments = parser.parse_args()
    if arguments.fresh:
        fresh(arguments.pages)
        return
    for page in arguments.pages:
        time_page(page)


if __name__ == "__main__":
    main()

"""Install the package and run quick tests with several versions of Python.

    python benchmarks/python_versions.py python3.10 python3.12 python3.13
    python benchmarks/python_versions.py --resolve 3.14        where there is no such interpreter

For every interpreter the last commit is cloned, installed with ``uv`` (``pip install uv``) in a
new environment, and the tests of `FOLDERS` are run. ``--resolve`` asks only whether all
requirements have wheels for a version.
"""

from __future__ import annotations

import argparse
import ast
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = (
    *("tests/configuration", "tests/electrostatics", "tests/kernels", "tests/reading"),
    *("tests/representation", "tests/test_calculator.py", "tests/test_readme.py"),
)
TEST_PACKAGES = ("pytest>=8", "hypothesis>=6", "pytest-xdist>=3.6")


def requirements() -> list[str]:
    """Return what setup.py requires, with the extra for phonons."""
    tree = ast.parse((ROOT / "setup.py").read_text(encoding="utf-8"))
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg == "install_requires":
            found["needed"] = ast.literal_eval(node.value)
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "PHONONS":
            found["phonons"] = ast.literal_eval(node.value)
    return [*found["needed"], *found["phonons"]]


def resolve(version: str) -> bool:
    """Return whether all requirements have wheels for a version."""
    command = ["uv", "pip", "compile", "--quiet", "--python-version", version]
    options = ["--only-binary", ":all:", "--no-header", "--no-annotate", "-"]
    outcome = subprocess.run(
        [*command, *options],
        input="\n".join(requirements()),
        capture_output=True,
        text=True,
        check=False,
    )
    lines = outcome.stdout.split() if outcome.returncode == 0 else [outcome.stderr.strip()]
    names = ("ase==", "numpy==", "phonopy==", "scipy==", "torch==", "vesin==")
    shown = [line for line in lines if line.startswith(names)] or lines
    print(f"Python {version}: {', '.join(shown)}", flush=True)
    return outcome.returncode == 0


def tested(interpreter: str, folders: list[str]) -> bool:
    """Install for an interpreter and return whether the tests pass."""
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
    environment["OMP_NUM_THREADS"] = "1"
    with tempfile.TemporaryDirectory() as temporary:
        clone, venv = f"{temporary}/clone", f"{temporary}/venv"
        python = f"{venv}/bin/python"
        install = ["uv", "pip", "install", "--quiet", "--python", python]
        for words in (
            ["git", "clone", "--quiet", str(ROOT), clone],
            ["uv", "venv", "--quiet", "--python", interpreter, venv],
            [*install, "--editable", f"{clone}[phonons]", *TEST_PACKAGES],
        ):
            subprocess.run(words, env=environment, cwd=temporary, check=True)
        versions = (
            "import platform, torch, numpy, ase; print('Python', platform.python_version(), "
            "'torch', torch.__version__, 'numpy', numpy.__version__, 'ase', ase.__version__)"
        )
        subprocess.run([python, "-c", versions], env=environment, cwd=temporary, check=True)
        test = [python, "-m", "pytest", "-q", "-m", "not slow", *folders]
        outcome = subprocess.run(
            test, env=environment, cwd=clone, capture_output=True, text=True, check=False
        )
        failed = [line for line in outcome.stdout.splitlines() if line.startswith("FAILED")]
        print("\n".join([*failed, outcome.stdout.strip().splitlines()[-1]]), flush=True)
        return outcome.returncode == 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("interpreters", nargs="*")
    parser.add_argument("--resolve", nargs="*", default=[], metavar="VERSION")
    parser.add_argument("--folders", nargs="*", default=list(FOLDERS))
    arguments = parser.parse_args()
    right = [resolve(version) for version in arguments.resolve]
    right += [tested(each, arguments.folders) for each in arguments.interpreters]
    sys.exit(0 if all(right) else 1)


if __name__ == "__main__":
    main()

"""Versions and requirements agree in all files that state them."""

import ast
import re
from pathlib import Path

import jinja2
import pytest
import yaml

import ase_les

ROOT = Path(__file__).parents[1]
CONDA_NAMES = {"torch": "pytorch", "matplotlib": "matplotlib-base", "PyYAML": "pyyaml"}


def setup_argument(name):
    tree = ast.parse((ROOT / "setup.py").read_text(encoding="utf-8"))
    (call,) = (
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "setup"
    )
    return next(ast.literal_eval(each.value) for each in call.keywords if each.arg == name)


def conda_recipe():
    """The recipe as conda-build renders it."""
    text = (ROOT / "conda" / "meta.yaml").read_text(encoding="utf-8")
    functions = {"compiler": "{}_compiler".format, "stdlib": "{}_stdlib".format}
    return yaml.safe_load(jinja2.Template(text).render(PYTHON="python", **functions))


def without_spaces(requirement):
    return re.sub(r"\s+", "", requirement)


def test_the_conda_recipe_requires_what_pip_requires():
    recipe = {without_spaces(each) for each in conda_recipe()["requirements"]["run"]}
    expected = {f"python{setup_argument('python_requires')}"}
    for requirement in setup_argument("install_requires"):
        name = re.match(r"[A-Za-z0-9_-]+", requirement)[0]
        expected.add(CONDA_NAMES.get(name, name) + requirement[len(name) :])
    assert recipe == expected


def test_the_conda_recipe_starts_the_same_program_as_pip():
    recipe = conda_recipe()
    scripts = setup_argument("entry_points")["console_scripts"]
    assert [without_spaces(each) for each in recipe["build"]["entry_points"]] == [
        without_spaces(each) for each in scripts
    ]
    assert (ROOT / recipe["about"]["license_file"]).is_file()
    assert recipe["about"]["license"] == setup_argument("license")


@pytest.mark.parametrize("file", ["Dockerfile", "docs/start.rst"])
def test_torch_is_installed_in_a_version_that_the_package_accepts(file):
    """Otherwise pip replaces it by one with CUDA when it installs the package."""
    (torch,) = (each for each in setup_argument("install_requires") if each.startswith("torch"))
    upper = torch.rpartition(",")[2]
    text = (ROOT / file).read_text(encoding="utf-8").replace("\\\n", " ")
    (given,) = re.findall(r"pip install (?:--[a-z-]+ )*\"?(torch[^\" ]*)", text)
    assert given == f"torch{upper}"


def test_all_files_state_the_same_version():
    version = setup_argument("version")
    assert conda_recipe()["package"]["version"] == version
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == version
    changelog = (ROOT / "CHANGELOG.rst").read_text(encoding="utf-8")
    latest, date = re.search(r"^(\d+\.\d+\.\d+) \((.+)\)\n-+$", changelog, re.MULTILINE).groups()
    assert latest == version
    assert str(citation["date-released"]) == date
    assert f"ase_les {version}" in (ROOT / "README.rst").read_text(encoding="utf-8")
    assert ase_les.__version__  # of the installed metadata, which may be older in a checkout


def test_classifiers_name_the_versions_of_python():
    lowest = setup_argument("python_requires").removeprefix(">=")
    prefix = "Programming Language :: Python :: 3."
    versions = [
        int(each.removeprefix(prefix))
        for each in setup_argument("classifiers")
        if each.startswith(prefix)
    ]
    assert lowest == f"3.{min(versions)}"
    assert versions == list(range(min(versions), max(versions) + 1))

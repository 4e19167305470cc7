"""Warnings of the library on the command line."""

import subprocess
import sys

PROGRAM = """
import warnings
from ase_les import cli

cli.app = lambda arguments: warnings.warn("results are far off", stacklevel=1)
cli.main(["info"])
"""


def test_a_warning_is_one_line_without_its_place_in_the_code():
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True
    )
    assert done.stderr == "Warning: results are far off\n"
    assert done.stdout == ""

"""Threads and malloc are set when a calculator is made, and never against the user."""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys

import pytest
import torch

from ase_les.process_settings import set_threads

CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()

# A tensor of 56 MB costs a page fault per 4 kB when it is filled, unless the heap kept the last,
# of 60 MB: room is left for what is allocated meanwhile.
PREAMBLE = """
import json, resource, torch

def keeps_freed_memory():
    torch.ones(15_000_000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(14_000_000)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before < 1000

def threads_with(**options):
    from ase_les import LESCalculator
    LESCalculator("nacl", **options)
    return torch.get_num_threads()

"""

# mallopt belongs to glibc.
ON_GLIBC = hasattr(ctypes.CDLL(None), "gnu_get_libc_version")


def answer(script: str, **environment: str):
    """Return what a fresh process prints whose environment sets neither threads nor malloc."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("OMP_", "MKL_", "MALLOC_"))
    }
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PREAMBLE + script],
        env={**kept, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


@pytest.mark.slow
def test_calculators_use_one_thread_and_keep_memory_until_told_otherwise():
    script = (
        "found = [torch.get_num_threads()]\n"
        "import ase_les.calculator\n"
        "found += [torch.get_num_threads(), threads_with()]\n"
        f"torch.set_num_threads({CORES})\n"
        "found += [threads_with(), threads_with(threads=3), threads_with()]\n"
        "print(json.dumps([keeps_freed_memory(), *found]))"
    )
    kept, default, *found = answer(script)
    assert found == [default, 1, CORES, 3, 3]
    assert kept or not ON_GLIBC


@pytest.mark.slow
@pytest.mark.parametrize(
    ("before", "options", "environment"),
    [
        # All cores is also what torch takes by itself.
        (f"torch.set_num_threads({CORES})", "keep_memory=False", {}),
        ("", "", {"OMP_NUM_THREADS": str(CORES), "MALLOC_MMAP_THRESHOLD_": "131072"}),
    ],
    ids=["set in Python", "set in the environment"],
)
def test_threads_and_memory_that_the_user_set_before_are_kept(before, options, environment):
    script = f"{before}\nprint(json.dumps([threads_with({options}), keeps_freed_memory()]))"
    threads, kept = answer(script, **environment)
    assert threads == CORES
    assert not (kept and ON_GLIBC)


@pytest.mark.slow
@pytest.mark.parametrize(("module", "expected"), [("distributed", True), ("other", False)])
def test_memory_is_kept_in_dask_workers(module, expected):
    """Dask sets a threshold for its workers; of a user it is kept."""
    script = (
        f"import sys, types\nsys.modules[{module!r}] = types.ModuleType({module!r})\n"
        "threads_with()\nprint(json.dumps(keeps_freed_memory()))"
    )
    assert answer(script, MALLOC_TRIM_THRESHOLD_="65536") == (expected and ON_GLIBC)


@pytest.mark.parametrize("number", [0, -1, 1.5, True])
def test_a_number_of_threads_must_be_a_positive_integer(number):
    before = torch.get_num_threads()
    with pytest.raises(ValueError, match="`threads` must be a positive integer"):
        set_threads(number)
    assert torch.get_num_threads() == before


BLAS = """
import json, os, sys

def blas_threads(*words):
    sys.argv = ["ase-les", *words]
    import ase_les.__main__
    assert "numpy" not in sys.modules and "OPENBLAS_NUM_THREADS" not in os.environ
    try:
        ase_les.__main__.main()
    except SystemExit:
        pass
    return os.environ.get("OPENBLAS_NUM_THREADS")

"""


@pytest.mark.parametrize(
    ("words", "environment", "expected"),
    [
        (["doctor"], {}, "1"),
        (["doctor", "--threads", "2"], {}, "2"),
        (["doctor", "--threads=3"], {}, "3"),
        (["doctor", "--threads", "-1"], {}, "1"),
        (["doctor"], {"OMP_NUM_THREADS": "4"}, None),
    ],
)
def test_commands_limit_the_threads_of_blas_before_it_is_loaded(words, environment, expected):
    script = f"{BLAS}print(json.dumps(blas_threads(*{[*words, '--help']})), file=sys.stderr)"
    kept = {name: value for name, value in os.environ.items() if "NUM_THREADS" not in name}
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**kept, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stderr) == expected


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="threads are counted in /proc")
def test_linear_algebra_of_a_command_starts_no_threads():
    script = (
        f"{BLAS}blas_threads('--version')\n"
        "import numpy, scipy.linalg\n"
        "numpy.linalg.eigh(numpy.ones((300, 300)))\n"
        "scipy.linalg.eigh(numpy.ones((300, 300)))\n"
        "print(len(os.listdir('/proc/self/task')), file=sys.stderr)"
    )
    kept = {name: value for name, value in os.environ.items() if "NUM_THREADS" not in name}
    done = subprocess.run(
        [sys.executable, "-c", script], env=kept, capture_output=True, text=True, check=True
    )
    assert int(done.stderr) == 1

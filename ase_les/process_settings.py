"""Process settings that affect the speed of tensor operations: heap and threads.

They are applied when a calculator is created, not at import.
"""

from __future__ import annotations

import ctypes
import os
import sys
import warnings
from functools import cache
from pathlib import Path

import torch

# Option numbers from glibc's malloc.h.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3

# Blocks below this size are allocated on the heap. glibc before 2.37 may reject values above
# the second size.
_MMAP_THRESHOLDS = (256 * 2**20, 32 * 2**20)
# Amount of freed memory kept at the top of the heap.
_TRIM_THRESHOLD = 512 * 2**20

# `distributed.nanny.pre-spawn-environ` of Dask's default configuration.
_TRIM_VARIABLE, _TRIM_THRESHOLD_OF_DASK = "MALLOC_TRIM_THRESHOLD_", "65536"

_THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")
_number_set_here: int | None = None


@cache
def keep_freed_memory() -> bool:
    """Let malloc reuse the memory of freed tensors instead of returning it to the system.

    By default glibc requests every tensor above some megabytes from the system, which clears it
    page by page: up to half the time of a force call. Up to 512 MB are kept; the peak resident
    size of a process hardly changes. The setting affects the whole process and requires glibc;
    thresholds set by the user (``MALLOC_MMAP_THRESHOLD_`` and others) are not changed. That of
    Dask is: its workers return all freed memory, which costs a fifth of a short force call.

    Returns
    -------
    bool
        Whether the thresholds were set.
    """
    if _malloc_is_set_by_user() or not sys.platform.startswith("linux"):
        return False
    library = ctypes.CDLL(None)
    if not hasattr(library, "gnu_get_libc_version") or not hasattr(library, "mallopt"):
        return False
    accepted = any(library.mallopt(_M_MMAP_THRESHOLD, size) for size in _MMAP_THRESHOLDS)
    return bool(accepted and library.mallopt(_M_TRIM_THRESHOLD, _TRIM_THRESHOLD))


def _malloc_is_set_by_user() -> bool:
    names = {name for name in os.environ if name.startswith("MALLOC_")}
    if "distributed" in sys.modules and os.environ.get(_TRIM_VARIABLE) == _TRIM_THRESHOLD_OF_DASK:
        names.discard(_TRIM_VARIABLE)
    return bool(names)


def set_threads(threads: int | None = None) -> int:
    """Set the number of threads of this process and return it.

    Parameters
    ----------
    threads : int or None
        None keeps the user's setting (`torch.set_num_threads`, ``OMP_NUM_THREADS``,
        ``MKL_NUM_THREADS``), and otherwise uses one thread: torch's default is all cores, even
        those in use by other processes, and two busy cores are several times slower than one
        free core.
    """
    global _number_set_here
    if threads is None:
        if _threads_are_set():
            return torch.get_num_threads()
        threads = 1
    if isinstance(threads, bool) or int(threads) != threads or threads < 1:
        raise ValueError(f"`threads` must be a positive integer or None, got {threads!r}")
    cores = available_cores()
    if threads > cores:
        warnings.warn(
            f"{threads} threads on {cores} cores wait for each other: use at most {cores}",
            stacklevel=2,
        )
    torch.set_num_threads(int(threads))
    _number_set_here = int(threads)
    return _number_set_here


def available_cores() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _threads_are_set() -> bool:
    """Return whether the user, or an earlier call of `set_threads`, has set the number."""
    if any(os.environ.get(name) for name in _THREAD_VARIABLES):
        return True
    if torch.get_num_threads() == _number_set_here:
        return True
    if torch.get_num_threads() not in _default_thread_numbers():
        return True
    return _mkl_threads_are_fixed()


def _default_thread_numbers() -> set[int]:
    """Return torch's possible default numbers of threads: all cores or all hardware threads."""
    if not hasattr(os, "sched_getaffinity"):
        cores = os.cpu_count() or 1
        return {cores, max(cores // 2, 1)}
    cpus = os.sched_getaffinity(0)
    siblings = set()
    for cpu in cpus:
        path = Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list")
        siblings.add(path.read_text() if path.is_file() else str(cpu))
    return {len(cpus), len(siblings)}


def _mkl_threads_are_fixed() -> bool:
    """Return whether `torch.set_num_threads` was called, if torch is built with MKL.

    This is the only way to detect a call with the default number: torch then disables the
    dynamic adjustment of MKL.
    """
    library = _torch_library()
    return library is not None and library.mkl_serv_get_dynamic() == 0


@cache
def _torch_library() -> ctypes.CDLL | None:
    path = Path(torch.__file__).parent / "lib" / "libtorch_cpu.so"
    try:
        library = ctypes.CDLL(str(path))
    except OSError:
        return None
    return library if hasattr(library, "mkl_serv_get_dynamic") else None

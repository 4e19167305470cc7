#!/usr/bin/env bash
# distributed 2026.8.0 with NumPy 2.3.5: in a Dask worker, every temporary array above 128 kB is
# mapped and cleared anew by the system, which a script or a process pool does once.
#
# The nanny starts workers with MALLOC_TRIM_THRESHOLD_=65536 (configuration
# distributed.nanny.pre-spawn-environ), meant to return freed memory. For glibc, any threshold in the
# environment also ends the growth of the mmap threshold, which stays at 128 kB, so that arrays of
# a few MB never come from the heap again. The same holds for tensors of PyTorch on a CPU. Remedy in
# the function that the workers call: mallopt(M_MMAP_THRESHOLD, 256 MB) and
# mallopt(M_TRIM_THRESHOLD, 512 MB).
#
# Seen: 200 sums of two arrays of 4 MB: some 1e3 page faults in a plain process, 2e5 in a worker.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "distributed==2026.8.0" "numpy==2.3.5"
cd "$folder"
cat > sums.py <<'PYTHON'
import resource
import time

import numpy as np


def sums():
    """Return page faults and seconds of 200 sums."""
    array = np.ones(500_000)
    array + array
    before, began = resource.getrusage(resource.RUSAGE_SELF).ru_minflt, time.process_time()
    for _ in range(200):
        array + array
    seconds = time.process_time() - began
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before, seconds
PYTHON
cat > compare.py <<'PYTHON'
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import version

from distributed import Client, LocalCluster
from sums import sums

if __name__ == "__main__":
    print(f"distributed {version('distributed')}, NumPy {version('numpy')}")
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        plain = pool.submit(sums).result()
    print(f"process pool: {plain[0]} page faults, {plain[1]:.2f} s")
    settings = {"n_workers": 1, "threads_per_worker": 1, "dashboard_address": None}
    with LocalCluster(**settings) as cluster, Client(cluster) as client:
        worker = client.submit(sums).result()
    print(f"Dask worker:  {worker[0]} page faults, {worker[1]:.2f} s")
    assert plain[0] < 10_000 < 100_000 < worker[0]
PYTHON
PYTHONPATH=. "$folder/venv/bin/python" compare.py
echo "As described: temporaries of Dask workers are faulted in each time."

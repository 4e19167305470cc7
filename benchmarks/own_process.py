"""One measurement per process, so that memory and caches of one do not colour the next."""

import json
import os
import resource
import subprocess
import sys
from pathlib import Path


def ask(*arguments: str) -> dict:
    """What this program prints as JSON when run again with `arguments`."""
    command = [sys.executable, *sys.argv, *arguments]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    if answer.returncode:
        sys.exit(answer.stderr)
    return json.loads(answer.stdout)


def peak_memory() -> float:
    """Largest resident size of this process so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def cpu_time_of(pid: int) -> float:
    """CPU time in s of another running process, 0 once it has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

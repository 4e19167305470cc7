"""One measurement per process, so that memory and caches of one do not color the next."""

import json
import resource
import subprocess
import sys


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

"""One measurement per process, so that memory and caches of one do not color the next."""

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

PEERS = Path(__file__).parent / "peers"


def ask(*arguments: str) -> dict:
    """What this program prints as JSON when run again with `arguments`."""
    command = [sys.executable, *sys.argv, *arguments]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    if answer.returncode:
        sys.exit(answer.stderr)
    return json.loads(answer.stdout)


def ask_mace_torch(*arguments: str) -> dict:
    """What `peers/mace_torch.py` prints as JSON; ends the program without mace-torch."""
    interpreter = os.environ.get("MACE_PYTHON")
    if interpreter is None:
        sys.exit("set MACE_PYTHON to an interpreter with mace-torch (pip install mace-torch)")
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    environment["OMP_NUM_THREADS"] = "1"
    command = [interpreter, str(PEERS / "mace_torch.py"), *arguments]
    answer = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if answer.returncode:
        sys.exit(answer.stderr)
    return json.loads(answer.stdout.splitlines()[-1])


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


def busy_time() -> float:
    """CPU time in s that this machine has spent on all processes, including time lost to others."""
    _, *fields = Path("/proc/stat").read_text().splitlines()[0].split()
    user, nice, system, _idle, _wait, irq, soft_irq, stolen = map(int, fields[:8])
    return (user + nice + system + irq + soft_irq + stolen) / os.sysconf("SC_CLK_TCK")

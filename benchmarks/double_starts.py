"""Start every long command a second time while it runs; each second start must be refused.

    python benchmarks/double_starts.py [--starts 100] [--commands md,train]

Dynamics, relaxations of one and of several structures, labeling, training, Born charges, phonons,
infrared spectra and surface energies run on the command line, slowly. Once one has locked its
output, it is started again in turn as before, with --overwrite and with --resume. A second start is
refused if it ends with exit code 2 and names the process that uses the output. The first process is
paused meanwhile, so that it cannot end.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from ase.build import bulk
from ase.io import write

MODEL = "nacl"
SLOW = """
import time
from ase.calculators.emt import EMT

class SlowEMT(EMT):
    def calculate(self, *arguments, **keywords):
        super().calculate(*arguments, **keywords)
        time.sleep(SECONDS)

def slow(atoms):
    return SlowEMT()
"""
TRAINING = {
    "data": {"training": "copper-labels.extxyz", "validation": 0.2},
    "model": {"representation": {"cutoff": 3.0, "n_radial": 2, "n_mixed": 2, "n_embedding": 1}},
    "fit": {"epochs": 100_000},
    "output": "training",
}

#: Arguments by name; the output has the same name.
COMMANDS = {
    "md": f"md salt.xyz --model {MODEL} --ensemble nve --temperature 300 --timestep 1 "
    "--steps 1000000 --log-stride 100000",
    "relax": f"relax salt.xyz --model {MODEL} --fmax 1e-12 --steps 1000000",
    "relax-all": f"relax salts.xyz --all --model {MODEL} --fmax 1e-12 --steps 1000000",
    "label": "label copper.xyz --engine slow_engine:slow",
    "train": "train training.yml",
    "born": f"born large.xyz --model {MODEL} --method displacement",
    "phonons": f"phonons salt.xyz --model {MODEL} --supercell 9 9 9",
    "infrared": f"infrared large.xyz --model {MODEL} --atoms 0:900",
    "surface": f"surface salt.xyz --model {MODEL} --miller 1,0,0 --fmax 1e-9 --beyond-limits",
}


def prepare(folder: Path) -> None:
    """Write structures, labels and settings."""
    salt = bulk("NaCl", "rocksalt", a=5.7, cubic=True)
    salt.rattle(0.05, seed=1)
    write(folder / "salt.xyz", salt, format="extxyz")
    write(folder / "salts.xyz", [salt] * 3, format="extxyz")
    write(folder / "large.xyz", salt * (5, 5, 5), format="extxyz")
    copper = []
    for seed in range(50):
        atoms = bulk("Cu", cubic=True)
        atoms.rattle(0.05, seed=seed)
        copper.append(atoms)
    write(folder / "copper.xyz", copper, format="extxyz")
    (folder / "slow_engine.py").write_text(SLOW.replace("SECONDS", "3"))
    (folder / "fast_engine.py").write_text(SLOW.replace("SECONDS", "0"))
    (folder / "training.yml").write_text(json.dumps(TRAINING))
    done = start(folder, "label copper.xyz --engine fast_engine:slow --output copper-labels")
    if done.wait():
        raise SystemExit("the data could not be made")


def start(folder: Path, command: str) -> subprocess.Popen:
    """Start a command in a process of its own."""
    code = f"from ase_les.cli import main; main({[*command.split(), '--quiet']!r})"
    path = f"{folder}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    return subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def second_starts(folder: Path, name: str, count: int) -> tuple[int, list[str]]:
    """Number of second starts that were refused, and what became of the others."""
    command = COMMANDS[name] if name == "train" else f"{COMMANDS[name]} --output {name}"
    lock = folder / f".{'training' if name == 'train' else name}.lock"
    first = start(folder, command)
    deadline = time.monotonic() + 300
    while not lock.exists() or not lock.read_text():
        if first.poll() is not None or time.monotonic() > deadline:
            first.kill()
            return 0, [f"{name} did not run: {first.communicate()[1][-500:]}"]
        time.sleep(0.05)
    refused, others = 0, []
    first.send_signal(signal.SIGSTOP)
    for number in range(count):
        if first.poll() is not None:
            others.append(f"{name} ended: {first.communicate()[1][-300:]}")
            break
        second = start(folder, command + ("", " --overwrite", resumed(name))[number % 3])
        text = second.communicate()[1]
        if second.returncode == 2 and f"in use by process {first.pid}" in " ".join(text.split()):
            refused += 1
        else:
            others.append(f"{name}: exit code {second.returncode}, {text[-300:]}")
    first.kill()
    first.wait()
    return refused, others


def resumed(name: str) -> str:
    """The option that continues a run; those of dynamics and relaxations have names."""
    return " --overwrite" if name in ("md", "relax", "relax-all", "surface") else " --resume"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--starts", type=int, default=100)
    parser.add_argument("--commands", default=",".join(COMMANDS))
    options = parser.parse_args()
    refused, others = 0, []
    with tempfile.TemporaryDirectory() as folder:
        prepare(Path(folder))
        left = options.starts
        names = options.commands.split(",")
        for place, name in enumerate(names):
            count = round(left / (len(names) - place))
            left -= count
            found, failed = second_starts(Path(folder), name, count)
            refused, others = refused + found, others + failed
            print(json.dumps({name: {"starts": count, "refused": found}}), flush=True)
    print(json.dumps({"starts": options.starts, "refused": refused, "others": others}, indent=1))
    sys.exit(refused < options.starts)


if __name__ == "__main__":
    main()

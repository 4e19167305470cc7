"""Start every long command a second time while it runs; each second start must be refused.

    python benchmarks/double_starts.py [--starts 100] [--commands md,train]

Dynamics, relaxations of one and of several structures, labeling, training, Born charges, phonons,
infrared spectra and surface energies run on the command line, slowly, in forks of this process,
which has loaded everything. Once one has locked its
output, it is started again in turn as before, with --overwrite and with --resume. A second start is
refused if it ends with exit code 2 and names the process that uses the output. The first process is
paused meanwhile, so that it cannot end.
"""

import argparse
import importlib
import itertools
import json
import os
import signal
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from ase.build import bulk
from ase.io import write

from ase_les.cli import main as ase_les

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
#: What the commands import; forks inherit it.
LOADED = (
    *("calculator", "simulation", "reports", "training.learning.train"),
    *("training.labeling.reference", "properties.phonons", "properties.born_charges"),
    *("properties.infrared_harmonic", "properties.surface_energy"),
)
_numbers = itertools.count()

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
    code, text = start(
        folder, "label copper.xyz --engine fast_engine:slow --output copper-labels"
    ).wait()
    if code:
        raise SystemExit(f"the data could not be made: {text}")


@dataclass(frozen=True)
class Started:
    """A command in a fork of this process, which has loaded everything."""

    pid: int
    errors: Path

    def wait(self) -> tuple[int, str]:
        """Exit code, negative after a signal, and what was written to standard error."""
        code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return code, " ".join(self.errors.read_text().split())

    def has_ended(self) -> bool:
        state = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0]
        return state in ("Z", "X")


def start(folder: Path, command: str) -> Started:
    """Start a command in a process of its own."""
    errors = folder / f"{next(_numbers)}.errors"
    pid = os.fork()
    if pid:
        return Started(pid, errors)
    code = 9
    try:
        os.chdir(folder)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.dup2(os.open(errors, os.O_WRONLY | os.O_CREAT), 2)
        sys.stderr = os.fdopen(2, "w", closefd=False)
        ase_les([*command.split(), "--quiet"])
        code = 0
    except SystemExit as end:
        code = int(end.code or 0)
    finally:
        sys.stderr.flush()
        os._exit(code)


def second_starts(folder: Path, name: str, count: int) -> tuple[int, list[str]]:
    """Number of second starts that were refused, and what became of the others."""
    command = COMMANDS[name] if name == "train" else f"{COMMANDS[name]} --output {name}"
    lock = folder / f".{'training' if name == 'train' else name}.lock"
    first = start(folder, command)
    deadline = time.monotonic() + 300
    while not lock.exists() or not lock.read_text():
        if first.has_ended() or time.monotonic() > deadline:
            os.kill(first.pid, signal.SIGKILL)
            return 0, [f"{name} did not run: {first.wait()[1][-500:]}"]
        time.sleep(0.05)
    refused, others = 0, []
    os.kill(first.pid, signal.SIGSTOP)
    for number in range(count):
        second = start(folder, command + ("", " --overwrite", resumed(name))[number % 3])
        code, text = second.wait()
        if code == 2 and f"in use by process {first.pid}" in text:
            refused += 1
        else:
            others.append(f"{name}: exit code {code}, {text[-300:]}")
    if first.has_ended():
        others.append(f"{name} ended")
    os.kill(first.pid, signal.SIGKILL)
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
        # For the module of the slow engine, which workers import, too.
        paths = (folder, os.environ.get("PYTHONPATH", ""))
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
        sys.path.insert(0, folder)
        for module in LOADED:
            importlib.import_module(f"ase_les.{module}")
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

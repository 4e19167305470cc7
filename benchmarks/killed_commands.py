"""Kill every long command with SIGKILL at random moments, resume it, and compare the endings.

    python benchmarks/killed_commands.py [--kills 300] [--seed 0] [--commands train,label]

Dynamics, relaxations of one and of several structures, labeling, training, Born charges, phonons,
infrared spectra and surface energies run on the command line (in forks of this process, which has
loaded everything), once without kills, and once killed and continued as a user would, ever later,
until the end. Half of the kills come after a random CPU time of the work, half before a random
opening, renaming or removal of a file. A run differs if a file of results has other bytes (arrays
and weights: other numbers) than that of the run without kills, if a structure is labeled twice, or
if unfinished files remain. `random_kills.py` and `killed_relaxations.py` kill within dynamics and
relaxations only.
"""

import argparse
import csv
import importlib
import io
import json
import math
import mmap
import os
import random
import signal
import struct
import sys
import tempfile
import time
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import numpy as np
from ase.build import bulk, molecule
from ase.calculators.emt import EMT
from ase.io import write

from ase_les.cli import main as ase_les
from ase_les.reading.extended_xyz import write_labeled

TRAINING = {
    "data": {"training": "copper-labeled.extxyz", "validation": 0.2},
    "model": {"representation": {"cutoff": 3.0, "n_radial": 2, "n_mixed": 2, "n_embedding": 1}},
    "fit": {"epochs": 3},
    "output": "train",
}
DYNAMICS = "--temperature 300 --timestep 2 --log-stride 1 --trajectory-stride 2 --seed 1"

LOADED = (
    *("calculator", "simulation", "reports", "training.learning.train"),
    *("training.labeling.reference", "properties.phonons", "properties.born_charges"),
    *("properties.infrared_harmonic", "properties.surface_energy"),
)

#: Arguments of the new calculation, and of its continuation.
COMMANDS = {
    "md": (
        f"md salt.xyz --model nacl --steps 30 {DYNAMICS} --checkpoint-stride 4 --output md",
        "md --resume md",
    ),
    "relax": (
        "relax salt.xyz --model nacl --cell full --fmax 1e-3 --steps 8 --checkpoint-stride 3 "
        "--output relax",
        "relax --resume relax",
    ),
    "relax-all": (
        "relax salts.xyz --all --model nacl --fmax 1e-2 --steps 4 --output relax-all",
        "relax --resume relax-all",
    ),
    "label": ("label copper.xyz --engine emt --output label", None),
    "train": ("train training.yml", None),
    "born": ("born salt.xyz --model nacl --method displacement --output born", None),
    "phonons": ("phonons disordered.xyz --model nacl --supercell 1 1 1 --output phonons", None),
    "infrared": ("infrared water.xyz --model dipeptides --beyond-limits --output infrared", None),
    "surface": (
        "surface salt.xyz --model nacl --miller 1,0,0 --layers 2 --fmax 0.05 --beyond-limits "
        "--output surface",
        None,
    ),
}
# Times, versions and pictures differ from run to run.
_SAME_BYTES = (".traj", ".log", ".extxyz", ".raw", "-BORN", "-FORCE_SETS")
_TIMED = (".jsonl", ".csv")


def prepare(folder: Path) -> None:
    """Write structures, labels and settings."""
    salt = bulk("NaCl", "rocksalt", a=5.7, cubic=True)
    salt.rattle(0.05, seed=1)
    write(folder / "salt.xyz", salt, format="extxyz")
    write(folder / "salts.xyz", [salt] * 2, format="extxyz")
    write(folder / "disordered.xyz", salt, format="extxyz")
    write(folder / "water.xyz", molecule("H2O"), format="extxyz")
    copper = []
    for seed in range(16):
        atoms = bulk("Cu", cubic=True)
        atoms.rattle(0.1, seed=seed)
        copper.append(atoms)
    write_labeled(folder / "copper.xyz", copper)
    for atoms in copper[:12]:
        atoms.calc = EMT()
        atoms.info["REF_energy"] = atoms.get_potential_energy()
        atoms.arrays["REF_forces"] = atoms.get_forces()
    write_labeled(folder / "copper-labeled.extxyz", copper[:12])
    (folder / "training.yml").write_text(json.dumps(TRAINING))


def call(folder: Path, arguments: str) -> int:
    """Run a command here, without output; its exit code."""
    os.chdir(folder)
    text = io.StringIO()
    try:
        with redirect_stdout(text), redirect_stderr(text):
            ase_les([*arguments.split(), "--quiet"])
    except SystemExit as end:
        code = int(end.code or 0)
        if code not in (0, 1):
            print(f"{arguments}: {text.getvalue()[-600:]}", file=sys.__stderr__, flush=True)
        return code
    return 0


def in_a_fork(
    folder: Path, arguments: str, cpu_s: float = math.inf, events: float = math.inf
) -> tuple[int | None, float, int]:
    """Run a command in a fork and kill it after a CPU time or before an event of files.

    Returns
    -------
    int or None
        Exit code; None if it was killed before the end.
    float
        CPU time in s, that of workers included.
    int
        Number of events.
    """
    counter = mmap.mmap(-1, 8)
    child = os.fork()
    if child == 0:
        try:
            _kill_before_event(folder, counter, events)
            os._exit(call(folder, arguments))
        finally:
            os._exit(9)
    used = 0.0
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            break
        used = max(used, _cpu_time(child))
        if used > cpu_s:
            os.kill(child, signal.SIGKILL)
            status = os.waitpid(child, 0)[1]
            break
        time.sleep(0.002)
    code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else None
    return code, used, struct.unpack("q", counter)[0]


def _kill_before_event(folder: Path, counter: mmap.mmap, last: float) -> None:
    """Count openings for writing, renamings and removals of files in a folder; kill at the last."""

    def hook(event: str, arguments: tuple) -> None:
        if event == "open":
            path, _, flags = arguments
            if not (isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR)):
                return
        elif event in ("os.rename", "os.remove", "os.truncate", "os.link"):
            path = arguments[0]
        else:
            return
        # Paths are relative to the folder, or begin with it; workers do not have this hook.
        if isinstance(path, str) and path.startswith("/") and not path.startswith(str(folder)):
            return
        (count,) = struct.unpack("q", counter)
        struct.pack_into("q", counter, 0, count + 1)
        if count + 1 > last:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


def _cpu_time(pid: int) -> float:
    """CPU time in s of a process and its children."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        times = [
            Path(f"/proc/{each}/schedstat").read_text().split()[0] for each in (pid, *children)
        ]
    except OSError:
        return 0.0
    return sum(map(int, times)) / 1e9


def killed_until_done(folder: Path, name: str, length: list[float], chance: random.Random) -> int:
    """Kill and continue a command until an attempt reaches the end.

    Parameters
    ----------
    folder : Path
    name : str
    length : list of float
        CPU time in s and number of events of the whole run.
    chance : random.Random

    Returns
    -------
    int
        Number of kills.
    """
    new, continued = COMMANDS[name]
    kills = 0
    while True:
        begun = any(folder.glob(f"{name}*.checkpoint")) or any(folder.glob(f"{name}*.jsonl"))
        command = f"{new} --overwrite" if not begun else (continued or f"{new} --resume")
        share = chance.uniform(0, 0.4 * (1 + kills))
        if chance.random() < 0.5:
            code, _, _ = in_a_fork(folder, command, cpu_s=share * length[0])
        else:
            code, _, _ = in_a_fork(folder, command, events=int(share * length[1]))
        if code is None:
            kills += 1
        elif code in (0, 1):
            return kills
        else:
            raise SystemExit(f"{name} ended with code {code} after {kills} kills: {command}")


def differences(name: str, sound: Path, killed: Path) -> list[str]:
    """Names of the files in which two finished runs differ."""
    found = [each.name for each in killed.glob(".*.unfinished")]
    names = sorted({path.name for folder in (sound, killed) for path in folder.glob(f"{name}*")})
    for file in names:
        one, other = sound / file, killed / file
        if not (one.exists() and other.exists()):
            found.append(f"{file} is missing")
        elif file.endswith(_SAME_BYTES):
            found += [file] * (one.read_bytes() != other.read_bytes())
        elif file.endswith(_TIMED):
            found += [file] * (_without_times(one) != _without_times(other))
        elif file.endswith(".npz"):
            found += [file] * (not _same_arrays(one, other))
        elif file.endswith(".safetensors"):
            found += [file] * (_weights(one) != _weights(other))
    return found


def _without_times(path: Path) -> list[str]:
    """Rows of a table, or sorted entries of a record; without times, and checksums of them."""
    lines = path.read_text().splitlines()
    is_table = path.suffix == ".csv"
    entries = list(csv.DictReader(lines)) if is_table else [json.loads(line) for line in lines]
    told = [
        json.dumps({name: each[name] for name in each if name not in ("seconds", "crc32")})
        for each in entries
    ]
    return told if is_table else sorted(told)


def _same_arrays(one: Path, other: Path) -> bool:
    with np.load(one) as first, np.load(other) as second:
        return sorted(first) == sorted(second) and all(
            first[key].dtype.kind in "OU" or np.array_equal(first[key], second[key], equal_nan=True)
            for key in first
        )


def _weights(path: Path) -> bytes:
    """Bytes of a model file behind its header, which holds the card."""
    content = path.read_bytes()
    return content[8 + int.from_bytes(content[:8], "little") :]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--commands", default=",".join(COMMANDS))
    options = parser.parse_args()
    # Here, since workers import this module. Forks inherit what is loaded; nothing runs in this
    # process, since threads do not survive a fork.
    for module in LOADED:
        importlib.import_module(f"ase_les.{module}")
    from ase_les.training.learning.fit import fit

    # Checkpoints after every epoch instead of every 30 s.
    fit.__kwdefaults__["seconds_between_checkpoints"] = 0.0
    chance = random.Random(options.seed)
    kills, different = 0, 0
    names = options.commands.split(",")
    with tempfile.TemporaryDirectory() as place:
        for number, name in enumerate(names):
            wanted = max(1, round((options.kills - kills) / (len(names) - number)))
            done, runs, failed = 0, 0, []
            sound = Path(place) / f"{name}-sound"
            sound.mkdir()
            prepare(sound)
            code, *length = in_a_fork(sound, f"{COMMANDS[name][0]} --overwrite")
            if code not in (0, 1):
                raise SystemExit(f"{name} ends with code {code}")
            while done < wanted:
                killed = Path(place) / f"{name}-{runs}"
                killed.mkdir()
                prepare(killed)
                done += killed_until_done(killed, name, length, chance)
                runs += 1
                failed += differences(name, sound, killed)
            kills, different = kills + done, different + len(failed)
            told = {"command": name, "cpu_s": round(length[0], 2), "file_events": length[1]}
            told |= {"kills": done, "runs": runs, "different": failed}
            print(json.dumps(told), flush=True)
    print(json.dumps({"kills": kills, "different": different}))
    sys.exit(different > 0)


if __name__ == "__main__":
    main()

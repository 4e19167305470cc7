"""Read mutated files of every kind: nothing runs, every refusal is one clear error, none is slow.

    python benchmarks/fuzzing.py [--count 300] [--seed 0] [--kinds safetensors,cace]

Of every kind of file that the package reads back, `--count` mutants (`benchmarks/mutations.py`) are
read. A mutant may be read, if it means something, or end in a ValueError or FileNotFoundError with
one line that names the file. Counted as faults: other exceptions; messages of several lines, more
than 1,000 characters or with control characters; more than 2 s of CPU time; more than 200 MB beyond
the size of the file; and any event of Python's audit hooks that belongs to execution, imports,
processes, sockets or files other than the one that is read. The numbers of the mutants that are
faults are printed; `--only KIND:NUMBER` reads one again, with its traceback.
"""

import argparse
import contextlib
import json
import multiprocessing
import os
import queue
import random
import resource
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mutations import mutated
from own_process import cpu_time_of

TESTS = Path(__file__).parents[1] / "tests"
MOST_SECONDS, MOST_MEGABYTES = 2.0, 200.0
#: CPU time in s after which a mutant counts as hanging.
HANGS_AFTER = 60
WATCHED = (
    *("exec", "compile", "import", "open", "os.", "subprocess.", "socket.", "ctypes.", "pickle."),
    *("shutil.", "marshal.", "urllib.", "code.", "sqlite3.", "webbrowser.", "signal."),
)


@dataclass(frozen=True)
class Kind:
    """A kind of file: how one is made, how it is mutated, and what reads it."""

    make: Callable[[Path], Path]
    format: str
    read: Callable[[Path], object]


def _small_model():
    from ase_les.model import LESModel, ModelConfig, ShortRangeConfig
    from ase_les.representation import CaceConfig

    representation = CaceConfig(cutoff=3.0, n_radial=3, n_mixed=2, n_embedding=2, l_max=2)
    return LESModel(
        ModelConfig({"H": -13.6, "O": -432.1}, representation, ShortRangeConfig(hidden=(4,))),
        seed=1,
    )


def make_model(folder: Path) -> Path:
    from ase_les.model_io import save_model

    path = folder / "model.safetensors"
    card = {"summary": "a test", "dielectric": 1.78, "charges": {"sign": "physical"}}
    save_model(path, _small_model(), card)
    return path


def read_model(path: Path) -> object:
    from ase_les.model_io import read_model

    return read_model(path)


def read_published(path: Path) -> object:
    from ase_les.interop import read_checkpoint

    return read_checkpoint(path)


def make_cace(folder: Path) -> Path:
    sys.path.insert(0, str(TESTS / "interop"))
    from conftest import Published, Sizes

    published = Published(Sizes(layers=(("memory", "radial", "invariant"),)))
    return published.stubs.save(published.network(), folder / "model.pth")


def make_mace(folder: Path) -> Path:
    sys.path.insert(0, str(TESTS / "interop"))
    from mace_records import as_file, network

    return as_file(network(), folder / "water.model")


def _copper():
    from ase.build import bulk
    from ase.calculators.emt import EMT

    atoms = bulk("Cu", cubic=True)
    atoms.rattle(0.05, seed=1)
    atoms.calc = EMT()
    return atoms


def make_dynamics(folder: Path) -> Path:
    from ase_les.simulation import run_dynamics

    run_dynamics(
        _copper(), temperature_K=300.0, timestep_fs=2.0, steps=20, output=folder / "md",
        observe=["rdf:4"], trajectory_stride=2,
    )  # fmt: skip
    return folder / "md.checkpoint"


def read_dynamics(path: Path) -> object:
    from ase_les.simulation.checkpoint import read_checkpoint

    return read_checkpoint(path)


def make_relaxation(folder: Path) -> Path:
    from ase_les.simulation import relax

    relax(_copper(), steps=4, fmax=1e-6, output=folder / "relaxed")
    return folder / "relaxed.checkpoint"


def read_relaxation(path: Path) -> object:
    from ase_les.simulation.checkpoint import read_relaxation_checkpoint

    return read_relaxation_checkpoint(path)


def make_training(folder: Path) -> Path:
    from ase_les.training.learning.checkpoint import write_checkpoint

    model = _small_model()
    tensors = {f"model.{name}": value for name, value in model.state_dict().items()}
    state = {"data": {"training": {"structures": 3}}, "model": model.config.to_dict(), "epoch": 3}
    write_checkpoint(folder / "train.checkpoint", tensors, state)
    return folder / "train.checkpoint"


def read_training(path: Path) -> object:
    from ase_les.training.learning.checkpoint import read_checkpoint

    return read_checkpoint(path)


def make_labels(folder: Path) -> Path:
    from ase_les.training.labeling.reference import label_structures

    frames = [_copper() for _ in range(4)]
    for number, atoms in enumerate(frames):
        atoms.rattle(0.02, seed=number)
    label_structures(frames, "emt", output=folder / "labels")
    return folder / "labels-labels.jsonl"


def read_labels(path: Path) -> object:
    from ase_les.training.labeling.label_record import read_label_record

    return read_label_record(path)


def make_trajectory(folder: Path) -> Path:
    return make_dynamics(folder).with_suffix(".traj")


def read_trajectory(path: Path) -> object:
    from ase_les.reading import all_frames

    return all_frames(path)


KINDS = {
    "safetensors": Kind(make_model, "safetensors", read_model),
    "cace": Kind(make_cace, "archive", read_published),
    "mace": Kind(make_mace, "archive", read_published),
    "dynamics": Kind(make_dynamics, "npz", read_dynamics),
    "relaxation": Kind(make_relaxation, "npz", read_relaxation),
    "training": Kind(make_training, "safetensors", read_training),
    "labels": Kind(make_labels, "lines", read_labels),
    "trajectory": Kind(make_trajectory, "plain", read_trajectory),
}


class Watch:
    """Audit hook that records events between `start` and `stop`."""

    def __init__(self) -> None:
        self._path: str | None = None
        self.seen: list[str] = []
        sys.addaudithook(self._hook)

    def start(self, path: Path) -> None:
        self.seen, self._path = [], str(path)

    def stop(self) -> None:
        self._path = None

    def _hook(self, event: str, arguments: tuple) -> None:
        if self._path is None or not event.startswith(WATCHED):
            return
        about = repr(arguments[:2])[:200]
        opened = event == "open" and self._path in about
        # ast.parse, by which numpy reads headers: nothing is run.
        parsed = event == "compile" and arguments[1] == "<unknown>"
        if not (opened or parsed):
            self.seen.append(f"{event} {about}")


class TookTooLong(BaseException):
    """A mutant that would not end."""


def _stop(*_: object) -> None:
    raise TookTooLong


def judged(read: Callable[[Path], object], path: Path, watch: Watch) -> tuple[str, list[str]]:
    """Outcome of reading a file, and its faults."""
    faults: list[str] = []
    # The peak cannot be reset everywhere: growth below an earlier peak is not seen.
    highest = _peak()
    began = time.process_time()
    signal.setitimer(signal.ITIMER_PROF, 5 * MOST_SECONDS)
    watch.start(path)
    try:
        read(path)
        outcome = "read"
    except (ValueError, FileNotFoundError) as error:
        watch.stop()
        outcome, text = "refused", str(error)
        if str(path) not in text or "\n" in text or len(text) > 1000 or not text.isprintable():
            faults.append(f"message: {text[:300]!r}")
    except (Exception, TookTooLong) as error:
        watch.stop()
        outcome = type(error).__name__
        faults.append(f"{outcome}: {str(error)[:200]!r} at {_place_of(error)}")
    finally:
        watch.stop()
        signal.setitimer(signal.ITIMER_PROF, 0)
    seconds, grown = time.process_time() - began, _peak() - highest
    if seconds > MOST_SECONDS:
        faults.append(f"{seconds:.1f} s")
    if grown - path.stat().st_size / 1e6 > MOST_MEGABYTES:
        faults.append(f"{grown:.0f} MB")
    return outcome, faults + [f"audit: {event}" for event in watch.seen[:3]]


def _place_of(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    ours = [f"{Path(f.filename).name}:{f.lineno}" for f in frames if "ase_les" in f.filename]
    return ours[-1] if ours else "?"


def _virtual_bytes() -> int:
    """Return the size of the address space of this process."""
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()


def _peak() -> float:
    """Largest resident size of this process so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


def _work(name: str, folder: Path, numbers: range, seed: int, answers) -> None:
    """Read the mutants of these numbers; one answer for each."""
    warnings.simplefilter("ignore")
    signal.signal(signal.SIGPROF, _stop)
    kind = KINDS[name]
    with contextlib.redirect_stdout(io_nowhere()), contextlib.redirect_stderr(io_nowhere()):
        sound = kind.make(folder)
        content = sound.read_bytes()
        # Everything that is loaded on first use is loaded now.
        kind.read(sound)
        _warm(kind, sound, content)
    limit = _virtual_bytes() + 6 * 2**30
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    watch = Watch()
    path = folder / f"mutant{sound.suffix}"
    for number in numbers:
        answers.put((number, "begun", []))
        path.write_bytes(mutated(content, kind.format, random.Random(f"{seed}:{name}:{number}")))
        answers.put((number, *judged(kind.read, path, watch)))
    answers.put((None, "done", []))


def io_nowhere():
    """A file that nothing is written to."""
    return open(os.devnull, "w")


def _warm(kind: Kind, sound: Path, content: bytes) -> None:
    # How archives without a flag write names.
    "".encode("cp437")
    broken = sound.with_name(f"broken{sound.suffix}")
    for piece in (content[: len(content) // 2], content[:3], b"", content[::-1]):
        broken.write_bytes(piece)
        with contextlib.suppress(Exception):
            kind.read(broken)


def fuzz(name: str, count: int, seed: int) -> dict:
    """Read mutants of one kind in a process of their own; a new one if that dies or hangs."""
    done: dict = {"mutants": 0, "outcomes": {}, "faults": {}}
    context = multiprocessing.get_context("spawn")
    first = 0
    while first < count:
        with tempfile.TemporaryDirectory() as folder:
            answers = context.Queue()
            work = (name, Path(folder), range(first, count), seed, answers)
            process = context.Process(target=_work, args=work)
            process.start()
            current, begun = first, False
            while True:
                number, outcome, faults = _next(process, answers, current)
                if outcome == "process ended" and not begun:
                    sys.exit(f"{name}: the sound file cannot be read")
                begun = True
                if outcome in ("done", "begun"):
                    current = number if outcome == "begun" else current
                    if outcome == "done":
                        first = count
                        break
                    continue
                done["mutants"] += 1
                done["outcomes"][outcome] = done["outcomes"].get(outcome, 0) + 1
                for fault in faults:
                    done["faults"].setdefault(fault, []).append(number)
                if outcome == "process ended":
                    first = number + 1
                    break
            process.kill()
            process.join()
    return done


def _next(process, answers, current: int) -> tuple:
    """The next answer, or that the process has ended or hangs."""
    began = cpu_time_of(process.pid)
    while True:
        try:
            return answers.get(timeout=5)
        except queue.Empty:
            if not process.is_alive():
                return current, "process ended", [f"exit code {process.exitcode}"]
            if cpu_time_of(process.pid) - began > HANGS_AFTER:
                return current, "process ended", [f"no answer for {HANGS_AFTER} s of CPU time"]


def again(name: str, number: int, seed: int) -> None:
    """Read one mutant with its traceback."""
    kind = KINDS[name]
    with tempfile.TemporaryDirectory() as folder:
        sound = kind.make(Path(folder))
        content = mutated(sound.read_bytes(), kind.format, random.Random(f"{seed}:{name}:{number}"))
        path = Path(folder) / f"mutant{sound.suffix}"
        path.write_bytes(content)
        began = time.process_time()
        try:
            print("read:", str(kind.read(path))[:500])
        except Exception:
            traceback.print_exc()
        print(f"{time.process_time() - began:.2f} s, peak {_peak():.0f} MB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--only", help="KIND:NUMBER of one mutant")
    options = parser.parse_args()
    if options.only:
        name, _, number = options.only.partition(":")
        again(name, int(number), options.seed)
        return
    n_faults = 0
    for name in options.kinds.split(","):
        found = fuzz(name, options.count, options.seed)
        n_faults += len(found["faults"])
        faults = {text: numbers[:5] for text, numbers in found["faults"].items()}
        print(
            json.dumps({"kind": name, "seed": options.seed, **found, "faults": faults}), flush=True
        )
    sys.exit(n_faults > 0)


if __name__ == "__main__":
    main()

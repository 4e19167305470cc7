"""Kill short runs with SIGKILL at random moments, resume them, and count identical endings.

    python benchmarks/random_kills.py --kills 200

Every run has two stages out of all ensembles, ramps of temperature, pressure and field, and
writes log, trajectory, current, dipole and radial distribution every few steps, so that many
kills fall into the writing of a file. A run counts as identical if the last checkpoint holds the
same bits as that of a run never disturbed, and log, trajectory and series are the same, byte for
byte. Figures are not drawn.
"""

import argparse
import json
import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "simulation"))

from analytic import BAR, ChargedCrystal, Volume, crystal

from ase_les.simulation import resume_dynamics, run_dynamics
from ase_les.simulation.checkpoint import read_checkpoint
from ase_les.simulation.ensembles import ENSEMBLES

PERIODIC = [name for name in ENSEMBLES if name != "npt-in-plane"]
ENDINGS = (".log", ".traj", "-current.raw", "-current.npz", "-dipole.raw", "-dipole.npz")


def atoms():
    """Eight ions whose cell may breathe."""
    return crystal(Volume(0.5, crystal().cell.volume), kind=ChargedCrystal)


def protocol(first: str, second: str) -> dict:
    return {
        "temperature_K": 300.0,
        "timestep_fs": 2.0,
        "barostat_time_fs": 100.0,
        "compressibility_per_bar": BAR / 0.5,
        "log_stride": 2,
        "trajectory_stride": 3,
        "checkpoint_stride": 7,
        "observe": ["current:1", "dipole:3", "rdf:4"],
        "stages": [
            {
                "steps": 60,
                "ensemble": first,
                "temperature_K": (100, 300),
                "pressure_bar": (0, 1000),
                "field_V_per_A": ((0, 0, 0), (0, 0.02, 0.05)),
            },
            {"steps": 60, "ensemble": second},
        ],
    }


def run(stem: Path, settings: dict) -> None:
    """Start the run, or go on with it; what a person would do who finds it dead."""
    if stem.with_name(stem.name + ".checkpoint").exists():
        resume_dynamics(stem, atoms().calc)
    else:
        run_dynamics(atoms(), output=stem, overwrite=True, **settings)


def in_a_process(stem: Path, settings: dict, killed_after: float | None) -> bool:
    """Run in a fork; whether it came to an end before it was killed."""
    child = os.fork()
    if child == 0:
        try:
            run(stem, settings)
        except BaseException as error:
            print(f"{stem}: {error!r}", file=sys.stderr)
            os._exit(1)
        os._exit(0)
    if killed_after is not None:
        time.sleep(killed_after)
        os.kill(child, signal.SIGKILL)
    status = os.waitpid(child, 0)[1]
    if os.WIFEXITED(status) and os.WEXITSTATUS(status):
        raise SystemExit(f"{stem} failed")
    return os.WIFEXITED(status)


def identical(one: Path, other: Path) -> list[str]:
    """Names of what differs between two finished runs."""
    different = [
        ending
        for ending in ENDINGS
        if Path(f"{one}{ending}").read_bytes() != Path(f"{other}{ending}").read_bytes()
    ]
    ends = [read_checkpoint(Path(f"{stem}.checkpoint")) for stem in (one, other)]
    for name in ("positions", "momenta"):
        if not np.array_equal(*(end.atoms.arrays[name] for end in ends)):
            different.append(name)
    if not np.array_equal(ends[0].atoms.cell.array, ends[1].atoms.cell.array):
        different.append("cell")
    if ends[0].rng_state != ends[1].rng_state or ends[0].step != ends[1].step:
        different.append("random numbers or step")
    for kind in ("integrator", "observers"):
        if not _same(getattr(ends[0], kind), getattr(ends[1], kind)):
            different.append(kind)
    if list(one.parent.glob(".*.unfinished")):
        different.append("unfinished files left")
    return different


def _same(one, other) -> bool:
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    return np.array_equal(one, other)


def measure(kills: int, seed: int, folder: Path) -> dict:
    """Until that many processes have been killed."""
    chance = random.Random(seed)
    done = {"kills": 0, "before_the_first_checkpoint": 0, "runs": 0, "identical_runs": 0}
    different = []
    # What a run imports on the way is loaded here once, or most kills would fall into that.
    run(folder / "loading", protocol("nve", "nve"))
    while done["kills"] < kills:
        settings = protocol(chance.choice(PERIODIC), chance.choice(PERIODIC))
        number = done["runs"]
        straight, victim = folder / f"straight{number}", folder / f"victim{number}"
        began = time.perf_counter()
        in_a_process(straight, settings, None)
        duration = time.perf_counter() - began
        finished = False
        while not finished:
            again = chance.random() < 0.8 and done["kills"] < kills
            moment = chance.uniform(0, 0.6 * duration) if again else None
            finished = in_a_process(victim, settings, moment)
            if not finished:
                done["kills"] += 1
                exists = Path(f"{victim}.checkpoint").exists()
                done["before_the_first_checkpoint"] += not exists
        done["runs"] += 1
        problems = identical(straight, victim)
        done["identical_runs"] += not problems
        if problems:
            different.append({"run": number, "settings": settings, "different": problems})
    return done | {"different": different}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(measure(options.kills, options.seed, Path(folder)), indent=2))

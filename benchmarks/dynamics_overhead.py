"""What a step of `ase-les md` costs beside the force call it is made for.

    python benchmarks/dynamics_overhead.py

Liquid water with the shipped model, default logging (a log line and a frame every 10 steps, a
checkpoint every 200). Each call of the calculator is timed within the run itself, so that what
else the machine does hits both sides of a ratio: time of the whole step, on average over the run,
by the time of the force call within it, on the clock and of the processor. Checkpoints, their
extra force call and the neighbor search after it are overhead; start and end of the run are left
out. Under constant pressure the force call gives the stress too, in one pass; the shipped model
knows one density only, so that its box drifts: keep that run short.
"""

import argparse
import json
import tempfile
from pathlib import Path
from time import perf_counter, process_time

import numpy as np
import torch
from ase.io import read

from ase_les import LESCalculator
from ase_les.simulation import run_dynamics

WATER = Path(__file__).parents[1] / "workflows" / "water64.extxyz"
PROTOCOLS = {
    "default logging": {},
    "Nosé–Hoover chain": {"ensemble": "nvt-nose-hoover"},
    "current every step": {"observe": {"current": 1}},
    "current by default": {"observe": ["current"]},
    "rdf every 10 steps": {"observe": {"rdf": 10}},
    "rdf by default": {"observe": ["rdf"]},
    "pressure every 10 steps": {"observe": {"pressure": 10}},
    "constant pressure": {"ensemble": "npt-isotropic", "beyond_limits": True},
}


class Timed(LESCalculator):
    """Keeps when each call began and ended, and whether it was the force call of a step."""

    def __init__(self, *args, **kwargs):
        self.calls = []
        self.fresh = False
        super().__init__(*args, **kwargs)

    def reset(self):
        super().reset()
        self.fresh = True

    def calculate(self, atoms=None, properties=("energy",), *args, **kwargs):
        began = perf_counter(), process_time()
        super().calculate(atoms, properties, *args, **kwargs)
        of_step = "forces" in properties and not self.fresh
        self.calls.append((began, (perf_counter(), process_time()), of_step))
        self.fresh = False


def measure(model: str, repeat: int, steps: int, protocol: dict, folder: str) -> dict:
    """Milliseconds per step and per force call, and their ratio."""
    atoms = read(WATER) * ((repeat,) * 3)
    atoms.calc = Timed(model)
    result = run_dynamics(
        atoms,
        temperature_K=300.0,
        steps=steps,
        output=Path(folder) / "md",
        overwrite=True,
        **protocol,
    )
    # Time per step of a run that ended early, over the steps it was asked for, is anything.
    if result.steps != steps:
        raise SystemExit(f"the run ended at step {result.steps} of {steps}: {result.stopped}")
    # Up to the checkpoint at step 0 it is preparation.
    prepared, *calls = atoms.calc.calls[1:]
    forces = [np.subtract(end, began) for began, end, of_step in calls if of_step]
    whole = np.subtract(calls[-1][1], prepared[1]) / steps
    bare = np.mean(forces, axis=0)
    clock, processor = whole / bare
    return {
        "atoms": len(atoms),
        "steps": steps,
        "force_call_ms": round(1e3 * float(bare[0]), 2),
        "step_ms": round(1e3 * float(whole[0]), 2),
        "force_calls_per_step": len(forces) / steps,
        "ratio": round(float(clock), 3),
        "ratio_of_processor_time": round(float(processor), 3),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="water-rpbe-d3")
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--only", choices=PROTOCOLS, nargs="*", default=list(PROTOCOLS))
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        for repeat in (1, 2):
            for name in options.only:
                told = measure(options.model, repeat, options.steps, PROTOCOLS[name], folder)
                print(json.dumps({"protocol": name, **told}), flush=True)

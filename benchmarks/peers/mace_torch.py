"""Random models, force calls and trainings by mace-torch, for `mace.py` and `mace_training.py`.

A program of its own, run by the interpreter that the variable MACE_PYTHON names: importing mace
changes how torch loads files in the whole process. Prints its numbers as JSON.

    python mace_torch.py build FILE SETTINGS
    python mace_torch.py force SETTINGS STRUCTURE REPEAT CALLS
    python mace_torch.py train FOLDER OPTION...

Networks are built from their settings; no file is unpickled. The cost does not depend on weights.
"""

import contextlib
import json
import resource
import sys
import time

import numpy as np
import torch
from ase.io import read

# Calls in which TorchScript compiles.
WARM_UP = 3


def peak_memory() -> float:
    """Largest resident size of this process so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def network(settings: str) -> torch.nn.Module:
    """Return a random short-range network, the same for the same settings."""
    from mace import modules  # isort: skip
    from e3nn import o3

    given = json.loads(settings)
    channels, degrees = given["channels"], range(given.get("l_hidden", 0) + 1)
    hidden = "+".join(f"{channels}x{degree}{'eo'[degree % 2]}" for degree in degrees)
    blocks = modules.interaction_classes
    first = "Residual" if given.get("residual_first", True) else ""
    numbers = given.get("numbers", [1, 8])
    torch.manual_seed(0)
    return modules.ScaleShiftMACE(
        r_max=given["cutoff"],
        num_bessel=given.get("n_radial", 8),
        num_polynomial_cutoff=given.get("cutoff_exponent", 5),
        max_ell=given.get("l_max", 3),
        interaction_cls=blocks["RealAgnosticResidualInteractionBlock"],
        interaction_cls_first=blocks[f"RealAgnostic{first}InteractionBlock"],
        num_interactions=given["n_layers"],
        num_elements=len(numbers),
        hidden_irreps=o3.Irreps(hidden),
        MLP_irreps=o3.Irreps("16x0e"),
        atomic_energies=np.zeros(len(numbers)),
        avg_num_neighbors=given["mean_neighbors"],
        atomic_numbers=numbers,
        correlation=given.get("correlation", 3),
        gate=torch.nn.functional.silu,
        radial_MLP=given.get("radial_hidden", [64, 64, 64]),
        atomic_inter_scale=1.0,
        atomic_inter_shift=0.0,
    )


def build(path: str, settings: str) -> dict:
    """Write a random short-range model, in single precision."""
    torch.save(network(settings), path)
    return {}


def force(settings: str, structure: str, repeat: str, calls: str) -> dict:
    """Time and memory of force calls on a repeated structure, float32, one thread."""
    from mace.calculators import MACECalculator

    torch.set_num_threads(1)
    matrix = torch.randn(1024, 1024)
    (matrix @ matrix).sum()
    baseline = peak_memory()
    atoms = read(structure) * ((int(repeat),) * 3)
    atoms.calc = MACECalculator(models=network(settings), device="cpu", default_dtype="float32")
    rng, start = np.random.default_rng(0), atoms.positions.copy()
    forces, products = [], []
    for _ in range(int(calls) + WARM_UP):
        atoms.positions = start + rng.normal(0, 0.01, start.shape)
        forces.append(_timed(atoms.get_forces))
        products.append(_timed(lambda: matrix @ matrix))
    forces, products = forces[WARM_UP:], products[WARM_UP:]
    return {
        "atoms": len(atoms),
        "force_ms": 1e3 * np.median(forces),
        "product_ms": 1e3 * np.median(products),
        "ratio": np.median(forces) / np.median(products),
        "ratio_of_fastest": min(forces) / min(products),
        "memory_MB": peak_memory() - baseline,
    }


class Enough(Exception):
    """All epochs have been timed."""


def train(*options: str) -> dict:
    """Processor time of every epoch of `mace_run_train`, in seconds, without validation."""
    from mace import tools
    from mace.cli import run_train

    torch.set_num_threads(1)
    (wanted,) = (int(o.partition("=")[2]) for o in options if o.startswith("--max_num_epochs="))
    epochs, before = [], tools.train.__globals__["train_one_epoch"]

    def timed(*arguments, **named) -> None:
        start = time.process_time()
        before(*arguments, **named)
        epochs.append(time.process_time() - start)
        if len(epochs) == wanted:
            raise Enough

    tools.train.__globals__["train_one_epoch"] = timed
    sys.argv = ["mace_run_train", *options]
    with contextlib.suppress(Enough):
        run_train.main()
    return {"seconds": epochs}


def _timed(call) -> float:
    start = time.process_time()
    call()
    return time.process_time() - start


if __name__ == "__main__":
    command, *arguments = sys.argv[1:]
    answer = {"build": build, "force": force, "train": train}[command](*arguments)
    print(json.dumps(answer))

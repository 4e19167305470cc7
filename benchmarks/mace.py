"""Cost of a force call of MACE models: processor time in matrix products, memory, and its parts.

    python benchmarks/mace.py                          random models of one and two layers
    python benchmarks/mace.py --model water.model      a published model of water
    python benchmarks/mace.py --sizes 1 4              192 and 12,288 atoms
    MACE_PYTHON=... python benchmarks/mace.py --peer   beside mace-torch, on the same files

With ``--peer`` random short-range models are built by mace-torch. Of files named by ``--model``,
mace-torch runs a random network of the same settings, without charges.

Every measurement runs in a process of its own with one thread. Atoms move a little between calls,
as in molecular dynamics. Times are processor times, the median over calls, divided by that of a
1024³ float32 matrix product of the same process, measured in turn with them.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

from own_process import ask, ask_mace_torch, peak_memory

STRUCTURE = Path(__file__).parents[1] / "workflows" / "water64.extxyz"

MODELS = {
    "1 layer, 128x0e": {"channels": 128, "n_layers": 1},
    "2 layers, 128x0e": {"channels": 128, "n_layers": 2},
    "2 layers, 64x0e + 64x1o": {"channels": 64, "n_layers": 2, "l_hidden": 1},
}
COMMON = {"cutoff": 4.5, "mean_neighbors": 30.0}


def measure(model: str, repeat: int, calls: int, dtype: str) -> dict:
    """Time and memory of `calls` force calls on a repeated water box, in this process."""
    import numpy as np
    import torch
    from ase.io import read

    from ase_les import LESCalculator

    torch.set_num_threads(1)
    matrix = torch.randn(1024, 1024)
    (matrix @ matrix).sum()
    baseline = peak_memory()
    atoms = read(STRUCTURE) * (repeat, repeat, repeat)
    atoms.calc = LESCalculator(_model(model), dtype=dtype)
    rng = np.random.default_rng(0)
    start = atoms.positions.copy()
    force_times, product_times = [], []
    for call in range(calls + 2):
        atoms.positions = start + rng.normal(0, 0.01, start.shape)
        force_times.append(_timed(atoms.get_forces))
        product_times.append(_timed(lambda: matrix @ matrix))
        if call == 1:
            # The first calls find neighbors and fill caches.
            force_times.clear(), product_times.clear()
    force, product = np.median(force_times), np.median(product_times)
    return {
        "atoms": len(atoms),
        "force_ms": 1e3 * force,
        "product_ms": 1e3 * product,
        "ratio": force / product,
        "ratio_of_fastest": min(force_times) / min(product_times),
        "memory_MB": peak_memory() - baseline,
    }


def _model(name: str):
    from ase_les.model import LESModel, ModelConfig

    if name not in MODELS:
        return name
    representation = {"kind": "mace", **COMMON, **MODELS[name]}
    config = {
        "atomic_energies": {"H": 0.0, "O": 0.0},
        "representation": representation,
        "short_range": {"hidden": [16], "bias": False},
        "long_range": {
            "charges": {"hidden": [16], "neutrality": "none"},
            "electrostatics": {"k_cutoff": 3.141592653589793, "background": False},
        },
    }
    return LESModel(ModelConfig.from_dict(config), seed=0)


def _timed(call) -> float:
    start = time.process_time()
    call()
    return time.process_time() - start


def _settings(name: str) -> dict:
    """Return the settings of a random model or of the network of a file."""
    if name in MODELS:
        return {**COMMON, **MODELS[name]}
    from ase_les import load_model

    config = load_model(name).config
    return {**config.to_dict()["representation"], "numbers": sorted(config.elements)}


def compare(models: list[str], sizes: list[int], calls: int) -> None:
    """Print time and memory of force calls here and by mace-torch, on the same files."""
    print("float32, one thread, processor time in products of 1024³; memory above that of imports")
    print("model                      atoms   here  mace-torch  ratio      here  mace-torch  ratio")
    with tempfile.TemporaryDirectory() as folder:
        for name in models or MODELS:
            path, settings = name, json.dumps(_settings(name))
            if name in MODELS:
                path = str(Path(folder) / f"{name}.model")
                ask_mace_torch("build", path, settings)
            for repeat in sizes:
                own = ask("--in-process", path, str(repeat))
                peer = ask_mace_torch("force", settings, str(STRUCTURE), str(repeat), str(calls))
                time, other = own["ratio"], peer["ratio"]
                memory, others = own["memory_MB"], peer["memory_MB"]
                print(
                    f"{Path(name).stem[:24]:24s} {own['atoms']:7d} "
                    f"{time:6.2f} {other:11.2f} {time / other:6.3f} "
                    f"{memory:6.0f} MB {others:8.0f} MB {memory / others:6.3f}",
                    flush=True,
                )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", action="append", help="instead of the random models")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--sizes", type=int, nargs="+", default=[1], help="boxes per axis")
    parser.add_argument("--calls", type=int, default=20)
    parser.add_argument("--peer", action="store_true", help="compare with mace-torch")
    parser.add_argument("--in-process", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.in_process:
        model, repeat = arguments.in_process
        print(json.dumps(measure(model, int(repeat), arguments.calls, arguments.dtype)))
        return
    if arguments.peer:
        compare(arguments.model, arguments.sizes, arguments.calls)
        return
    print(f"{arguments.dtype}, one thread, processor time")
    print("model                      atoms   force call   product   ratio (of fastest)   memory")
    for model in arguments.model or MODELS:
        for repeat in arguments.sizes:
            row = ask("--in-process", model, str(repeat))
            print(
                f"{Path(model).stem[:24]:24s} {row['atoms']:7d} {row['force_ms']:9.1f} ms "
                f"{row['product_ms']:6.1f} ms {row['ratio']:6.2f} ({row['ratio_of_fastest']:.2f})"
                f" {row['memory_MB']:12.0f} MB"
            )


if __name__ == "__main__":
    main()

"""Time and memory of force calls over models, sizes and boundaries, and how they grow.

    python -m benchmarks                            this build alone
    python -m benchmarks --base ../base             beside another build, in turns: ratios
    python -m benchmarks --only water               cases whose name contains a word
    python -m benchmarks --peer nep=PYTHON          also beside NEP, of a Python that has calorine

Times are medians over calls, on one thread that of the thread and not of the clock, beside the
median of a 1024³ float32 matrix product of the same process. Memory is the largest resident size
above that before the calculator is made. Exponents are those of time with the number of atoms.
Limits (≤) stand beside the numbers; ratios are meant for build 5c89311. Results are kept in a JSON
file, and the next run shows what has changed in units of the product.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from statistics import median

from benchmarks.paired_calls import Case, paired_calls, ratio

REPOSITORY = Path(__file__).parents[1]
WATER = str(REPOSITORY / "workflows" / "water64.extxyz")
PUBLISHED = REPOSITORY.parent / "shared" / "published"

Row = dict[str, float]


# Largest ratio of times to those of build 5c89311.
RATIOS = {
    "water-bec-v1 192": 0.33,
    "water-bec-v1 1536": 0.28,
    "water-bec-v1 12288": 0.22,
    "water-rpbe-d3 192": 0.33,
    "water-rpbe-d3 1536": 0.30,
    "tio2-nacl-aq published 8784": 0.30,
    "platinum film TTT 1024": 0.25,
    "platinum film TTF 1024": 0.25,
    "training step of water": 0.6,
    "nep 1536": 1 / 3,
}
# Largest ratios of memory, kB per atom, MB, and exponents.
MEMORY_RATIOS = {"water-rpbe-d3 12288": 0.5, "water-rpbe-d3 98304": 0.5}
BYTES = {"water slab 75264": 30.0}
MEGABYTES = {"water droplet 18432": 2000.0}
EXPONENTS = {"water slab": 1.15}
# Build 5c89311 needs more than 24 GB for these.
TOO_LARGE_FOR_BASE = ("water droplet 18432",)


def cases(published: Path, base: Path | None) -> list[Case]:
    """Return all cases; those of published checkpoints only where these are.

    Both builds run the platinum model of the other build, which may have another architecture.
    """
    metal = "pt-kf-aq"
    if base is not None:
        metal = str((base / "models" / metal / "model.safetensors").resolve())
    found = [
        Case(f"water-rpbe-d3 {192 * n**3}", "water-rpbe-d3", WATER, (n, n, n)) for n in (1, 2, 4, 8)
    ]
    found.append(Case("water-rpbe-d3 18432", "water-rpbe-d3", WATER, (4, 4, 6)))
    found += [
        Case(f"water slab {192 * 2 * n**2}", "water-rpbe-d3", WATER, (n, n, 2), "TTF")
        for n in (4, 14)
    ]
    found += [
        Case(f"water droplet {192 * math.prod(n)}", "water-rpbe-d3", WATER, n, "FFF")
        for n in ((2, 2, 2), (4, 4, 6))
    ]
    found += [
        Case(f"platinum film {pbc} {4 * n**2}", metal, "platinum", (n, n, 1), pbc)
        for pbc in ("TTT", "TTF")
        for n in (8, 16)
    ]
    bec, salt = published / "water-bec-v1", published / "tio2-nacl-aq"
    if bec.is_dir():
        model = str(bec / "checkpoint.pth")
        found += [Case(f"water-bec-v1 {192 * n**3}", model, WATER, (n, n, n)) for n in (1, 2, 4)]
    if salt.is_dir():
        name = "tio2-nacl-aq published 8784"
        found.append(Case(name, str(salt / "checkpoint.pth"), str(salt / "equil.xyz")))
    return found


def peer_row(peer: str, python: str, calls: int) -> Row:
    """Return the times of water, 1,536 atoms, beside those of another program."""
    case = Case(f"{peer} 1536", "water-rpbe-d3", WATER, (2, 2, 2))
    own, other = paired_calls(case, [REPOSITORY], calls, 1, [(peer, python)])
    return {
        "atoms": own.atoms,
        "ms": 1e3 * median(own.seconds),
        "product_ms": 1e3 * median(own.product_seconds),
        "memory_MB": own.memory_MB,
        "base_ms": 1e3 * median(other.seconds),
        "base_memory_MB": other.memory_MB,
        "ratio": ratio(own, other),
        "ratio_of_fastest": min(own.seconds) / min(other.seconds),
    }


def measure(case: Case, builds: Sequence[Path], calls: int, threads: int) -> Row:
    """Return time, product and memory of this build, and of the other one if there are two."""
    own, *others = paired_calls(case, builds, calls, threads)
    row = {
        "atoms": own.atoms,
        "ms": 1e3 * median(own.seconds),
        "product_ms": 1e3 * median(own.product_seconds),
        "memory_MB": own.memory_MB,
    }
    for other in others:
        row |= {
            "base_ms": 1e3 * median(other.seconds),
            "ratio": ratio(own, other),
            "ratio_of_fastest": min(own.seconds) / min(other.seconds),
            "base_memory_MB": other.memory_MB,
        }
    return row


def exponents(rows: dict[str, Row]) -> dict[str, float]:
    """Return the growth of time with atoms, between the two largest sizes of each series."""
    series: dict[str, list[Row]] = {}
    for name, row in rows.items():
        if "atoms" not in row:
            continue
        series.setdefault(name.rpartition(" ")[0], []).append(row)
    found = {}
    for name, sizes in series.items():
        if len(sizes) > 1:
            small, large = sorted(sizes, key=lambda row: row["atoms"])[-2:]
            found[name] = math.log(large["ms"] / small["ms"]) / math.log(
                large["atoms"] / small["atoms"]
            )
    return found


def line(name: str, row: Row, last: Row | None) -> str:
    """Return one line of the table."""
    products = row["ms"] / row["product_ms"]
    per_atom = 1e3 * row["memory_MB"] / row["atoms"]
    text = (
        f"{name:28s} {row['ms']:9.1f} {row['product_ms']:8.1f} {products:9.2f} "
        f"{row['memory_MB']:8.0f}{_limit(name, MEGABYTES)} {per_atom:8.1f}{_limit(name, BYTES)}"
    )
    if "ratio" in row:
        memory = row["memory_MB"] / max(row["base_memory_MB"], 1.0)
        text += f" {row['ratio']:7.3f}{_limit(name, RATIOS)} ({row['ratio_of_fastest']:.3f})"
        text += f" {memory:6.2f}{_limit(name, MEMORY_RATIOS)}"
    if last is not None:
        text += f" {products * last['product_ms'] / last['ms']:8.2f}"
    return text


def _limit(name: str, limits: dict[str, float]) -> str:
    return f" ≤ {limits[name]:.3g}" if name in limits else ""


def force_error() -> float:
    """Return the largest deviation of forces in float32 from float64 in eV/Å, 1,536 atoms."""
    from ase.io import read

    from ase_les import LESCalculator

    found = []
    for dtype in ("float32", "float64"):
        atoms = read(WATER).repeat((2, 2, 2))
        atoms.calc = LESCalculator("water-rpbe-d3", dtype=dtype)
        found.append(atoms.get_forces())
    return float(abs(found[0] - found[1]).max())


def training_rows(base: Path) -> tuple[float, str]:
    """Return the ratio of the training step to that of another build, and what was printed."""
    command = [sys.executable, str(REPOSITORY / "benchmarks" / "training_step.py")]
    told = subprocess.run(
        [*command, "--base", str(base), "--steps", "10"],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return float(told.rpartition("ratio")[2]), told


def main() -> None:
    """Measure, print the table and keep the results."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__.split("\n")[0]
    )
    parser.add_argument("--base", type=Path, help="folder with another build of ase_les")
    parser.add_argument("--only", default="", help="cases whose name contains this")
    parser.add_argument("--calls", type=int, default=9, help="force calls of each build and case")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument(
        "--peer",
        action="append",
        default=[],
        metavar="nep=PYTHON",
        help="program to compare with, and the Python that has it (calorine for nep)",
    )
    parser.add_argument("--published", type=Path, default=PUBLISHED, help="published checkpoints")
    parser.add_argument("--results", type=Path, default=Path("work/benchmarks.json"))
    asked = parser.parse_args()

    builds = [REPOSITORY, *([asked.base] if asked.base else [])]
    kept = json.loads(asked.results.read_text()) if asked.results.is_file() else {}
    print(
        f"{'case':28s} {'ms':>9s} {'product':>8s} {'products':>9s} {'MB':>9s} {'kB/atom':>9s}"
        + (f" {'ratio':>7s} (fastest) {'memory':>7s}" if asked.base else "")
        + (" of last" if kept else "")
    )
    rows = {}
    for case in cases(asked.published, asked.base):
        if asked.only not in case.name:
            continue
        compared = builds[:1] if case.name in TOO_LARGE_FOR_BASE else builds
        rows[case.name] = measure(case, compared, asked.calls, asked.threads)
        print(line(case.name, rows[case.name], kept.get(case.name)), flush=True)
        asked.results.parent.mkdir(parents=True, exist_ok=True)
        asked.results.write_text(json.dumps({**kept, **rows}, indent=1))
    peers = dict(each.split("=", 1) for each in asked.peer)
    if find_spec("calorine"):
        peers.setdefault("nep", sys.executable)
    for peer, python in peers.items():
        name = f"{peer} 1536"
        if asked.only in name:
            rows[name] = peer_row(peer, python, asked.calls)
            print(line(name, rows[name], kept.get(name)), flush=True)
            print(f"forces of 1,536 atoms, float32 - float64: {force_error():.1e} ≤ 1e-5 eV/Å")
    name = "training step of water"
    if asked.base and asked.only in name:
        found, told = training_rows(asked.base)
        rows[name] = {"ratio": found}
        print(f"{told}{name}: {found:.3f}{_limit(name, RATIOS)}", flush=True)
    asked.results.parent.mkdir(parents=True, exist_ok=True)
    asked.results.write_text(json.dumps({**kept, **rows}, indent=1))
    drop, bulk = rows.get("water droplet 18432"), rows.get("water-rpbe-d3 18432")
    if drop and bulk:
        print(f"droplet of 18,432 atoms: {drop['ms'] / bulk['ms']:.2f} ≤ 3 times bulk")
    for name, exponent in exponents(rows).items():
        print(f"{name}: time grows as atoms^{exponent:.2f}{_limit(name, EXPONENTS)}")


if __name__ == "__main__":
    main()

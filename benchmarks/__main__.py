"""Time and memory of force calls over models, sizes and boundaries, and how they grow.

    python -m benchmarks                            this build alone
    python -m benchmarks --base ../base             beside another build, in turns: ratios
    python -m benchmarks --only water               cases whose name contains a word

Times are medians over calls, on one thread that of the thread and not of the clock, beside the
median of a 1024³ float32 matrix product of the same process. Memory is the largest resident size
above that before the calculator is made. Exponents are those of time with the number of atoms.
Results are kept in a JSON file, and the next run shows what has changed in units of the product.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from benchmarks.paired_calls import Case, paired_calls, ratio

REPOSITORY = Path(__file__).parents[1]
WATER = str(REPOSITORY / "workflows" / "water64.extxyz")
PUBLISHED = REPOSITORY.parent / "shared" / "published"

Row = dict[str, float]


def cases(published: Path) -> list[Case]:
    """Return all cases; those of published checkpoints only where these are."""
    found = [
        Case(f"water-rpbe-d3 {192 * n**3}", "water-rpbe-d3", WATER, (n, n, n)) for n in (1, 2, 4)
    ]
    found += [
        Case(f"water slab {192 * 2 * n**2}", "water-rpbe-d3", WATER, (n, n, 2), "TTF")
        for n in (2, 4)
    ]
    found += [
        Case(f"water droplet {192 * n**3}", "water-rpbe-d3", WATER, (n, n, n), "FFF")
        for n in (1, 2)
    ]
    found += [Case(f"platinum film {4 * n**2}", "pt-kf-aq", "platinum", (n, n, 1)) for n in (8, 16)]
    bec, salt = published / "water-bec-v1", published / "tio2-nacl-aq"
    if bec.is_dir():
        model = str(bec / "checkpoint.pth")
        found += [Case(f"water-bec-v1 {192 * n**3}", model, WATER, (n, n, n)) for n in (1, 2, 4)]
    if salt.is_dir():
        name = "tio2-nacl-aq published 8784"
        found.append(Case(name, str(salt / "checkpoint.pth"), str(salt / "equil.xyz")))
    return found


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
    text = (
        f"{name:28s} {row['ms']:9.1f} {row['product_ms']:8.1f} {products:9.2f} "
        f"{row['memory_MB']:9.0f} {1e3 * row['memory_MB'] / row['atoms']:9.1f}"
    )
    if "ratio" in row:
        memory = row["memory_MB"] / max(row["base_memory_MB"], 1.0)
        text += f" {row['ratio']:7.3f} ({row['ratio_of_fastest']:.3f}) {memory:8.2f}"
    if last is not None:
        text += f" {products * last['product_ms'] / last['ms']:8.2f}"
    return text


def main() -> None:
    """Measure, print the table and keep the results."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__.split("\n")[0]
    )
    parser.add_argument("--base", type=Path, help="folder with another build of ase_les")
    parser.add_argument("--only", default="", help="cases whose name contains this")
    parser.add_argument("--calls", type=int, default=9, help="force calls of each build and case")
    parser.add_argument("--threads", type=int, default=1)
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
    for case in cases(asked.published):
        if asked.only not in case.name:
            continue
        rows[case.name] = measure(case, builds, asked.calls, asked.threads)
        print(line(case.name, rows[case.name], kept.get(case.name)), flush=True)
        asked.results.parent.mkdir(parents=True, exist_ok=True)
        asked.results.write_text(json.dumps({**kept, **rows}, indent=1))
    for name, exponent in exponents(rows).items():
        print(f"{name}: time grows as atoms^{exponent:.2f}")


if __name__ == "__main__":
    main()

"""Run the studies of ``workflows/`` and store their figures and run times for the gallery.

    python docs/gallery/make.py                 all
    python docs/gallery/make.py 04 10           some
    python docs/gallery/make.py --shared FOLDER data of studies 02 and 03, which are not shipped

``studies.yml`` says with which options. CPU times are those of the process of the study.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml
from PIL import Image

HERE = Path(__file__).parent
STUDIES = HERE.parents[1] / "workflows"
TIMES = HERE / "times.yml"
COLORS = 255
"""Of the stored figures, in files of some ten kB."""


def run(name: str, study: dict[str, str], shared: Path) -> float:
    """Run a study and store its figure; return its CPU time in s."""
    options = study["options"].format(shared=shared).split()
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            [sys.executable, STUDIES / f"{name}.py", *options, "--output", folder],
            check=True,
            stdout=subprocess.DEVNULL,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        with Image.open(Path(folder) / study["figure"]) as figure:
            small = figure.convert("RGB").quantize(COLORS, method=Image.Quantize.FASTOCTREE)
        small.save(HERE / "figures" / f"{name}.png", optimize=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("studies", nargs="*", help="numbers, such as 04; all if absent")
    parser.add_argument("--shared", type=Path, default=HERE.parents[1] / "shared")
    arguments = parser.parse_args()
    studies = yaml.safe_load((HERE / "studies.yml").read_text(encoding="utf-8"))
    for name, study in studies.items():
        if study.get("stored") or (arguments.studies and name[:2] not in arguments.studies):
            continue
        print(name, flush=True)
        try:
            seconds = run(name, study, arguments.shared)
        except subprocess.CalledProcessError as error:
            print(f"{name}: {error}", flush=True)
            continue
        times = yaml.safe_load(TIMES.read_text(encoding="utf-8")) if TIMES.exists() else {}
        times[name] = round(seconds)
        TIMES.write_text(yaml.safe_dump(times), encoding="utf-8")


if __name__ == "__main__":
    main()

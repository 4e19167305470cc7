"""Raman spectra of α-quartz and of liquid water, beside experiment.

    python workflows/20_raman.py                     quartz; water: 2 ps to equilibrate, 20 ps
    python workflows/20_raman.py --only quartz       a minute
    python workflows/20_raman.py --quick             water: 0.2 ps of data, a demonstration

The polarizability is a part of the models, learned from density functional perturbation theory.
Quartz: modes at Γ and ∂α/∂r, at the measured cell with relaxed atoms. Water: correlation of the
polarizability every 2 fs; polarized (VV) and depolarized (VH) cross sections. A run that was
stopped goes on where it was. Writes ``<output>/quartz*`` and ``<output>/water*``.

Nuclei are classical: O–H stretches lie 100–200 1/cm above those of quantum nuclei. The models were
trained on silica at high temperature and on water at 300 K.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from ase.io import read
from ase.optimize import BFGS
from ase.spacegroup import crystal

from ase_les import LESCalculator
from ase_les.properties.raman_dynamics import RamanResult, raman_from_run
from ase_les.properties.raman_harmonic import HarmonicRaman, harmonic_raman
from ase_les.properties.spectral_peaks import Band
from ase_les.reports import dynamics
from ase_les.reports import raman as report
from ase_les.reports.terminal import TerminalProgress, columns_table, console
from ase_les.runs.output import write_summary
from ase_les.simulation import Stage, resume_dynamics, run_dynamics

# Single crystal at room temperature: J. F. Scott, S. P. S. Porto, Phys. Rev. 161, 903 (1967);
# transverse branches of E.
QUARTZ = {
    "A1": (206.0, 356.0, 464.0, 1085.0),
    "E": (128.0, 264.0, 394.0, 450.0, 697.0, 795.0, 1072.0, 1162.0),
}
# Positions at room temperature: G. E. Walrafen, J. Chem. Phys. 47, 114 (1967) and
# D. M. Carey, G. M. Korenowski, J. Chem. Phys. 108, 2669 (1998).
WATER = {
    "H-bond stretch": (Band("H-bond stretch", 100, 300), "175"),
    "libration": (Band("libration", 350, 1000), "450–780"),
    "bend": (Band("bend", 1500, 1850), "1640"),
    "O-H stretch": (Band("O-H stretch", 2800, 4000), "3250, 3400"),
}


def quartz(output: Path, laser_nm: float) -> HarmonicRaman:
    """Return the spectrum of α-quartz, cell of L. Levien et al., Am. Mineral. 65, 920 (1980)."""
    atoms = crystal(
        ("Si", "O"),
        [(0.4697, 0, 2 / 3), (0.4135, 0.2669, 0.1191 + 2 / 3)],
        spacegroup=154,
        cellpar=[4.916, 4.916, 5.4054, 90, 90, 120],
    )
    atoms.calc = LESCalculator("sio2", dtype="float64", accuracy=1e-7)
    BFGS(atoms, logfile=None).run(fmax=1e-4, steps=200)
    result = harmonic_raman(
        atoms,
        laser_nm=laser_nm,
        beyond_limits=True,
        output=output / "quartz",
        overwrite=True,
        progress=TerminalProgress(),
    )
    report.write(result, output / "quartz")
    report.show(result)
    return result


def assigned(result: HarmonicRaman) -> list[dict[str, object]]:
    """Return modes of A1 and E in order, beside experiment; A2 does not scatter.

    E modes are pairs; A1 keeps the threefold axis, so that its tensor is diagonal, xx = yy.
    """
    lines = result.wavenumbers_per_cm
    of_pair = np.zeros(len(lines), dtype=bool)
    close = np.flatnonzero(np.diff(lines) < 0.5)
    of_pair[close] = of_pair[close + 1] = True
    scatters = result.activities_A4_per_amu > 1e-6 * result.activities_A4_per_amu.max()
    found = {"A1": lines[~of_pair & scatters], "E": lines[close]}
    activities = {
        "A1": result.activities_A4_per_amu[~of_pair & scatters],
        "E": result.activities_A4_per_amu[close] + result.activities_A4_per_amu[close + 1],
    }
    return [
        {
            "symmetry": kind,
            "wavenumber_per_cm": float(line),
            "activity_A4_per_amu": float(activity),
            "experiment_per_cm": measured,
        }
        for kind, all_measured in QUARTZ.items()
        for line, activity, measured in zip(
            found[kind], activities[kind], all_measured, strict=False
        )
    ]


def water(arguments: argparse.Namespace) -> RamanResult:
    """Return the spectrum of a run of liquid water."""
    stem = arguments.output / "water"
    calculator = LESCalculator("water-rpbe-d3")
    if stem.with_name("water.checkpoint").exists():
        steps = arguments.equilibration + arguments.steps
        run = resume_dynamics(stem, calculator, steps=steps, progress=TerminalProgress())
    else:
        atoms = read(Path(__file__).with_name("water64.extxyz"))
        atoms.calc = calculator
        run = run_dynamics(
            atoms,
            ensemble="nvt-bussi",
            temperature_K=300.0,
            timestep_fs=0.5,
            stages=[
                Stage("equilibrate", arguments.equilibration),
                # A thermostat this weak hardly disturbs the motion.
                Stage(
                    "record",
                    arguments.steps,
                    thermostat_time_fs=1000.0,
                    observe=["polarizability:4"],
                ),
            ],
            seed=1,
            output=stem,
            progress=TerminalProgress(),
        )
    dynamics.write(run)
    dynamics.show(run)
    if run.stopped is not None:
        raise SystemExit(f"{run.stopped}; start again to continue")
    result = raman_from_run(
        stem,
        molecules=64,
        laser_nm=arguments.laser,
        resolution_per_cm=arguments.resolution,
        # The Hann window needs the shorter run.
        window="hann" if arguments.quick else "gaussian",
        bands=[band for band, _ in WATER.values()],
        upto_per_cm=4500.0,
        output=arguments.output / "water-raman",
        overwrite=True,
    )
    report.write(result, arguments.output / "water-raman")
    report.show(result)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=["quartz", "water"])
    parser.add_argument("--steps", type=int, default=40_000, help="of water that are recorded")
    parser.add_argument("--equilibration", type=int, default=4_000, help="steps before these")
    parser.add_argument("--resolution", type=float, default=30.0, help="in 1/cm")
    parser.add_argument("--laser", type=float, default=532.0, help="wave length in nm")
    parser.add_argument("--output", type=Path, default=Path("raman"))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="0.2 ps of water, 200 1/cm")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    if arguments.quick:
        arguments.equilibration, arguments.steps, arguments.resolution = 100, 400, 200.0
    arguments.output.mkdir(parents=True, exist_ok=True)
    summary: dict[str, object] = {}
    if arguments.only != "water":
        rows = assigned(quartz(arguments.output, arguments.laser))
        heads = ("symmetry", "1/cm", "Å⁴/amu", "experiment / (1/cm)")
        shown = [
            (
                str(row["symmetry"]),
                f"{row['wavenumber_per_cm']:.0f}",
                f"{row['activity_A4_per_amu']:.2f}",
                f"{row['experiment_per_cm']:.0f}",
            )
            for row in rows
        ]
        console().print(columns_table("Raman lines of α-quartz", heads, shown))
        summary["quartz"] = rows
    if arguments.only != "quartz":
        result = water(arguments)
        heads = ("band", "center / (1/cm)", "VH/VV", "experiment / (1/cm)")
        bands = [
            (line.band.name, f"{line.center_per_cm:.0f}", str(line.depolarization), measured)
            for line, (_, measured) in zip(result.lines, WATER.values(), strict=True)
        ]
        console().print(columns_table("Raman bands of liquid water", heads, bands))
        summary["water"] = result.summary()
    write_summary(arguments.output / "raman-summary.yml", summary)


if __name__ == "__main__":
    main()

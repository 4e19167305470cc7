"""What thermostats and barostats sample, against distributions that can be written down.

    python benchmarks/canonical_sampling.py --steps 100000

Eight anharmonic oscillators tied to a cell (tests/simulation/analytic.py). Kinetic energies are
compared with the gamma distribution, volumes with the equation of state, logarithms of the
lengths with their normal distribution; errors take the measured correlation time into account,
and Kolmogorov–Smirnov tests see samples four correlation times apart.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np
from ase import units
from ase.build import bulk
from ase.calculators.emt import EMT
from scipy import stats

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "simulation"))

from analytic import BAR, Lengths, Volume, crystal, sample

TEMPERATURE = 300.0
KT = units.kB * TEMPERATURE
MODULUS = 0.05
SETTINGS = {"temperature_K": TEMPERATURE, "thermostat_time_fs": 50.0, "timestep_fs": 5.0}


def correlation_time(values: np.ndarray) -> float:
    """In samples; 0.5 for values that know nothing of each other."""
    deviations = values - values.mean()
    variance = deviations @ deviations
    time = 0.5
    for lag in range(1, len(values) // 3):
        correlation = deviations[:-lag] @ deviations[lag:] / variance
        if correlation < 0.05:
            break
        time += correlation
    return time


def compared(values: np.ndarray, expected) -> dict:
    """Mean and variance relative to what they should be, with errors, and the test's p."""
    time = correlation_time(values)
    independent = len(values) / (2 * time)
    excess = (values.mean() - expected.mean()) / expected.std()
    apart = values[:: int(np.ceil(4 * time))]
    return {
        "mean_minus_expected_in_spreads": f"{excess:+.4f} ± {independent**-0.5:.4f}",
        "variance_over_expected": f"{values.var() / expected.var():.3f} ± "
        f"{np.sqrt(2 / independent):.3f}",
        "correlation_time_steps": round(time, 1),
        "kolmogorov_smirnov_p": round(float(stats.kstest(apart, expected.cdf).pvalue), 3),
    }


def kinetic_energies(ensemble: str, steps: int) -> dict:
    energies, freedom = sample(
        crystal(),
        lambda atoms: atoms.get_kinetic_energy(),
        steps=steps,
        every=1,
        skip=500,
        ensemble=ensemble,
        **SETTINGS,
    )
    return compared(energies, stats.gamma(freedom / 2, scale=KT))


def volumes(pressure_bar: float, steps: int) -> dict:
    start = crystal().cell.volume
    sampled, _ = sample(
        crystal(Volume(MODULUS, start)),
        lambda atoms: atoms.cell.volume,
        steps=steps,
        every=1,
        skip=500,
        ensemble="npt-isotropic",
        pressure_bar=pressure_bar,
        barostat_time_fs=200.0,
        compressibility_per_bar=BAR / MODULUS,
        **SETTINGS,
    )
    expected = stats.norm(start * (1 - pressure_bar * BAR / MODULUS), np.sqrt(KT * start / MODULUS))
    return compared(sampled, expected)


def lengths(ensemble: str, chosen: tuple[int, int, int], steps: int) -> dict:
    rest = crystal().cell.lengths()
    atoms = crystal(Lengths(6 * MODULUS, rest, np.array(chosen)))
    atoms.pbc = chosen
    variance = KT / (6 * MODULUS * atoms.cell.volume)
    strains, _ = sample(
        atoms,
        lambda atoms: np.log(atoms.cell.lengths() / rest),
        steps=steps,
        every=1,
        skip=500,
        ensemble=ensemble,
        barostat_time_fs=200.0,
        compressibility_per_bar=BAR / (2 * MODULUS),
        **SETTINGS,
    )
    expected = stats.norm(variance, np.sqrt(variance))
    return {"abc"[axis]: compared(strains[:, axis], expected) for axis in range(3) if chosen[axis]}


def drifts(steps: int) -> dict:
    """Slope of the conserved quantity of hot copper (32 atoms, 600 K, 2 fs), meV/atom/ps."""
    import tempfile

    from ase_les.simulation import run_dynamics

    found = {}
    for ensemble in ("nve", "nvt-bussi", "nvt-nose-hoover"):
        atoms = bulk("Cu", cubic=True) * (2, 2, 2)
        atoms.calc = EMT()
        with tempfile.TemporaryDirectory() as folder:
            result = run_dynamics(
                atoms,
                ensemble=ensemble,
                temperature_K=600.0,
                timestep_fs=2.0,
                steps=steps,
                thermostat_time_fs=50.0,
                output=Path(folder) / "md",
            )
            found[ensemble] = float(f"{result.drift_meV_per_atom_per_ps:.3g}")
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=100_000)
    steps = parser.parse_args().steps
    tasks = {
        **{
            f"kinetic energy, {name}": (kinetic_energies, name)
            for name in ("nvt-bussi", "nvt-langevin", "nvt-nose-hoover")
        },
        "volume at 0 bar": (volumes, 0.0),
        "volume at 4000 bar": (volumes, 4000.0),
        "lengths, npt-anisotropic": (lengths, "npt-anisotropic", (1, 1, 1)),
        "lengths, npt-in-plane": (lengths, "npt-in-plane", (1, 1, 0)),
    }
    for name, (task, *arguments) in tasks.items():
        print(json.dumps({name: task(*arguments, steps)}), flush=True)
    print(json.dumps({"drift of copper, meV/atom/ps": drifts(max(steps // 20, 100))}))

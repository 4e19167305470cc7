"""What the reciprocal sum and its gradients cost, for 10² to 10⁵ charges and every method.

    python benchmarks/electrostatics.py                     the table of times and memory
    python benchmarks/electrostatics.py --figure times.png  and the figure
    python benchmarks/electrostatics.py --errors            error of the mesh by order and spacing

Random unit charges at the density of a liquid (0.1 Å⁻³), σ = 1 Å, float64, one thread. Every number
comes from a process of its own: CPU time of the fastest of a few calls, and the largest memory
above that after imports. Direct sums are timed with the wave numbers of published models
(k ≤ π/Å) and with all that count; a mesh costs the same for both. `torch-pme` and
`nvalchemi-toolkit-ops` take part where they are installed, with settings near to the error of our
default, which is made for crystals and ten times smaller for random charges.
"""

import argparse
import json
import math
import resource
import subprocess
import sys
import time

SIZES = (100, 1_000, 10_000, 100_000)
#: Largest size each method can do in a minute and a few GB.
LARGEST = {
    "direct, plain, k ≤ π": 10_000,
    "direct, plain": 1_000,
    "direct, analytic, k ≤ π": 10_000,
    "direct, analytic": 10_000,
    "mesh, plain, 1e-4": 10_000,
    "mesh, 1e-4": 100_000,
    "mesh, 1e-6": 100_000,
    "torch-pme": 100_000,
    "nvalchemi": 100_000,
}


def system(n_charges: int):
    """Positions, neutral charges and cell."""
    import torch

    generator = torch.Generator().manual_seed(n_charges)
    length = (n_charges / 0.1) ** (1 / 3)
    positions = length * torch.rand(n_charges, 3, generator=generator, dtype=torch.float64)
    charges = torch.ones(n_charges, 1, dtype=torch.float64)
    charges[::2] = -1
    return positions, charges, length * torch.eye(3, dtype=torch.float64)[None]


def gradients_of(sum_):
    """Energy and gradients by positions and charges of one of our sums."""
    import torch

    from ase_les.electrostatics.layout import Layout

    def evaluate(positions, charges, cell):
        positions, charges = positions.clone().requires_grad_(), charges.clone().requires_grad_()
        energy = sum_(positions, charges, cell, Layout(1, len(positions), None))
        return torch.autograd.grad(energy.sum(), [positions, charges])

    return evaluate


def method(name: str):
    """What evaluates a system by this method."""
    from ase_les.electrostatics.ewald import AnalyticEwaldSum, EwaldSum
    from ase_les.electrostatics.particle_mesh import (
        AnalyticParticleMesh,
        MeshSettings,
        ParticleMesh,
    )
    from ase_les.electrostatics.wave_vectors import ReciprocalKernel, converged_k_cutoff

    kernel = ReciprocalKernel(1.0, math.pi if "π" in name else converged_k_cutoff(1.0))
    if name.startswith("direct"):
        return gradients_of((EwaldSum if "plain" in name else AnalyticEwaldSum)(kernel))
    if name.startswith("mesh"):
        settings = MeshSettings.reaching(float(name.split()[-1]), 1.0)
        return gradients_of(
            (ParticleMesh if "plain" in name else AnalyticParticleMesh)(kernel, settings)
        )
    return {"torch-pme": torch_pme, "nvalchemi": nvalchemi}[name]()


def torch_pme():
    import torch
    from torchpme import P3MCalculator
    from torchpme.potentials import CoulombPotential

    potential = CoulombPotential(smearing=1.0).to(torch.float64)
    calculator = P3MCalculator(potential, mesh_spacing=0.8, interpolation_nodes=5)
    calculator = calculator.to(torch.float64)

    def evaluate(positions, charges, cell):
        positions, charges = positions.clone().requires_grad_(), charges.clone().requires_grad_()
        potentials = calculator._compute_kspace(charges, cell[0], positions)
        energy = _COULOMB * (charges * potentials).sum()
        return torch.autograd.grad(energy, [positions, charges])

    return evaluate


def nvalchemi():
    import torch
    from nvalchemiops.torch.interactions.electrostatics.pme import pme_reciprocal_space

    def evaluate(positions, charges, cell):
        _, forces, potentials = pme_reciprocal_space(
            positions,
            charges[:, 0].contiguous(),
            cell,
            torch.tensor([math.sqrt(0.5)], dtype=torch.float64),
            mesh_spacing=0.4,
            spline_order=6,
            compute_forces=True,
            compute_charge_gradients=True,
        )
        return -_COULOMB * forces, _COULOMB * potentials

    return evaluate


_COULOMB = 14.399645


def measure(name: str, n_charges: int) -> dict:
    """Time in ms, memory in MB and error of one method, in this process."""
    import warnings

    import torch

    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    try:
        evaluate = method(name)
    except ImportError as error:
        return {"missing": str(error)}
    # Imports and what libraries allocate once are not the sum's.
    evaluate(*system(10))
    given = system(n_charges)
    before = _peak_memory()
    times = []
    for _ in range(4 if n_charges > 20_000 else 8):
        start = time.process_time()
        forces = evaluate(*given)[0]
        times.append(1e3 * (time.process_time() - start))
    found = {"ms": min(times), "MB": _peak_memory() - before}
    if n_charges == 1_000:
        reference = method("direct, analytic" + (", k ≤ π" if "π" in name else ""))
        found["error"] = _deviation(forces, reference(*given)[0])
    return found


def _deviation(found, expected) -> float:
    return float((found - expected).norm() / expected.norm())


def _peak_memory() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def table(figure: str | None) -> None:
    header = " ".join(f"{size:>20,}" for size in SIZES)
    print(f"{'energy and gradients: ms (MB)':26s} {header}   error  10⁴→10⁵")
    series = {}
    for name, largest in LARGEST.items():
        row = {}
        for size in (size for size in SIZES if size <= largest):
            command = [sys.executable, __file__, "--in-process", name, str(size)]
            answer = subprocess.run(command, capture_output=True, text=True, check=False)
            if answer.returncode:
                print(f"{name}: {answer.stderr.splitlines()[-1]}")
                break
            found = json.loads(answer.stdout.splitlines()[-1])
            if "missing" in found:
                print(f"{name:26s} not installed ({found['missing']})")
                break
            row[size] = found
        if not row:
            continue
        cells = [f"{row[s]['ms']:12.1f} ({row[s]['MB']:5.0f})" if s in row else "" for s in SIZES]
        exponent = ""
        if SIZES[-1] in row:
            exponent = f"{math.log10(row[SIZES[-1]]['ms'] / row[SIZES[-2]]['ms']):.2f}"
        error = row.get(1000, {}).get("error", float("nan"))
        cells = " ".join(f"{cell:>20s}" for cell in cells)
        print(f"{name:26s} {cells} {error:7.0e}  {exponent}", flush=True)
        series[name] = row
    if figure:
        draw(series, figure)


def draw(series: dict, path: str) -> None:
    from ase_les.reports.figures import new_figure

    with new_figure(path, 6.0, 4.0) as figure:
        axis = figure.subplots()
        for name, row in series.items():
            style = (
                "o-" if name.startswith("mesh") else "s--" if name.startswith("direct") else "^:"
            )
            axis.loglog(list(row), [found["ms"] for found in row.values()], style, label=name)
        axis.set(xlabel="charges", ylabel="energy and gradients / ms of one core")
        axis.legend()


def errors() -> None:
    import torch

    from ase_les.electrostatics.particle_mesh import AnalyticParticleMesh, MeshSettings
    from ase_les.electrostatics.wave_vectors import ReciprocalKernel, converged_k_cutoff

    torch.set_num_threads(1)
    kernel = ReciprocalKernel(1.0, converged_k_cutoff(1.0))
    given = system(1_000)
    exact = method("direct, analytic")(*given)[0]
    length = float(given[2][0, 0, 0])
    print(
        "relative rms error of the forces\nspacing/σ   "
        + "   ".join(f"order {p}" for p in range(4, 9))
    )
    for steps in (24, 28, 32, 40, 48, 64, 80):
        row = []
        for order in range(4, 9):
            mesh = AnalyticParticleMesh(kernel, MeshSettings(order, length / steps * (1 + 1e-9)))
            row.append(_deviation(gradients_of(mesh)(*given)[0], exact))
        print(f"{length / steps:9.2f}   " + "   ".join(f"{error:7.1e}" for error in row))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--figure", help="file to draw the times into")
    parser.add_argument("--errors", action="store_true", help="error by order and spacing instead")
    parser.add_argument("--in-process", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.in_process:
        name, size = arguments.in_process
        print(json.dumps(measure(name, int(size))))
    elif arguments.errors:
        errors()
    else:
        table(arguments.figure)


if __name__ == "__main__":
    main()

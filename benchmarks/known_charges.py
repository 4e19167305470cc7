r"""Does a model find charges that are known? An electrolyte of fixed point charges.

    python benchmarks/known_charges.py data       # needs OpenMM: pip install "ase_les[exam]"
    python benchmarks/known_charges.py train --cutoff 4.5 --frames 181
    python benchmarks/known_charges.py evaluate
    python benchmarks/known_charges.py all        # data, four trainings, evaluation

KF in water as a classical liquid: 60 flexible SPC/Fw water molecules [1]_ and five K⁺ and five F⁻
with the Lennard-Jones parameters of Joung and Cheatham for SPC/E water [2]_, at 300 to 350 K. The
charges are point charges (K +1, F −1, O −0.82, H +0.41 e) and nothing is polarizable, so that
ε∞ = 1 and the latent charges of a perfect model equal them, without a factor. A model is trained on
energies and forces alone, never told a charge, and judged by

.. math::
    \mathrm{MAE} = \frac{1}{N} \sum_i |q_i^\mathrm{latent} - q_i^\mathrm{known}|

over all atoms of the test structures. The published values [3]_ for a system of this kind are in
``PUBLISHED_MAE_E``. Of 1,809 frames every tenth is for testing; 1,628 are for training, of which
181 (every ninth) make the small training set. Five per cent of a training set serve for validation
and are counted in it.

The same question for random ions of ±1 e, in seconds and without OpenMM, is a test:
``tests/test_learning.py::test_unit_charges_of_a_random_salt_are_found_from_energies_and_forces``.

Every step continues where it was interrupted, and does not repeat what is finished.

References
----------
.. [1] Y. Wu, H. L. Tepper, G. A. Voth, J. Chem. Phys. 124, 024503 (2006).
.. [2] I. S. Joung, T. E. Cheatham, J. Phys. Chem. B 112, 9020 (2008); as distributed with
       AmberTools (frcmod.ionsjc_spce) and OpenMM (amber14/spce.xml).
.. [3] D. S. King, D. Kim, P. Zhong, B. Cheng, Nat. Commun. 16, 8763 (2025).
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from ase import Atoms, units
from ase.data import atomic_masses, atomic_numbers
from ase.io import read
from rich import box
from rich.table import Table

from ase_les.reading.extended_xyz import write_labeled
from ase_les.reports.figures import new_figure
from ase_les.reports.terminal import TerminalProgress, console, progress_bar
from ase_les.runs.output import replace_file, write_summary

KNOWN_CHARGES_E = {"O": -0.82, "H": 0.41, "K": 1.0, "F": -1.0}

# σ in Å and ε in kcal/mol; Lorentz-Berthelot rules between elements. Hydrogen has none.
LENNARD_JONES = {
    "O": (3.165492, 0.1554253),
    "H": (1.0, 0.0),
    "K": (2.8384033, 0.4297054),
    "F": (4.0215168, 0.0074005),
}
# Energies are ½ k (r - r0)² and ½ k (θ - θ0)²: kcal/mol/Å², Å, kcal/mol/rad², degrees.
BOND_CONSTANT, BOND_LENGTH_A = 1059.162, 1.012
ANGLE_CONSTANT, ANGLE_DEGREES = 75.90, 113.24

N_WATER, N_PAIRS = 60, 5
# That of 21 % KF by weight at room temperature, about 1.19 g/cm³.
CELL_A = 12.42
# Lennard-Jones forces go to zero smoothly from the first distance to the second, in Å. The second
# is where the Coulomb sum passes from real to reciprocal space.
SWITCH_A, CUTOFF_A = 5.0, 6.0
TEMPERATURES_K = tuple(np.linspace(300, 350, 9).tolist())
FRAMES_PER_TEMPERATURE = 201
TIMESTEP_FS, EQUILIBRATION_STEPS, STEPS_BETWEEN_FRAMES = 1.0, 20_000, 150

TEST_EVERY = 10
TRAINING_SLICES = {181: "@::9", 1628: ""}
"""Training frames by their number: the part of ``train.extxyz`` they are."""

PUBLISHED_MAE_E = {(4.5, 181): 0.042, (4.5, 1628): 0.035, (5.5, 181): 0.479, (5.5, 1628): 0.105}
"""By cutoff in Å and number of training frames, from the reference in the module's docstring."""

# Steps of a training, as passes over single structures: small sets are seen more often.
_PASSES = 20_000


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("step", choices=["data", "train", "evaluate", "all"])
    parser.add_argument("--work", type=Path, default=Path("known-charges"), help="folder of files")
    parser.add_argument("--threads", type=int, default=1)
    training = parser.add_argument_group("training; without --cutoff and --frames all four cases")
    training.add_argument("--cutoff", type=float, help="in Å: 4.5 or 5.5")
    training.add_argument("--frames", type=int, choices=sorted(TRAINING_SLICES))
    training.add_argument("--neutrality", choices=["mean", "split", "none"], default="mean")
    training.add_argument("--epochs", type=int, help="default: 20,000 steps in all")
    training.add_argument(
        "--fit", default="{}", help="more settings under `fit:`, as YAML: '{seed: 2}'"
    )
    training.add_argument("--overwrite", action="store_true", help="train again what was trained")
    training.add_argument("--device", default="cpu")
    asked = parser.parse_args()
    asked.work.mkdir(parents=True, exist_ok=True)
    cases = [
        case
        for case in PUBLISHED_MAE_E
        if asked.cutoff in (None, case[0]) and asked.frames in (None, case[1])
    ]
    if not cases:
        parser.error(f"--cutoff is 4.5 or 5.5, got {asked.cutoff:g}")
    if asked.step in ("data", "all"):
        make_data(asked.work, asked.threads)
    if asked.step in ("train", "all"):
        for cutoff, frames in cases:
            train_model(
                asked.work,
                training_settings(
                    cutoff, frames, asked.neutrality, asked.epochs, inline_yaml(asked.fit)
                ),
                case_name(cutoff, frames),
                asked.overwrite,
                asked.threads,
                asked.device,
            )
    if asked.step in ("evaluate", "all"):
        evaluate_models(asked.work, cases, asked.threads)


# ------------------------------------------------------------------------------------------ data


def make_data(work: Path, threads: int) -> None:
    """Write ``train.extxyz`` and ``test.extxyz``; every finished temperature is kept in a file."""
    if (work / "train.extxyz").exists() and (work / "test.extxyz").exists():
        say(f"structures are in '{work}' already")
        return
    frames = []
    with progress_bar(console()) as bar:
        task = bar.add_task(
            "frames", total=FRAMES_PER_TEMPERATURE * len(TEMPERATURES_K), status="labeling"
        )
        for index, temperature_K in enumerate(TEMPERATURES_K):
            path = work / "runs" / f"{temperature_K:g}K.extxyz"
            if path.exists():
                bar.advance(task, FRAMES_PER_TEMPERATURE)
            else:
                found = sample(temperature_K, index, threads, lambda: bar.advance(task))
                write_labeled(path, found)
            frames += read(path, ":")
    training, test = divide(frames)
    write_labeled(work / "test.extxyz", test)
    write_labeled(work / "train.extxyz", training)
    say(f"{len(training)} structures for training and {len(test)} for testing: '{work}'")


def divide(frames: Sequence[Atoms]) -> tuple[list[Atoms], list[Atoms]]:
    """Training and test structures."""
    test = range(TEST_EVERY // 2, len(frames), TEST_EVERY)
    return [atoms for index, atoms in enumerate(frames) if index not in test], [
        frames[index] for index in test
    ]


def sample(
    temperature_K: float, seed: int, threads: int, on_frame: Callable[[], None] = lambda: None
) -> list[Atoms]:
    """Structures of Langevin dynamics at one temperature, from their own random start, labeled.

    Dynamics use particle-mesh Ewald in single precision; labels are made by `labels`.
    """
    openmm = import_openmm()
    atoms = random_solution(seed)
    integrator = openmm.LangevinMiddleIntegrator(temperature_K, 1.0, 1e-3 * TIMESTEP_FS)
    integrator.setRandomNumberSeed(seed + 1)
    platform = openmm.Platform.getPlatformByName("CPU")
    system = force_field(atoms.symbols, atoms.cell.array, mesh=True)
    context = openmm.Context(system, integrator, platform, {"Threads": str(threads)})
    context.setPositions(atoms.positions * units.Angstrom / units.nm)
    openmm.LocalEnergyMinimizer.minimize(context, 10.0, 500)
    context.setVelocitiesToTemperature(temperature_K, seed + 1)
    integrator.step(EQUILIBRATION_STEPS)
    reference = reference_context(atoms)
    frames = []
    for _ in range(FRAMES_PER_TEMPERATURE):
        integrator.step(STEPS_BETWEEN_FRAMES)
        state = context.getState(getPositions=True)
        frame = atoms.copy()
        frame.positions = in_nm(state.getPositions(asNumpy=True)) * units.nm
        frame.info["REF_energy"], forces = labels(reference, frame.positions)
        frame.arrays["REF_forces"] = forces
        frame.arrays["REF_charges"] = np.array([KNOWN_CHARGES_E[s] for s in frame.symbols])
        frame.info["temperature_K"] = float(temperature_K)
        frames.append(frame)
        on_frame()
    return frames


def random_solution(seed: int) -> Atoms:
    """Water molecules and ions on random sites of a grid, molecules turned at random."""
    rng = np.random.default_rng(seed)
    shape = np.array([4, 4, 5])
    sites = np.indices(shape).reshape(3, -1).T * CELL_A / shape
    rng.shuffle(sites)
    half = np.radians(ANGLE_DEGREES) / 2
    arms = BOND_LENGTH_A * np.array(
        [[np.sin(half), np.cos(half), 0], [-np.sin(half), np.cos(half), 0]]
    )
    symbols, positions = [], []
    for site in sites[:N_WATER]:
        turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
        symbols += ["O", "H", "H"]
        positions += [site, *(site + arms @ turn)]
    symbols += ["K", "F"] * N_PAIRS
    positions += list(sites[N_WATER : N_WATER + 2 * N_PAIRS])
    return Atoms(symbols, np.array(positions), cell=[CELL_A] * 3, pbc=True)


def force_field(symbols: Sequence[str], cell: np.ndarray, mesh: bool):
    """The liquid as an OpenMM ``System``.

    Parameters
    ----------
    symbols : sequence of str
        Water molecules as O, H, H, and ions in any order.
    cell : array, shape (3, 3)
        In Å.
    mesh : bool
        Particle-mesh Ewald for dynamics, or else Ewald's sum, for labels.
    """
    openmm = import_openmm()
    kcal, nm = units.kcal / units.kJ, units.Angstrom / units.nm
    system = openmm.System()
    system.setDefaultPeriodicBoxVectors(*(nm * np.asarray(cell)).tolist())
    pairs = openmm.NonbondedForce()
    pairs.setNonbondedMethod(pairs.PME if mesh else pairs.Ewald)
    pairs.setCutoffDistance(CUTOFF_A * nm)
    pairs.setEwaldErrorTolerance(5e-4 if mesh else 1e-7)
    pairs.setUseSwitchingFunction(True)
    pairs.setSwitchingDistance(SWITCH_A * nm)
    pairs.setUseDispersionCorrection(False)
    bonds, angles = openmm.HarmonicBondForce(), openmm.HarmonicAngleForce()
    for index, symbol in enumerate(symbols):
        system.addParticle(float(atomic_masses[atomic_numbers[symbol]]))
        sigma_A, epsilon = LENNARD_JONES[symbol]
        pairs.addParticle(KNOWN_CHARGES_E[symbol], sigma_A * nm, epsilon * kcal)
        if symbol == "O":
            oxygen, first, second = index, index + 1, index + 2
            for hydrogen in (first, second):
                bonds.addBond(oxygen, hydrogen, BOND_LENGTH_A * nm, BOND_CONSTANT * kcal / nm**2)
            angles.addAngle(first, oxygen, second, np.radians(ANGLE_DEGREES), ANGLE_CONSTANT * kcal)
            # Atoms of one molecule have no electrostatic or Lennard-Jones energy.
            for one, other in ((oxygen, first), (oxygen, second), (first, second)):
                pairs.addException(one, other, 0.0, 0.1, 0.0)
    for force in (pairs, bonds, angles):
        system.addForce(force)
    return system


def reference_context(atoms: Atoms):
    """An OpenMM ``Context`` for labels: Ewald's sum, in double precision."""
    openmm = import_openmm()
    system = force_field(atoms.symbols, atoms.cell.array, mesh=False)
    platform = openmm.Platform.getPlatformByName("Reference")
    return openmm.Context(system, openmm.VerletIntegrator(1e-3), platform)


def labels(context, positions: np.ndarray) -> tuple[float, np.ndarray]:
    """Energy in eV and forces (N, 3) in eV/Å at positions in Å."""
    openmm = import_openmm()
    context.setPositions(positions * units.Angstrom / units.nm)
    state = context.getState(getEnergy=True, getForces=True)
    kJ_per_mol = units.kJ / units.mol
    energy = state.getPotentialEnergy().value_in_unit(openmm.unit.kilojoule_per_mole)
    per_nm = openmm.unit.kilojoule_per_mole / openmm.unit.nanometer
    forces = np.array(state.getForces(asNumpy=True).value_in_unit(per_nm))
    return energy * kJ_per_mol, forces * kJ_per_mol / units.nm


def in_nm(lengths) -> np.ndarray:
    return np.array(lengths.value_in_unit(import_openmm().unit.nanometer))


def import_openmm():
    """OpenMM with its units, or say how to get it."""
    try:
        import openmm
        import openmm.unit
    except ImportError:
        raise SystemExit(
            "the structures are made by OpenMM, which is not installed: "
            'pip install "ase_les[exam]" or pip install openmm'
        ) from None
    return openmm


# -------------------------------------------------------------------------------------- training


def case_name(cutoff: float, frames: int) -> str:
    return f"kf-{cutoff:g}A-{frames}"


def training_settings(
    cutoff: float,
    frames: int,
    neutrality: str = "mean",
    epochs: int | None = None,
    fit: Mapping[str, object] | None = None,
) -> dict[str, object]:
    """A training as `ase-les train` reads it. No entry says what charge an element has."""
    name = case_name(cutoff, frames)
    return {
        "data": {
            "training": f"train.extxyz{TRAINING_SLICES[frames]}",
            "validation": 0.05,
            "labels": {"energy": "REF_energy", "forces": "REF_forces", "stress": "none"},
        },
        "model": {
            "representation": {
                "cutoff": cutoff,
                "n_radial": 8,
                "n_mixed": 8,
                "n_embedding": 3,
                "l_max": 3,
                "nu_max": 4,
            },
            "long_range": {
                "charges": {"n_channels": 1, "neutrality": neutrality},
            },
        },
        "fit": {
            "epochs": epochs or round(_PASSES / frames),
            "batch_size": 1,
            "learning_rate": 0.005,
            "average_decay": 0.999,
            "loss": {"energy": 1.0, "forces": 1.0, "stress": 0.0},
            "final_loss": {"energy": 100.0, "forces": 1.0, "stress": 0.0},
            "validate_every": 1 if frames > 1000 else 5,
            "seed": 1,
            **(fit or {}),
        },
        "output": name,
        "card": {"name": name, "summary": "classical KF in SPC/Fw water: known charges"},
    }


def inline_yaml(text: str) -> dict[str, object]:
    """Settings of one line of YAML."""
    import yaml

    found = yaml.safe_load(text)
    if not isinstance(found, dict):
        raise SystemExit(f"--fit needs settings as '{{seed: 2}}', got {text!r}")
    return found


def train_model(
    work: Path,
    settings: Mapping[str, object],
    name: str,
    overwrite: bool = False,
    threads: int = 1,
    device: str = "cpu",
) -> None:
    """Train one case; a finished one is kept, an interrupted one goes on."""
    import yaml

    from ase_les.cli._calculator import set_threads
    from ase_les.reports import training as report
    from ase_les.runs.output import TrainingFiles
    from ase_les.training.learning.train import read_training_config, train

    if not (work / "train.extxyz").exists():
        raise SystemExit(f"no structures in '{work}'; make them first: known_charges.py data")
    files, written = TrainingFiles(work / name), work / f"{name}.yml"
    begun = written.exists() and (files.model.exists() or files.checkpoint.exists())
    if begun and not overwrite and yaml.safe_load(written.read_text("utf-8")) != settings:
        raise SystemExit(
            f"'{work / name}' was trained with other settings (see '{written}'): give those again, "
            "another --work, or --overwrite"
        )
    # The model is the last that a training writes, its checkpoint stays.
    if files.model.exists() and not overwrite:
        say(f"{name} is trained already")
        return
    if overwrite:
        files.model.unlink(missing_ok=True)
        files.checkpoint.unlink(missing_ok=True)
    replace_file(written, yaml.safe_dump(dict(settings), sort_keys=False).encode())
    set_threads(threads)
    config, folder = read_training_config(written)
    result = train(
        replace(config, output=str(files.stem)),
        folder=folder,
        resume=files.checkpoint.exists(),
        device=device,
        progress=TerminalProgress(),
    )
    report.write(result, files.stem)
    report.show(result)


# ------------------------------------------------------------------------------------ evaluation


class ChargeErrors(NamedTuple):
    """How far charges are from the known ones, in e.

    ``mae_e`` over all atoms; ``mae_by_element_e``, ``mean_by_element_e`` and ``stdev_by_element_e``
    (of the charges themselves) by element.
    """

    mae_e: float
    mae_by_element_e: dict[str, float]
    mean_by_element_e: dict[str, float]
    stdev_by_element_e: dict[str, float]


def charge_errors(symbols: Sequence[str], charges: np.ndarray, known: np.ndarray) -> ChargeErrors:
    """Errors of charges (N,) of atoms of any number of structures."""
    symbols, errors = np.asarray(symbols), np.abs(np.asarray(charges) - known)
    elements = {element: symbols == element for element in dict.fromkeys(symbols.tolist())}
    return ChargeErrors(
        float(errors.mean()),
        {element: float(errors[chosen].mean()) for element, chosen in elements.items()},
        {element: float(charges[chosen].mean()) for element, chosen in elements.items()},
        {element: float(charges[chosen].std()) for element, chosen in elements.items()},
    )


def evaluate_models(work: Path, cases: Sequence[tuple[float, int]], threads: int) -> None:
    """Table, ``known-charges-summary.yml`` and ``known-charges.png`` of the models there are."""
    from ase_les import load_model
    from ase_les.cli._calculator import set_threads
    from ase_les.training.learning.dataset import LabelNames, labeled
    from ase_les.training.learning.evaluation import evaluate

    set_threads(threads)
    if not (work / "test.extxyz").exists():
        raise SystemExit(f"no structures in '{work}'; make them first: known_charges.py data")
    frames = read(work / "test.extxyz", ":")
    symbols = np.concatenate([np.array(list(atoms.symbols)) for atoms in frames])
    known = np.concatenate([atoms.arrays["REF_charges"] for atoms in frames])
    rows, charges = {}, {}
    for cutoff, number in cases:
        name = case_name(cutoff, number)
        path = work / f"{name}.safetensors"
        if not path.exists():
            say(f"{name} is not trained and left out")
            continue
        model = load_model(path).for_inference("cpu", "float32")
        samples = labeled(frames, model.config.cutoff, LabelNames(stress="none"))
        charges[name], born = charges_and_born_charges(model, samples)
        rows[name] = {
            "cutoff_A": cutoff,
            "training_frames": number,
            "published_charge_mae_e": PUBLISHED_MAE_E[cutoff, number],
            "charges": charge_errors(symbols, charges[name], known),
            # Of fixed charges, Z* is the charge, too.
            "born_charges": charge_errors(symbols, born, known),
            "test_errors": evaluate(model, samples).to_dict(),
            "training": {key: model.card["training"][key] for key in ("epochs", "seconds")},
        }
    if not rows:
        raise SystemExit(f"no model in '{work}'; train first: known_charges.py train")
    for table in tables_of(rows):
        console().print(table)
    summary = {
        "known_charges_e": KNOWN_CHARGES_E,
        "test_structures": len(frames),
        "models": {
            name: {
                key: value._asdict() if isinstance(value, ChargeErrors) else value
                for key, value in row.items()
            }
            for name, row in rows.items()
        },
    }
    write_summary(work / "known-charges-summary.yml", summary)
    draw(work / "known-charges.png", symbols, known, charges)
    say(f"written: {work / 'known-charges-summary.yml'}, {work / 'known-charges.png'}")


def charges_and_born_charges(model, samples: Sequence) -> tuple[np.ndarray, np.ndarray]:
    """Latent charges and tr Z/3 of all atoms of samples, in e."""
    from ase_les.response import born_charges
    from ase_les.training.learning.dataset import batches

    charges, born = [], []
    for part in batches(samples, 1):
        sitting, tensors = born_charges(model, part.graph)
        charges.append(sitting.detach().double().numpy())
        born.append(tensors.detach().double().numpy().trace(axis1=1, axis2=2) / 3)
    return np.concatenate(charges), np.concatenate(born)


def tables_of(rows: Mapping[str, Mapping]) -> list[Table]:
    """Errors of every model, and its mean charges by element."""
    style = {"title_justify": "left", "box": box.SIMPLE_HEAD, "padding": (0, 1, 0, 0)}
    errors = Table(title="KF in SPC/Fw water, test structures", **style)
    for column in ("cutoff / Å", "frames", "charge MAE / e", "published", "tr Z/3 MAE / e"):
        errors.add_column(column, justify="right")
    errors.add_column("forces meV/Å", justify="right")
    means = Table("model", title="latent charges in e, mean ± standard deviation", **style)
    for element, charge in KNOWN_CHARGES_E.items():
        means.add_column(f"{element} ({charge:+.2f})", justify="right", no_wrap=True)
    for name, row in rows.items():
        found: ChargeErrors = row["charges"]
        errors.add_row(
            f"{row['cutoff_A']:g}",
            str(row["training_frames"]),
            f"{found.mae_e:.4f}",
            f"{row['published_charge_mae_e']:.3f}",
            f"{row['born_charges'].mae_e:.4f}",
            f"{row['test_errors']['forces_rmse_meV_per_A']:.1f}",
        )
        means.add_row(
            name,
            *(
                f"{found.mean_by_element_e[each]:+.3f} ± {found.stdev_by_element_e[each]:.3f}"
                for each in KNOWN_CHARGES_E
            ),
        )
    return [errors, means]


def draw(
    path: Path, symbols: np.ndarray, known: np.ndarray, charges: Mapping[str, np.ndarray]
) -> None:
    """Predicted against known charges, one panel a model, elements in color."""
    with new_figure(path, 3.6 * len(charges), 3.9) as figure:
        rng = np.random.default_rng(0)
        for axis, (name, found) in zip(
            figure.subplots(1, len(charges), squeeze=False)[0], charges.items(), strict=True
        ):
            axis.plot([-1.2, 1.2], [-1.2, 1.2], color="0.6", linewidth=0.8, zorder=0)
            for element in KNOWN_CHARGES_E:
                chosen = np.flatnonzero(symbols == element)[:4000]
                # Spread sideways: all atoms of an element have one known charge.
                x = known[chosen] + rng.uniform(-0.03, 0.03, len(chosen))
                axis.plot(x, found[chosen], ".", markersize=2, rasterized=True, label=element)
            axis.set_title(f"{name}: MAE {np.abs(found - known).mean():.3f} e", fontsize="medium")
            axis.set_xlabel("known charge (e)")
            axis.set_ylabel("latent charge (e)")
            axis.set_aspect("equal", adjustable="datalim")
            axis.legend(frameon=False, markerscale=5)


def say(text: str) -> None:
    console().print(text, markup=False, highlight=False, soft_wrap=True)


if __name__ == "__main__":
    main()

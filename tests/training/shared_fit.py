"""A small fit for tests, by itself or as script under torchrun: CHECKPOINT [LAST EPOCH]."""

import sys
from pathlib import Path

import numpy as np
import torch
from ase import Atoms
from ase.build import bulk

from ase_les.charges import ChargesConfig
from ase_les.model import LESModel, LongRangeConfig, ModelConfig
from ase_les.ranks import ALONE, ranks_of_torchrun
from ase_les.representation import CaceConfig
from ase_les.training.engines.rigid_ions import RigidIons
from ase_les.training.learning.charge_gauge import GaugeSettings
from ase_les.training.learning.dataset import LabelNames, labeled
from ase_les.training.learning.fit import fit
from ase_les.training.learning.fit_settings import FitSettings
from ase_les.training.learning.loss import LossWeights

CUTOFF = 4.0


class Stopped(Exception):
    pass


def structures() -> list[Atoms]:
    """Crystals of two sizes with stresses, and ion pairs with dipoles."""
    found = []
    for seed in range(11):
        if seed % 4 == 3:
            atoms = Atoms("NaCl", [(0, 0, 0), (2.3 + 0.05 * seed, 0.1, 0)])
        else:
            size = (1, 1, 1 + seed % 2)
            atoms = bulk("NaCl", "rocksalt", a=5.64, cubic=True) * size
            atoms.rattle(0.15, seed=seed)
        atoms.calc = RigidIons({"Na": 0.7, "Cl": -0.7}, {"Na-Cl": (1256.0, 0.317)})
        atoms.info["REF_energy"] = atoms.get_potential_energy()
        atoms.arrays["REF_forces"] = atoms.get_forces()
        if atoms.pbc.any():
            atoms.info["REF_stress"] = atoms.get_stress(voigt=False).ravel()
        else:
            atoms.info["REF_dipole"] = np.array([0.7, -0.7]) @ atoms.positions
            atoms.arrays["REF_born_effective_charges"] = np.tile(
                np.eye(3).ravel(), (2, 1)
            ) * np.array([[0.7], [-0.7]])
        atoms.calc = None
        found.append(atoms)
    return found


def small_model() -> LESModel:
    config = CaceConfig(CUTOFF, n_radial=4, n_mixed=3, n_embedding=2, l_max=1, nu_max=2)
    part = LongRangeConfig(ChargesConfig(neutrality="split"))
    return LESModel(ModelConfig({"Na": 0.0, "Cl": 0.0}, config, long_range=part), seed=0)


def small_fit(checkpoint: Path, last_epoch: int | None = None, ranks=ALONE):
    samples = labeled(structures(), CUTOFF, LabelNames())
    weights = LossWeights(1.0, 1.0, 0.5, 0.2, 0.1)
    settings = FitSettings(
        epochs=6,
        # Seven structures in batches of three leave one for several processes.
        batch_size=3,
        learning_rate=0.005,
        loss=weights,
        final_loss=weights,
        gauge=GaugeSettings(0.5, 0.5, interval=2),
        validate_every=1,
        dtype="float64",
    )

    def on_epoch(record):
        if record.epoch == last_epoch:
            raise Stopped

    return fit(
        small_model(),
        samples[:7],
        samples[7:],
        settings,
        checkpoint,
        resume=checkpoint.exists(),
        on_epoch=on_epoch,
        ranks=ranks,
    )


if __name__ == "__main__":
    torch.set_num_threads(1)
    with ranks_of_torchrun() as ranks:
        try:
            small_fit(Path(sys.argv[1]), int(sys.argv[2]) if sys.argv[2:] else None, ranks)
        except Stopped:
            print("stopped")

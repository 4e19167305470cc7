#!/usr/bin/env bash
# torch-sim-atomistic 0.3.0: a slab is evaluated as an open cluster.
#
# torch_sim.io.atoms_to_state keeps one truth value for the three periodic directions, all(atoms.pbc).
# A slab (pbc true along two vectors) becomes a system without periodicity, without a message: its
# atoms lose their neighbors across the faces of the cell. A list of a slab and a molecule passes the
# check "All systems must have the same periodic boundary conditions". Python 3.11 gets this version
# from pip; 0.4 and later need Python 3.12 (0.6.2 keeps the three directions).
#
# Seen: pbc [True, True, False] becomes False; energy of the slab = that of the open cluster,
# -0.0223 eV; ASE's Lennard-Jones gives -0.1295 eV for the slab (its pairs are shifted to zero at rc).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "torch-sim-atomistic==0.3.0" "ase==3.29.0" "torch==2.13.0"
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
from importlib.metadata import version

import torch
import torch_sim as ts
from ase.build import fcc100
from ase.calculators.lj import LennardJones
from torch_sim.models.lennard_jones import LennardJonesModel

slab = fcc100("Ar", (1, 1, 3), a=5.4, vacuum=10)
cluster = slab.copy()
cluster.pbc = False
settings = {"sigma": 3.4, "epsilon": 0.01}
model = LennardJonesModel(cutoff=6.0, **settings)


def state_of(*structures):
    return ts.io.atoms_to_state(list(structures), torch.device("cpu"), torch.float64)


def energy(atoms):
    return float(model(state_of(atoms))["energy"][0])


print(f"torch-sim-atomistic {version('torch-sim-atomistic')}")
print("pbc", slab.pbc.tolist(), "->", state_of(slab).pbc)
print(f"slab {energy(slab):.4f} eV, open cluster {energy(cluster):.4f} eV")
slab.calc = LennardJones(rc=6.0, smooth=False, **settings)
print(f"slab by ASE {slab.get_potential_energy():.4f} eV (its pairs are shifted to zero at rc)")
state_of(slab, cluster)
print("a slab and a cluster in one batch: accepted")
assert state_of(slab).pbc is False
assert energy(slab) == energy(cluster)
assert slab.get_potential_energy() < 3 * energy(slab)
PYTHON
echo "As described: the slab has lost its periodic directions."

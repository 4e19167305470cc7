#!/usr/bin/env bash
# i-PI 3.3.1: an ASE driver that declares `has_stress=False` cannot return forces.
#
# ipi.pes._ase.ASEDriver replaces the missing stress by nine zeros and then requires the shape (3, 3),
# so that every evaluation ends in "The stress tensor should have shape (3,3) but it has shape (9,)."
# A driver for calculators without stress (molecules, clusters, slabs) must return zeros of shape (6,)
# or (3, 3) itself.
#
# Seen: has_stress=True: forces; has_stress=False: ValueError.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "ipi==3.3.1" "ase==3.29.0"
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
from importlib.metadata import version

import numpy as np
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.io import write
from ipi.pes._ase import ASEDriver

copper = bulk("Cu", cubic=True)
copper.rattle(0.05, seed=1)
write("copper.xyz", copper)


class CopperDriver(ASEDriver):
    def check_parameters(self):
        super().check_parameters()
        self.ase_calculator = EMT()


bohr = 0.529177210903
geometry = (copper.cell.array.T / bohr, copper.positions / bohr)
print(f"i-PI {version('ipi')}, ASE {version('ase')}")
_, forces, _, _ = CopperDriver(template="copper.xyz").compute_structure(*geometry)
print("has_stress=True: largest force", np.abs(forces).max(), "Ha/bohr")
try:
    CopperDriver(template="copper.xyz", has_stress=False).compute_structure(*geometry)
except ValueError as error:
    print("has_stress=False:", error)
    assert "(9,)" in str(error)
else:
    raise AssertionError("a driver without stress now returns forces")
PYTHON
echo "As described: has_stress=False ends in an error."

#!/usr/bin/env bash
# tblite 0.8.0 with ASE 3.29.0: one periodic direction makes a structure periodic in all three.
#
# A single layer of boron nitride with pbc = (True, True, False) gets exactly the energy of the
# three-dimensional crystal with the same cell, without a warning. The third cell vector, which ASE
# does not use for such a structure, changes the energy: by 0.04 eV between 6 and 10 Å.
# Labels of slabs and wires therefore depend on the vacuum that happens to be in the file.
#
# Seen: 6 A slab -120.515810, 6 A crystal -120.515810, 10 A slab -120.556083 eV.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "tblite==0.8.0" "ase==3.29.0" "numpy<3"
OMP_NUM_THREADS=1 "$folder/venv/bin/python" - <<'PYTHON'
from importlib.metadata import version

from ase import Atoms
from tblite.ase import TBLite


def energy(height, pbc):
    a = 2.5
    layer = Atoms(
        "BN",
        scaled_positions=[(0, 0, 0.5), (1 / 3, 1 / 3, 0.5)],
        cell=[(a, 0, 0), (a / 2, a * 3**0.5 / 2, 0), (0, 0, height)],
        pbc=pbc,
    )
    layer.calc = TBLite(method="GFN1-xTB", verbosity=0)
    return layer.get_potential_energy()


thin, crystal = energy(6.0, (True, True, False)), energy(6.0, True)
thick = energy(10.0, (True, True, False))
print(f"tblite {version('tblite')}, ase {version('ase')}")
print(f"6 A slab {thin:.6f}, 6 A crystal {crystal:.6f}, 10 A slab {thick:.6f} eV")
assert abs(thin - crystal) < 1e-9, "slab and crystal now differ"
assert abs(thin - thick) > 0.01, "the unused cell vector no longer changes the energy"
PYTHON
echo "As described: mixed periodicity is treated as full periodicity."

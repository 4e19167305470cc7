#!/usr/bin/env bash
# tblite 0.8.0 with ASE 3.29.0: the energy of a slab in a periodic box converges slowly with the vacuum.
#
# Two layers of NaCl(001) have no dipole and no charge, so that their repeats hardly act on each other:
# Coulomb energies of such slabs converge exponentially with the vacuum. With GFN1-xTB the energy falls
# by 0.08 eV between 10 and 15 Å of vacuum on either side, and by another 0.05 eV between 15 and 20 Å
# (8 atoms; with GFN2-xTB by 0.29 and 0.17 eV). Energies of slabs can be compared only at equal
# vacuum and thickness; the usual check "10 Å and more" does not hold.
#
# Seen: GFN1-xTB -508.0279, -508.1030, -508.1537 eV.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "tblite==0.8.0" "ase==3.29.0" "numpy<3"
OMP_NUM_THREADS=1 "$folder/venv/bin/python" - <<'PYTHON'
from importlib.metadata import version

from ase.build import bulk
from tblite.ase import TBLite


def energy(vacuum):
    slab = bulk("NaCl", "rocksalt", a=5.64, cubic=True)
    slab.center(vacuum=vacuum, axis=2)
    slab.calc = TBLite(method="GFN1-xTB", verbosity=0)
    return slab.get_potential_energy()


energies = [energy(vacuum) for vacuum in (10.0, 15.0, 20.0)]
print(f"tblite {version('tblite')}, ase {version('ase')}")
print("GFN1-xTB", ", ".join(f"{each:.4f}" for each in energies), "eV")
first, second = energies[0] - energies[1], energies[1] - energies[2]
assert first > 0.05 and second > 0.03, "the energy now converges with the vacuum"
PYTHON
echo "As described: 15 A of vacuum are not enough for 0.05 eV."

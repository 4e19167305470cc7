#!/usr/bin/env bash
# i-PI 3.3.1: the dipole of an ASE driver arrives in e Å and is taken for e a0.
#
# ipi.pes._ase.ASEDriver (and the MACE driver made of it) converts energy, forces and virial to atomic
# units; every other property goes into the extras as the calculator returns it. i-PI reads the extra
# "dipole" as atomic units, for the property `dipole` and the interaction energy of `eda-nve`: both are
# too small by a factor of 1.89. A driver must divide its dipole by 0.529177 Å itself.
#
# Seen: calculator 1 e Å along x; output of i-PI in e Å: 0.529177.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "ipi==3.3.1" "ase==3.29.0"
cd "$folder"
cat > driver.py <<'PYTHON'
import numpy as np
from ase.calculators.calculator import Calculator, all_changes
from ipi.pes._ase import ASEDriver

__DRIVER_NAME__ = "dipole"
__DRIVER_CLASS__ = "DipoleDriver"


class OneElectronAngstrom(Calculator):
    implemented_properties = ["energy", "forces", "stress", "dipole"]

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        self.results = {
            "energy": 0.0,
            "forces": np.zeros((len(atoms), 3)),
            "stress": np.zeros(6),
            "dipole": np.array([1.0, 0.0, 0.0]),
        }


class DipoleDriver(ASEDriver):
    def __init__(self, template, **settings):
        settings.pop("verbosity", None)
        super().__init__(template, **settings)
        self.capabilities.append("dipole")

    def check_parameters(self):
        super().check_parameters()
        self.ase_calculator = OneElectronAngstrom()
PYTHON
"$folder/venv/bin/python" - <<'PYTHON'
from ase.build import molecule
from ase.io import write

write("start.extxyz", molecule("HF", cell=[10, 10, 10], pbc=True))
with open("bec.txt", "w") as file:
    file.write("0 0 0\n" * 6)
PYTHON
cat > input.xml <<'XML'
<simulation verbosity="quiet">
  <output prefix="run">
    <properties stride="1" filename="out"> [ dipole{eang} ] </properties>
  </output>
  <total_steps>1</total_steps>
  <ffdirect name="driver"><pes>custom</pes><pes_path>driver.py</pes_path>
    <parameters> { template: start.extxyz } </parameters></ffdirect>
  <system>
    <initialize nbeads="1"><file mode="ase"> start.extxyz </file></initialize>
    <forces><force forcefield="driver"/></forces>
    <motion mode="driven_dynamics"><driven_dynamics mode="eda-nve">
      <timestep units="femtosecond"> 1 </timestep>
      <bec mode="file"> bec.txt </bec>
    </driven_dynamics></motion>
    <ensemble><temperature units="kelvin"> 300 </temperature></ensemble>
  </system>
</simulation>
XML
"$folder/venv/bin/i-pi" input.xml > log.txt 2>&1 || { tail -5 log.txt; exit 1; }
"$folder/venv/bin/python" - <<'PYTHON'
from importlib.metadata import version

with open("run.out") as file:
    found = [float(line.split()[0]) for line in file if not line.startswith("#")]
print(f"i-PI {version('ipi')}: a dipole of 1 e Å is printed as {found[0]:.6f} e Å")
assert abs(found[0] - 0.529177) < 1e-5
PYTHON
echo "As described: the dipole is not converted."

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
        nothing = {"energy": 0.0, "forces": np.zeros((len(atoms), 3)), "stress": np.zeros(6)}
        self.results = {**nothing, "dipole": np.array([1.0, 0.0, 0.0])}


class DipoleDriver(ASEDriver):
    def __init__(self, template, verbosity=None, **settings):
        super().__init__(template, **settings)
        self.capabilities.append("dipole")

    def check_parameters(self):
        super().check_parameters()
        self.ase_calculator = OneElectronAngstrom()
PYTHON
cat > start.extxyz <<'XYZ'
2
Lattice="10 0 0 0 10 0 0 0 10" Properties=species:S:1:pos:R:3 pbc="T T T"
F 5 5 5.4
H 5 5 4.5
XYZ
printf '0 0 0\n%.0s' {1..6} > bec.txt
cat > input.xml <<'XML'
<simulation verbosity="quiet">
  <output prefix="run"><properties filename="out"> [ dipole{eang} ] </properties></output>
  <total_steps>1</total_steps>
  <ffdirect name="driver"><pes>custom</pes><pes_path>driver.py</pes_path>
    <parameters> { template: start.extxyz } </parameters></ffdirect>
  <system>
    <initialize nbeads="1"><file mode="ase"> start.extxyz </file></initialize>
    <forces><force forcefield="driver"/></forces>
    <motion mode="driven_dynamics"><driven_dynamics mode="eda-nve">
      <timestep units="femtosecond"> 1 </timestep> <bec mode="file"> bec.txt </bec>
    </driven_dynamics></motion>
    <ensemble><temperature units="kelvin"> 300 </temperature></ensemble>
  </system>
</simulation>
XML
"$folder/venv/bin/i-pi" input.xml > log.txt 2>&1 || { tail -5 log.txt; exit 1; }
dipole=$(awk '!/^#/ {print $1; exit}' run.out)
echo "i-PI 3.3.1: a dipole of 1 e Å is printed as $dipole e Å"
awk -v found="$dipole" 'BEGIN {exit !(found > 0.52916 && found < 0.52919)}'
echo "As described: the dipole is not converted."

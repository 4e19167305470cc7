#!/usr/bin/env bash
# phonopy 4.10.0 and Euphonic 2.1.1: the BORN file that phonopy writes is not read by Euphonic.
#
# phonopy.file_IO.write_BORN begins the file with a comment ("# epsilon and Z* of atoms 1 2").
# phonopy.load reads that and takes the unit factor of VASP (14.3996 eV A). phonopy.file_IO.parse_BORN,
# the counterpart of write_BORN, returns no "factor", and the dynamical matrix then stops with
# KeyError: 'factor'. Euphonic stops with "Unknown nac factor". With the number 14.399652 in the first
# line all three read the file alike.
#
# Seen: phonopy.load 14.399652; parse_BORN ['born', 'dielectric']; Euphonic KeyError; with a number: read.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "phonopy==4.10.0" "euphonic==2.1.1"
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
from importlib.metadata import version
from pathlib import Path

import numpy as np
import phonopy
from euphonic import ForceConstants
from phonopy.file_IO import parse_BORN, write_BORN
from phonopy.structure.atoms import PhonopyAtoms

edge = 5.66
rock_salt = PhonopyAtoms(
    symbols=["Na", "Cl"],
    cell=0.5 * edge * (np.ones((3, 3)) - np.eye(3)),
    scaled_positions=[(0, 0, 0), (0.5, 0.5, 0.5)],
)
crystal = phonopy.Phonopy(rock_salt, 2 * np.eye(3, dtype=int), primitive_matrix=np.eye(3))
crystal.generate_displacements(distance=0.01)
crystal.forces = np.zeros((len(crystal.supercells_with_displacements), len(crystal.supercell), 3))
crystal.produce_force_constants()
crystal.save("phonopy.yaml", settings={"force_constants": True})
charges = np.array([1.1 * np.eye(3), -1.1 * np.eye(3)])
write_BORN(crystal.primitive, charges, 2.5 * np.eye(3), filename="BORN")
lines = Path("BORN").read_text().splitlines()
Path("BORN-with-number").write_text("\n".join(["14.399652", *lines[1:]]) + "\n")

print(f"phonopy {version('phonopy')}, Euphonic {version('euphonic')}; first line: {lines[0]}")
loaded = phonopy.load("phonopy.yaml", born_filename="BORN", log_level=0)
print(f"phonopy.load: factor {loaded.nac_params['factor']:.6f}")
parsed = parse_BORN(crystal.primitive, filename="BORN")
print("parse_BORN:", sorted(parsed))
assert lines[0].startswith("#"), "write_BORN now begins otherwise"
assert "factor" not in parsed, "parse_BORN now returns a factor"
try:
    ForceConstants.from_phonopy(summary_name="phonopy.yaml", born_name="BORN")
except KeyError as error:
    print("Euphonic:", str(error).split("\\n")[0])
else:
    raise AssertionError("Euphonic now reads the file that phonopy writes")
read = ForceConstants.from_phonopy(summary_name="phonopy.yaml", born_name="BORN-with-number")
print("Euphonic with a number in the first line:", read.born[0, 0, 0])
assert np.allclose(read.born.magnitude, charges)
PYTHON
echo "As described: the first line of BORN must be a number for all three readers."

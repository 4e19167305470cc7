#!/usr/bin/env bash
# i-PI 3.3.1 (ASE 3.29.0 as client): beads are not balanced between clients of different speed.
#
# With matching="any" and consolidated messages (the default), i-PI hands one structure to each client and then waits
# for all of them before any client gets another one. Of 8 beads, a client that is nine times
# slower computes half, and a step takes four times as long as the slow client needs for one bead.
# With <consolidate_messages> False </consolidate_messages> a client that is ready gets the next
# bead at once.
#
# Seen: 49 structures by a client of 10 ms and 49 by one of 90 ms; without consolidated messages 78
# and 20.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "ipi==3.3.1" "ase==3.29.0"
cd "$folder"
cat > client.py <<'PYTHON'
import sys
import time

from ase.calculators.emt import EMT
from ase.calculators.socketio import SocketClient
from ase.io import read

name, seconds, result = sys.argv[1], float(sys.argv[2]), sys.argv[3]


class Slow(EMT):
    count = 0

    def calculate(self, *args, **kwargs):
        time.sleep(seconds)
        Slow.count += 1
        super().calculate(*args, **kwargs)


atoms = read("copper.xyz")
atoms.calc = Slow()
for _ in range(100):
    try:
        client = SocketClient(unixsocket=name)
        break
    except OSError:
        time.sleep(0.1)
try:
    client.run(atoms, use_stress=False)
finally:
    open(result, "w").write(str(Slow.count))
PYTHON
cat > compare.py <<'PYTHON'
import os
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

from ase.build import bulk
from ase.io import write

INPUT = """<simulation verbosity="quiet"> <total_steps> 12 </total_steps>
  <output prefix="run"><properties filename="out"> [ step ] </properties></output>
  <ffsocket name="emt" mode="unix" pbc="false" matching="any"> {mode} <address> {name} </address> </ffsocket>
  <system> <initialize nbeads="8"> <file mode="ase"> copper.xyz </file>
    <velocities mode="thermal" units="kelvin"> 300 </velocities> </initialize>
    <forces> <force forcefield="emt"/> </forces>
    <motion mode="dynamics"> <dynamics mode="nve"> <timestep units="femtosecond"> 1 </timestep>
    </dynamics> </motion> <ensemble> <temperature units="kelvin"> 300 </temperature> </ensemble>
  </system> </simulation>"""


def counts(mode, name):
    Path("input.xml").write_text(INPUT.format(mode=mode, name=name))
    ipi = subprocess.Popen(
        [Path(sys.executable).with_name("i-pi"), "input.xml"], stdout=subprocess.DEVNULL
    )
    for speed in ("0.01", "0.09"):
        subprocess.Popen([sys.executable, "client.py", name, speed, speed])
    ipi.wait(timeout=120)
    time.sleep(2)
    return [int(Path(speed).read_text()) for speed in ("0.01", "0.09")]


write("copper.xyz", bulk("Cu", cubic=True), format="extxyz")
print(f"i-PI {version('ipi')}, ASE {version('ase')}")
fast, slow = counts("", f"finding{os.getpid()}a")
print(f"default: {fast} structures by the fast client, {slow} by the slow one")
mode = "<consolidate_messages> False </consolidate_messages>"
quick, sluggish = counts(mode, f"finding{os.getpid()}b")
print(f"consolidate_messages False: {quick} and {sluggish}")
assert fast < 1.1 * slow
assert quick > 2 * sluggish
PYTHON
"$folder/venv/bin/python" compare.py
echo "As described: each client gets as many structures as the slowest one."

#!/usr/bin/env bash
# i-PI 3.3.1 (ASE 3.29.0 as client): beads are not balanced between clients of different speed.
#
# With matching="any" and consolidated messages (the default), i-PI hands one structure to each client
# and waits for all of them before any client gets another one: of 8 beads, a client that is nine times
# slower computes half. With <consolidate_messages> False </consolidate_messages> a client that is ready
# gets the next bead at once.
#
# Seen: 49 and 49 structures by clients of 10 and 90 ms; without consolidated messages 85 and 13.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "ipi==3.3.1" "ase==3.29.0"
cd "$folder"
cat > client.py <<'PYTHON'
import sys, time
from ase.calculators.emt import EMT
from ase.calculators.socketio import SocketClient
from ase.io import read

class Slow(EMT):
    count = 0
    def calculate(self, *args, **kwargs):
        time.sleep(float(sys.argv[2]))
        Slow.count += 1
        super().calculate(*args, **kwargs)

atoms = read("copper.xyz")
atoms.calc = Slow()
SocketClient(unixsocket=sys.argv[1]).run(atoms, use_stress=False)
print(Slow.count)
PYTHON
cat > compare.py <<'PYTHON'
import os, subprocess, sys, time
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
    server = subprocess.Popen([Path(sys.executable).with_name("i-pi"), "input.xml"], stdout=subprocess.DEVNULL)
    while not Path(f"/tmp/ipi_{name}").exists():
        time.sleep(0.1)
    clients = [
        subprocess.Popen([sys.executable, "client.py", name, speed], stdout=subprocess.PIPE, text=True)
        for speed in ("0.01", "0.09")
    ]
    found = [int(client.communicate(timeout=120)[0]) for client in clients]
    server.wait(timeout=60)
    return found

write("copper.xyz", bulk("Cu", cubic=True), format="extxyz")
default = counts("", f"finding{os.getpid()}a")
separate = counts("<consolidate_messages> False </consolidate_messages>", f"finding{os.getpid()}b")
print("structures by the fast and the slow client:", default, "; without consolidated messages:", separate)
assert default[0] < 1.1 * default[1] and separate[0] > 2 * separate[1]
PYTHON
"$folder/venv/bin/python" compare.py
echo "As described: by default each client gets as many structures as the slowest one."

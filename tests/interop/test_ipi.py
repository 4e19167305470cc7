"""Forces for a real i-PI: by the client of the command line, and by its own driver interface."""

import select
import socket
import subprocess
import sys
import threading
import uuid
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms, units
from ase.build import bulk, molecule
from ase.calculators.lj import LennardJones
from ase.calculators.socketio import IPIProtocol
from ase.io import write
from ase.md.verlet import VelocityVerlet

from ase_les import LESCalculator
from ase_les.interop.ipi import Evaluation, Evaluator, connect, run_client

IPI = Path(sys.executable).with_name("i-pi")
# Molecules and crystals here are far from the data of the models.
pytestmark = pytest.mark.filterwarnings("ignore:.*results are an extrapolation:UserWarning")
needs_ipi = pytest.mark.skipif(not IPI.exists(), reason="needs the extra [ipi]")

INPUT = """<simulation verbosity="quiet">
  <output prefix="run">
    <properties stride="1" filename="out">
      [ step, potential{{electronvolt}}, conserved{{electronvolt}}, {properties} ] </properties>
  </output>
  <total_steps>{steps}</total_steps>
  <prng><seed>7</seed></prng>
  {forcefield}
  <system>
    <initialize nbeads="{beads}">
      <file mode="ase"> start.extxyz </file>
      {velocities}
    </initialize>
    <forces><force forcefield="les"/></forces>
    <motion mode="{motion}"> {dynamics} </motion>
    <ensemble><temperature units="kelvin"> 300 </temperature></ensemble>
  </system>
</simulation>
"""
POSITIONS = ", ".join(f"atom_x{{angstrom}}({i})" for i in range(4))
VERLET = '<dynamics mode="nve"><timestep units="femtosecond"> 1 </timestep></dynamics>'


def socket_of(name):
    return f'<ffsocket name="les" mode="unix"><address>{name}</address></ffsocket>'


def prepare(folder, atoms, forcefield, steps=30, **changes):
    write(folder / "start.extxyz", atoms)
    settings = {"properties": POSITIONS, "beads": 1, "motion": "dynamics", "dynamics": VERLET}
    settings |= {"velocities": "", "steps": steps, "forcefield": forcefield} | changes
    (folder / "input.xml").write_text(INPUT.format(**settings))


def start_ipi(folder):
    return subprocess.Popen(
        [IPI, "input.xml"], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def client_command(name, model, *options):
    command = [sys.executable, "-m", "ase_les", "client", "start.extxyz", "--model", model]
    return [*command, "--unix", name, "--dtype", "float64", "--quiet", *options]


def run_with_clients(folder, name, model, *options, clients=1):
    """Run i-PI with clients and return the columns that it wrote."""
    ipi = start_ipi(folder)
    workers = [
        subprocess.Popen(client_command(name, model, *options), cwd=folder) for _ in range(clients)
    ]
    try:
        told, _ = ipi.communicate(timeout=300)
        assert ipi.returncode == 0, told
        assert [worker.wait(timeout=60) for worker in workers] == [0] * clients
    finally:
        for process in (ipi, *workers):
            process.kill()
    return np.loadtxt(folder / "run.out")


@pytest.fixture
def salt():
    atoms = bulk("NaCl", "rocksalt", a=5.7, cubic=True)
    # Triclinic, with the lattice vectors in the lower triangle as i-PI needs them.
    tilt = np.array([[0, 0, 0], [0.3, 0, 0], [-0.2, 0.25, 0]])
    atoms.set_cell(atoms.cell.array + tilt, scale_atoms=True)
    atoms.rattle(0.15, seed=3)
    return atoms


@pytest.fixture
def name():
    name = f"les-{uuid.uuid4().hex[:8]}"
    yield name
    Path(f"/tmp/ipi_{name}").unlink(missing_ok=True)


def verlet_of_ase(atoms, steps, calculator):
    atoms = atoms.copy()
    atoms.calc = calculator
    atoms.set_momenta(np.zeros((len(atoms), 3)))
    rows = []
    dynamics = VelocityVerlet(atoms, 1 * units.fs)
    dynamics.attach(
        lambda: rows.append([atoms.get_potential_energy(), *atoms.positions[:4].ravel()])
    )
    dynamics.run(steps)
    return np.array(rows)


@needs_ipi
@pytest.mark.slow
def test_nve_of_ipi_is_that_of_ase(tmp_path, name, salt):
    prepare(tmp_path, salt, socket_of(name))
    found = run_with_clients(tmp_path, name, "nacl")
    expected = verlet_of_ase(salt, 30, LESCalculator("nacl", dtype="float64"))
    assert np.ptp(expected[:, 0]) > 0.1
    # i-PI has constants of eight digits and prints nine.
    np.testing.assert_allclose(found[:, 1], expected[:, 0], atol=2e-5)
    np.testing.assert_allclose(found[:, 3:], expected[:, 1:], atol=2e-6)


@needs_ipi
@pytest.mark.slow
@pytest.mark.parametrize("way", ["socket", "direct"])
def test_the_driver_class_gives_what_the_client_gives(tmp_path, name, salt, way):
    from ase_les.interop import ipi_driver

    parameters = "template=start.extxyz,model=nacl,dtype=float64,extras=charges"
    if way == "socket":
        prepare(tmp_path, salt, socket_of(name), steps=10)
        ipi = start_ipi(tmp_path)
        driver = [IPI.with_name("i-pi-driver-py"), "-u", "-a", name, "-m", "custom"]
        driver += ["-P", ipi_driver.__file__, "-o", parameters]
        while not Path(f"/tmp/ipi_{name}").exists():
            assert ipi.poll() is None
        process = subprocess.Popen(driver, cwd=tmp_path, stdout=subprocess.DEVNULL)
        told, _ = ipi.communicate(timeout=300)
        process.wait(timeout=60)
    else:
        given = ", ".join(
            f"{key}: {value}"
            for key, value in (entry.split("=") for entry in parameters.split(","))
        )
        field = f"""<ffdirect name="les"><pes>custom</pes><pes_path>{ipi_driver.__file__}</pes_path>
            <parameters> {{ {given} }} </parameters></ffdirect>"""
        prepare(tmp_path, salt, field, steps=10)
        ipi = start_ipi(tmp_path)
        told, _ = ipi.communicate(timeout=300)
    assert ipi.returncode == 0, told
    expected = verlet_of_ase(salt, 10, LESCalculator("nacl", dtype="float64"))
    found = np.loadtxt(tmp_path / "run.out")
    np.testing.assert_allclose(found[:, 1], expected[:, 0], atol=2e-5)
    np.testing.assert_allclose(found[:, 3:], expected[:, 1:], atol=2e-6)


@needs_ipi
@pytest.mark.slow
def test_dynamics_in_a_field_are_those_of_the_calculator(tmp_path, name):
    water = molecule("H2O", cell=[8, 9, 10], pbc=True)
    water.rattle(0.05, seed=1)
    field = np.array([0.1, -0.2, 0.3])  # V/Å
    atomic = field * units.Bohr / units.Ha
    dynamics = f"""<driven_dynamics mode="eda-nve">
        <timestep units="femtosecond"> 0.1 </timestep>
        <bec mode="driver"/>
        <efield><amp> [ {", ".join(map(str, atomic))} ] </amp> <freq> 0 </freq> </efield>
      </driven_dynamics>"""
    properties = "dipole{eang}, atom_x{angstrom}(0), atom_x{angstrom}(1), "
    properties += "atom_x{angstrom}(2), Efield"
    changes = {"motion": "driven_dynamics", "dynamics": dynamics, "properties": properties}
    prepare(tmp_path, water, socket_of(name), steps=150, **changes)
    found = run_with_clients(tmp_path, name, "water-rpbe-d3", "--extras", "dipole,BEC")
    np.testing.assert_allclose(found[:, -3:], np.tile(atomic, (151, 1)), atol=1e-9)

    calculator = LESCalculator("water-rpbe-d3", dtype="float64")
    dipoles = []
    atoms = water.copy()
    atoms.calc = calculator
    atoms.set_momenta(np.zeros((3, 3)))
    calculator.field_V_per_A = field
    motion = VelocityVerlet(atoms, 0.1 * units.fs)
    rows = []

    def record():
        rows.append(atoms.positions.ravel().copy())
        dipoles.append(calculator.get_cell_dipole(atoms))

    motion.attach(record)
    motion.run(150)
    np.testing.assert_allclose(found[:, 6:15], rows, atol=2e-6)
    np.testing.assert_allclose(found[:, 3:6], dipoles, atol=2e-6)
    # Kinetic and potential energy less the work of the field.
    conserved = found[:, 2] - found[:, 3:6] @ field
    assert np.ptp(found[:, 3:6] @ field) > 0.015
    assert np.ptp(conserved) < 0.05 * np.ptp(found[:, 3:6] @ field)


@needs_ipi
@pytest.mark.slow
def test_path_integrals_by_two_clients_are_those_of_one(tmp_path, salt, name):
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    thermal = '<velocities mode="thermal" units="kelvin"> 300 </velocities>'
    changes = {"beads": 4, "velocities": thermal, "steps": 5}
    found = []
    for clients, folder in ((1, tmp_path / "one"), (2, tmp_path / "two")):
        prepare(folder, salt, socket_of(name), **changes)
        found.append(run_with_clients(folder, name, "nacl", clients=clients))
    np.testing.assert_allclose(found[0], found[1], atol=1e-9)


@needs_ipi
@pytest.mark.slow
def test_a_client_that_is_killed_loses_nothing(tmp_path, name, salt):
    # With consolidated messages i-PI 3.3 hangs if a message has arrived that the client had no
    # time to read.
    mode = "<consolidate_messages> False </consolidate_messages></ffsocket>"
    socket_mode = socket_of(name).replace("</ffsocket>", mode)
    prepare(tmp_path, salt, socket_mode, steps=60)
    ipi = start_ipi(tmp_path)
    first, second = (subprocess.Popen(client_command(name, "nacl"), cwd=tmp_path) for _ in range(2))
    try:
        while (
            len(
                (tmp_path / "run.out").read_text().splitlines()
                if (tmp_path / "run.out").exists()
                else ()
            )
            < 15
        ):
            assert ipi.poll() is None
        first.kill()
        told, _ = ipi.communicate(timeout=300)
        assert ipi.returncode == 0, told
        assert second.wait(timeout=60) == 0
    finally:
        for process in (ipi, first, second):
            process.kill()
    expected = verlet_of_ase(salt, 60, LESCalculator("nacl", dtype="float64"))
    found = np.loadtxt(tmp_path / "run.out")
    np.testing.assert_allclose(found[:, 1], expected[:, 0], atol=1e-4)


@needs_ipi
@pytest.mark.slow
def test_a_committee_is_read_by_ipi(tmp_path, name, salt):
    member = f"""<ffcommittee name="les"><parse_json>True</parse_json>
      <ffsocket name="all" mode="unix"><address>{name}</address></ffsocket></ffcommittee>"""
    # As committee a model of the same elements, trained on other data.
    options = ["--committee", "nacl-aq", "--extras", "committee"]
    prepare(tmp_path, salt, member, steps=2)
    found = run_with_clients(tmp_path, name, "nacl", *options)
    energies = []
    for model in ("nacl", "nacl-aq"):
        salt.calc = LESCalculator(model, dtype="float64")
        energies.append(salt.get_potential_energy())
    assert found[0, 1] == pytest.approx(np.mean(energies), rel=1e-7)


def test_the_evaluator_gives_what_ase_gives(salt):
    calculator = LESCalculator("nacl", dtype="float64")
    evaluate = Evaluator(salt, [calculator], ["BEC", "charges"])
    result = evaluate(salt.positions, salt.cell.array)
    salt.calc = calculator
    assert result.energy == salt.get_potential_energy()
    np.testing.assert_array_equal(result.forces, salt.get_forces())
    strain = 1e-4 * np.array([[1, 0.2, 0], [0.2, -0.5, 0.3], [0, 0.3, 0.7]])
    energies = []
    for sign in (1, -1):
        moved = salt.copy()
        moved.set_cell(salt.cell.array @ (np.eye(3) + sign * strain), scale_atoms=True)
        energies.append(evaluate(moved.positions, moved.cell.array).energy)
    slope = (energies[0] - energies[1]) / 2
    assert -(result.virial * strain).sum() == pytest.approx(slope, rel=1e-5)


def test_born_charges_have_rows_of_displacements_and_no_sum():
    water = molecule("H2O", cell=[8, 9, 10], pbc=True)
    calculator = LESCalculator("water-rpbe-d3", dtype="float64")
    evaluate = Evaluator(water, [calculator], ["dipole", "BEC"])

    def extras(positions):
        import json

        return {
            k: np.array(v) for k, v in json.loads(evaluate(positions, water.cell).extras).items()
        }

    found = extras(water.positions)["BEC"]
    assert found.shape == (9, 3)
    np.testing.assert_allclose(found.reshape(3, 3, 3).sum(axis=0), 0, atol=1e-12)
    step = 1e-3
    for row in range(9):
        shift = np.zeros(9)
        shift[row] = step
        up, down = (
            extras(water.positions + sign * shift.reshape(3, 3))["dipole"] for sign in (1, -1)
        )
        slope = (up - down) / (2 * step / units.Bohr)
        np.testing.assert_allclose(found[row], slope, atol=1e-4)


def test_other_atoms_and_wrong_extras_are_refused(salt):
    calculator = LennardJones()
    with pytest.raises(ValueError, match="i-PI sent 3 atoms, the template has 8"):
        Evaluator(salt, [calculator])(np.zeros((3, 3)), np.eye(3))
    with pytest.raises(ValueError, match="extras are dipole, BEC, charges, committee; got born"):
        Evaluator(salt, [calculator], ["born"])
    with pytest.raises(ValueError, match="needs several models"):
        Evaluator(salt, [calculator], ["committee"])
    ion = Atoms("Na", info={"charge": 1})
    with pytest.raises(ValueError, match="has charge 1 e"):
        Evaluator(ion, [calculator], ["BEC"])


def test_nobody_listens():
    with pytest.raises(ConnectionError, match="i-PI does not listen at /tmp/ipi_nobody"):
        connect(unix="nobody", patience_s=0)
    with pytest.raises(ConnectionError, match="does not listen"):
        connect(port=9, patience_s=0)


def test_no_message_is_unread_during_an_evaluation():
    """i-PI 3.3 hangs if a client is killed with a message unread."""
    here, there = socket.socketpair()
    unread = []

    def evaluate(positions, cell):
        unread.append(select.select([there], [], [], 0)[0])
        return Evaluation(positions[0, 0] + cell[2, 2], positions, np.eye(3), "")

    counts = []
    client = threading.Thread(target=lambda: counts.append(run_client(evaluate, there)))
    client.start()
    protocol = IPIProtocol(here)
    with here:
        protocol.sendmsg("STATUS")
        assert protocol.recvmsg() == "NEEDINIT"
        protocol.sendinit()
        positions = np.arange(6.0).reshape(2, 3) + 1
        for _ in range(2):
            protocol.sendmsg("STATUS")
            assert protocol.recvmsg() == "READY"
            # As i-PI 3.3 does: all at once.
            cell = 7 * np.eye(3)
            data = [cell.T / units.Bohr, np.eye(3) / 7, np.int32(2), positions / units.Bohr]
            message = b"POSDATA".ljust(12) + b"".join(each.tobytes() for each in data)
            here.sendall(message + b"GETFORCE".ljust(12))
            assert protocol.recvmsg() == "FORCEREADY"
            assert protocol.recv(1, np.float64)[0] * units.Ha == pytest.approx(8.0)
            assert protocol.recv(1, np.int32)[0] == 2
            found = protocol.recv((2, 3), np.float64) * units.Ha / units.Bohr
            np.testing.assert_allclose(found, positions)
            assert protocol.recv((3, 3), np.float64).shape == (3, 3)
            protocol.recv(protocol.recv(1, np.int32)[0], np.byte)
    client.join(timeout=10)
    assert counts == [2]
    assert unread == [[], []]

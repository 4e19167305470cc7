"""Labels are the calculator's, whatever interrupts the work, whoever shares it, whatever fails."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import labeling_engines
import numpy as np
import pytest
import yaml
from ase import Atoms
from ase.build import bulk, molecule
from ase.calculators.emt import EMT
from ase.io import read, write

from ase_les.cli import main
from ase_les.reading.extended_xyz import write_labeled
from ase_les.reports.terminal import TerminalProgress
from ase_les.runs.lock import OutputInUseError
from ase_les.training.labeling.reference import label_structures
from ase_les.training.learning.dataset import LabelNames, labeled, read_frames


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(
        "PYTHONPATH", f"{Path(__file__).parent}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    )


def crystals(count: int) -> list[Atoms]:
    frames = []
    for seed in range(count):
        atoms = bulk(("Cu", "Ag", "Au")[seed % 3], cubic=True)
        atoms.rattle(0.1, seed=seed)
        atoms.info["number"] = seed
        frames.append(atoms)
    return frames


def lifted(atoms: Atoms) -> Atoms:
    """Where the engines of these tests fail."""
    atoms = atoms.copy()
    atoms.positions[:, 2] += 10
    return atoms


def test_labels_are_those_of_the_calculator_to_the_last_digit():
    frames = crystals(4)
    label_structures(frames, "emt")
    written = read("labeled.extxyz", ":")
    for given, found in zip(frames, written, strict=True):
        alone = given.copy()
        alone.calc = EMT()
        assert found.info["number"] == given.info["number"]
        assert found.info["charge"] == 0
        assert np.array_equal(found.positions, given.positions)
        assert np.array_equal(found.cell.array, given.cell.array)
        assert np.array_equal(found.pbc, given.pbc)
        assert found.info["REF_energy"] == alone.get_potential_energy()
        assert np.array_equal(found.arrays["REF_forces"], alone.get_forces())
        assert np.array_equal(
            found.info["REF_stress"].ravel(), alone.get_stress(voigt=False).ravel()
        )


def test_training_reads_the_labels_as_they_were_written():
    frames = crystals(1)
    label_structures(frames, "emt")
    sample = labeled(read_frames("labeled.extxyz"), 3.5, LabelNames())[0]
    frames[0].calc = EMT()
    assert sample.energy.item() == frames[0].get_potential_energy()
    assert np.array_equal(sample.forces.numpy(), frames[0].get_forces())
    assert np.array_equal(sample.stress[0].numpy(), frames[0].get_stress(voigt=False))


def test_a_molecule_has_no_stress_and_earlier_labels_do_not_survive():
    atoms = molecule("N2")
    atoms.info |= {"REF_stress": np.ones(9), "REF_energy": 7.0}
    atoms.arrays["REF_charges"] = np.ones(2)
    label_structures([atoms], "emt")
    found = read("labeled.extxyz")
    assert "REF_stress" not in found.info
    assert "REF_charges" not in found.arrays
    assert found.info["REF_energy"] != 7.0
    assert not found.cell.any()


def test_the_energy_is_the_one_the_forces_belong_to():
    label_structures([molecule("H2O")], labeling_engines.smeared)
    assert read("labeled.extxyz").info["REF_energy"] == 11.0 - 0.25


def test_charge_and_spin_reach_the_engine_and_the_file():
    frames = [molecule("H2O") for _ in range(3)]
    frames[1].info |= {"charge": 1, "spin": 2}
    frames[2].info |= {"charge": -1, "spin": 2}
    label_structures(frames, labeling_engines.charged)
    found = read("labeled.extxyz", ":")
    assert [each.info["REF_energy"] for each in found] == [1.0, 12.0, -8.0]
    assert [each.info["charge"] for each in found] == [0, 1, -1]


def test_an_engine_that_knows_no_charge_labels_no_ion():
    frames = crystals(2)
    frames[1].info["charge"] = 1
    result = label_structures(frames, "emt")
    assert list(result.failures) == [1]
    assert "does not support total charges" in result.failures[1]


def test_the_command_reads_the_charge_of_trajectories_under_other_names(capsys):
    """ASE trajectories keep every entry; EMT cannot calculate ions."""
    ion = bulk("Cu", cubic=True)
    ion.info |= {"total_charge": 1, "spin": 2}
    write("ion.traj", ion)
    with pytest.raises(SystemExit) as end:
        main(["label", "ion.traj", "--engine", "emt"])
    assert end.value.code == 2
    told = capsys.readouterr().err
    assert "total charge read from 'total_charge'" in told
    assert "does not support total charges" in told
    assert "not used: spin" not in told


def test_what_does_not_converge_is_written_down_and_skipped(capsys):
    frames = crystals(5)
    frames[1], frames[3] = lifted(frames[1]), Atoms("Cu2", np.zeros((2, 3)))
    result = label_structures(frames, labeling_engines.failing, progress=TerminalProgress())
    assert result.labeled == 3
    assert [each.info["number"] for each in read("labeled.extxyz", ":")] == [0, 2, 4]
    summary = yaml.safe_load(Path("labeled-summary.yml").read_text())
    failures = summary["results"]["failures"]
    assert failures["1"] == "RuntimeError: the density did not converge in 60 cycles"
    assert "closer than" in failures["3"]
    assert summary["results"]["labeled"] == 3 and summary["results"]["failed"] == 2
    assert summary["input"]["engine"] == "labeling_engines:failing"
    assert summary["results"]["wall_time_s"] > 0
    assert "structure 1 failed" in capsys.readouterr().err


@pytest.mark.slow
def test_processes_give_what_one_gives_and_one_that_dies_costs_its_structure_only():
    frames = crystals(4)
    frames[2] = lifted(frames[2])
    alone = [each for number, each in enumerate(frames) if number != 2]
    label_structures(alone, "emt", output="alone")
    result = label_structures(frames, "labeling_engines:deadly", output="shared", jobs=2)
    assert list(result.failures) == [2]
    assert "died" in result.failures[2]
    assert Path("shared.extxyz").read_bytes() == Path("alone.extxyz").read_bytes()


@pytest.mark.slow
def test_killed_labeling_goes_on_and_ends_with_the_same_file():
    frames = crystals(8)
    write_labeled("start.xyz", frames)
    Path("slowly.yml").write_text("seconds: 0.15\n")
    command = ["label", "start.xyz", "--engine", "labeling_engines:slow", "--quiet"]
    command += ["--settings", "slowly.yml"]
    code = f"from ase_les.cli import main; main({[*command, '--output', 'killed']!r})"
    process = subprocess.Popen([sys.executable, "-c", code])
    record = Path("killed-labels.jsonl")
    deadline = time.monotonic() + 60
    while not record.exists() or record.read_bytes().count(b"\n") < 4:
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not Path("killed.extxyz").exists()
    before = record.read_bytes()
    done = before.count(b"\n") - 1
    assert 3 <= done < 8
    # As if the kill had come in the middle of a line.
    record.write_bytes(before + b'{"index": 7, "energy_eV": 0.')
    main_without_exit([*command, "--output", "killed", "--resume"])
    assert record.read_bytes().startswith(before)
    assert record.read_bytes().count(b"\n") == 9
    label_structures(frames, "emt", output="straight")
    assert Path("killed.extxyz").read_bytes() == Path("straight.extxyz").read_bytes()


def test_ctrl_c_keeps_what_is_done():
    calls = []

    def interrupted(atoms):
        calls.append(1)
        # The first call only tries the settings.
        if len(calls) == 4:
            raise KeyboardInterrupt
        return EMT()

    frames = crystals(4)
    result = label_structures(frames, interrupted)
    assert result.stopped == "interrupted"
    assert len(read("labeled.extxyz", ":")) == 2
    again = label_structures(frames, interrupted, resume=True)
    assert again.stopped is None and again.labeled == 4
    # Two of them and the trial, no more.
    assert len(calls) == 4 + 3


@pytest.mark.slow
def test_ctrl_c_on_the_command_line_ends_with_code_130():
    write_labeled("start.xyz", crystals(60))
    Path("slowly.yml").write_text("seconds: 0.5\n")
    command = ["label", "start.xyz", "--engine", "labeling_engines:slow", "--quiet"]
    # Processes in the background of a shell begin with interrupts ignored.
    code = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    code += f"from ase_les.cli import main; main({[*command, '--settings', 'slowly.yml']!r})"
    process = subprocess.Popen([sys.executable, "-c", code])
    record, deadline = Path("labeled-labels.jsonl"), time.monotonic() + 120
    while not record.exists() or record.read_bytes().count(b"\n") < 3:
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    assert process.wait() == 130
    assert 2 <= len(read("labeled.extxyz", ":")) < 8


def test_a_labeling_that_is_under_way_is_not_started_again():
    frames, refused = crystals(2), []

    def second(atoms):
        if Path("labeled-labels.jsonl").exists() and not refused:
            with pytest.raises(OutputInUseError, match=f"process {os.getpid()}"):
                label_structures(frames, "emt", resume=True)
            refused.append(True)
        return EMT()

    assert label_structures(frames, second).labeled == 2
    assert refused and not list(Path().glob(".*.lock"))


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
def test_workers_end_with_their_parent():
    Path("slowly.yml").write_text("seconds: 60.0\n")
    write_labeled("start.xyz", crystals(4))
    command = ["label", "start.xyz", "--engine", "labeling_engines:slow", "--jobs", "2"]
    command += ["--settings", "slowly.yml", "--quiet"]
    code = f"if __name__ == '__main__':\n from ase_les.cli import main\n main({command!r})"
    Path("labeling.py").write_text(code)
    process = subprocess.Popen([sys.executable, "labeling.py"])

    pids: list[int] = []
    deadline = time.monotonic() + 120
    while len(pids) < 2:
        assert process.poll() is None and time.monotonic() < deadline
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        commands = {int(p): Path(f"/proc/{p}/cmdline") for p in children.read_text().split()}
        pids = [p for p, c in commands.items() if b"spawn_main" in c.read_bytes()]
        time.sleep(0.1)
    # Until they are set up.
    time.sleep(5)
    process.send_signal(signal.SIGKILL)
    process.wait()
    while any(_runs(pid) for pid in pids):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_failed_structures_are_tried_again_on_request_only():
    frames = [*crystals(1), lifted(crystals(1)[0])]
    label_structures(frames, labeling_engines.failing)
    labeling_engines.Failing.calculate, broken = EMT.calculate, labeling_engines.Failing.calculate
    try:
        kept = label_structures(frames, labeling_engines.failing, resume=True)
        assert kept.labeled == 1
        tried = label_structures(frames, labeling_engines.failing, resume=True, retry_failed=True)
        assert tried.labeled == 2
    finally:
        labeling_engines.Failing.calculate = broken


def test_labels_of_other_structures_or_settings_do_not_mix():
    frames = crystals(2)
    label_structures(frames, labeling_engines.slow, settings={"seconds": 0.0})
    before = Path("labeled-labels.jsonl").read_bytes()
    with pytest.raises(FileExistsError, match="--resume"):
        label_structures(frames, labeling_engines.slow)
    with pytest.raises(ValueError, match=r"seconds is 0\.0, given absent"):
        label_structures(frames, labeling_engines.slow, resume=True)
    with pytest.raises(ValueError, match="fingerprint"):
        label_structures(
            frames[::-1],
            labeling_engines.slow,
            settings={"seconds": 0.0},
            resume=True,
        )
    assert Path("labeled-labels.jsonl").read_bytes() == before


def test_labels_with_and_without_stress_do_not_mix():
    label_structures(crystals(2), "emt", stress=False)
    with pytest.raises(ValueError, match="stress is False, given True"):
        label_structures(crystals(2), "emt", stress=True, resume=True)


@pytest.mark.parametrize("stress", [True, False])
def test_labels_from_before_stress_was_noted_go_on(stress):
    label_structures(crystals(2), "emt", stress=stress)
    record = Path("labeled-labels.jsonl")
    head, first, _ = record.read_text().splitlines()
    absent = ("stress", "crc32")
    head = {name: entry for name, entry in json.loads(head).items() if name not in absent}
    record.write_text(f"{json.dumps(head)}\n{first}\n")
    goes_on = label_structures(crystals(2), "emt", stress=stress, resume=True)
    assert goes_on.labeled == 2
    assert record.read_text().splitlines()[1] == first


@pytest.mark.parametrize(
    ("engine", "settings", "error", "told"),
    [
        ("vesp", {}, ValueError, "no engine 'vesp'; available are gpaw"),
        ("emt", {"asap": 1}, ValueError, "`settings`: `asap`: unknown key; known are none"),
        ("ase.calculators.emt:EMT", {}, ValueError, "must be a function"),
        ("no_such_module:make", {}, ValueError, "cannot import 'no_such_module'"),
        ("ase.calculators.emt:make", {}, ValueError, "has no 'make'"),
    ],
)
def test_an_engine_that_cannot_be_is_refused_before_anything_is_written(
    engine, settings, error, told
):
    with pytest.raises(error, match=told):
        label_structures(crystals(1), engine, settings=settings)
    assert not list(Path().iterdir())


def test_a_missing_engine_says_how_to_install_it(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match="pip install gpaw"):
        label_structures(crystals(1), "gpaw")


def test_tight_binding_tells_a_chain_from_its_ion(shared):
    pytest.importorskip("tblite")
    chain = read(shared / "data" / "carbon-chain" / "train.extxyz", index=0)
    neutral, ion = chain.copy(), chain.copy()
    neutral.info["charge"], ion.info["charge"] = 0, 1
    result = label_structures([neutral, ion], "tblite")
    assert result.labeled == 2
    energies = [each.info["REF_energy"] for each in read("labeled.extxyz", ":")]
    # Ionization of a conjugated chain costs several eV, whatever the method.
    assert 5 < energies[1] - energies[0] < 25


def test_density_functional_forces_are_the_slope_of_the_energy():
    pytest.importorskip("pyscf")
    frames = [Atoms("H2", [(0, 0, 0), (0, 0, d)], info={"charge": 1}) for d in (0.99, 1.0, 1.01)]
    label_structures(frames, "pyscf", settings={"basis": "sto-3g"})
    found = read("labeled.extxyz", ":")
    energies = [each.info["REF_energy"] for each in found]
    slope = (energies[2] - energies[0]) / 0.02
    assert found[1].arrays["REF_forces"][1, 2] == pytest.approx(-slope, abs=0.01)
    # A single electron is left: H2+ lies above H + H+ less its binding energy of 2.8 eV.
    assert -18 < energies[1] < -13


def test_smeared_forces_are_the_slope_of_the_free_energy():
    # The two middle levels of a square of hydrogen coincide; without smearing it picks one.
    pytest.importorskip("pyscf")
    frames = [
        Atoms("H4", [(0, 0, 0), (1.3, 0, 0), (0, d, 0), (1.3, d, 0)], info={"charge": 0})
        for d in (1.34, 1.35, 1.36)
    ]
    settings = {"basis": "sto-3g", "smearing_eV": 1.0}
    label_structures(frames, "pyscf", settings=settings)
    found = read("labeled.extxyz", ":")
    energies = [each.info["REF_energy"] for each in found]
    slope = (energies[2] - energies[0]) / 0.02
    assert found[1].arrays["REF_forces"][2:, 1].sum() == pytest.approx(-slope, abs=0.01)


def test_silver_binds_by_its_outer_electrons():
    pytest.importorskip("pyscf")
    frames = [
        Atoms("Ag", info={"charge": 1}),
        Atoms("Ag2", [(0, 0, 0), (0, 0, 2.6)], info={"charge": 0}),
    ]
    label_structures(frames, "pyscf")
    ion, dimer = (each.info["REF_energy"] for each in read("labeled.extxyz", ":"))
    # 19 outer electrons beside a core potential: all 47 would lie 1e5 eV lower.
    assert ion > -5000
    # Two ionizations of 7.6 eV and a bond of 1.7 eV.
    assert dimer - 2 * ion == pytest.approx(-17, abs=2)


def main_without_exit(arguments: list[str]) -> None:
    try:
        main(arguments)
    except SystemExit as end:
        assert not end.code

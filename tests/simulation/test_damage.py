"""Runs whose files are damaged, or whose disk is full: noticed, named, and nothing is lost."""

import json
import random
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT

from ase_les.simulation import relax, resume_dynamics, resume_relaxation, run_dynamics
from ase_les.simulation.checkpoint import read_checkpoint, read_relaxation_checkpoint


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def copper():
    atoms = bulk("Cu", cubic=True) * (2, 1, 1)
    atoms.rattle(0.05, seed=1)
    atoms.calc = EMT()
    return atoms


SETTINGS = {"temperature_K": 300.0, "timestep_fs": 4.0, "checkpoint_stride": 10, "seed": 0}


@pytest.mark.parametrize("ending", [".log", ".traj"])
def test_changed_outputs_are_noticed_on_resume(ending):
    run_dynamics(copper(), steps=25, output="md", **SETTINGS)
    relax(copper(), steps=4, checkpoint_stride=2, fmax=1e-6, output="relaxed")
    for stem, resume in (("md", resume_dynamics), ("relaxed", resume_relaxation)):
        path = Path(f"{stem}{ending}")
        content = bytearray(path.read_bytes())
        content[200] ^= 4
        path.write_bytes(content)
        with pytest.raises(ValueError, match=rf"{stem}\{ending} has changed since the checkpoint"):
            resume(stem, EMT(), steps=30)
        assert path.read_bytes() == content


def test_damaged_checkpoints_end_in_one_clear_error():
    run_dynamics(copper(), steps=10, output="md", **SETTINGS)
    relax(copper(), steps=4, checkpoint_stride=2, fmax=1e-6, output="relaxed")
    chance = random.Random(1)
    refused = 0
    for stem, read in (("md", read_checkpoint), ("relaxed", read_relaxation_checkpoint)):
        path = Path(f"{stem}.checkpoint")
        sound = path.read_bytes()
        before = read(path)
        for _ in range(300):
            damaged = bytearray(sound)
            kind = chance.randrange(3)
            if kind == 0:
                damaged[chance.randrange(len(sound))] ^= 1 << chance.randrange(8)
            elif kind == 1:
                del damaged[chance.randrange(len(sound)) :]
            else:
                start = chance.randrange(len(sound))
                damaged[start : start + 8] = chance.randbytes(8)
            path.write_bytes(damaged)
            try:
                after = read(path)
            except ValueError as error:
                assert "is not a checkpoint of" in str(error)
                refused += 1
            else:
                # Bytes that carry no data: time stamps and attributes of the archive.
                assert np.array_equal(before.atoms.positions, after.atoms.positions)
                assert np.array_equal(before.forces, after.forces)
                assert before.settings == after.settings
        path.write_bytes(sound)
    assert refused > 500


FULL_DISK = """
    import resource, sys
    from pathlib import Path
    sys.path.insert(0, {tests!r})
    from test_damage import SETTINGS, copper
    from ase_les.simulation import run_dynamics

    # No file can be longer than this.
    resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
    run_dynamics(copper(), steps=400, output="part", log_stride=1, trajectory_stride=50,
                 **SETTINGS)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="limits of file sizes are those of Unix")
def test_a_run_on_a_full_disk_names_the_file_and_continues_exactly():
    settings = {**SETTINGS, "log_stride": 1, "trajectory_stride": 50}
    full = run_dynamics(copper(), steps=400, output="full", **settings)
    limit = 35_000
    assert Path("full.traj").stat().st_size < limit < Path("full.log").stat().st_size
    program = textwrap.dedent(FULL_DISK).format(tests=str(Path(__file__).parent), limit=limit)
    found = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert found.returncode == 1
    assert "File too large: free disk space or raise the limit" in found.stderr
    assert "'part.log'" in found.stderr
    part = resume_dynamics("part", EMT())
    assert np.array_equal(full.atoms.positions, part.atoms.positions)
    for ending in (".log", ".traj"):
        assert Path(f"part{ending}").read_bytes() == Path(f"full{ending}").read_bytes()


def test_text_of_a_checkpoint_is_printed_without_control_characters():
    facts = json.dumps({"format": "\x1b[31mred\n\x07"}).encode()
    with open("md.checkpoint", "wb") as file:
        np.savez(file, facts=np.frombuffer(facts, np.uint8))
    with pytest.raises(ValueError, match="not a checkpoint of a run") as caught:
        resume_dynamics("md", EMT())
    assert str(caught.value).isprintable()

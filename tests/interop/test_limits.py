"""Files made to take all time or memory are refused in a moment, in one line that names them."""

from __future__ import annotations

import json
import resource
import struct
import sys
import time
import zipfile
from pathlib import Path

import pytest
import torch
from conftest import Published, Sizes
from safetensors.torch import save_file

from ase_les.interop import pickle_machine, read_checkpoint
from ase_les.interop.torch_archive import read_archive
from ase_les.model_io import read_header, read_model


def archive_with(pickled: bytes, path: Path, **storages: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02" + pickled + b".")
        for key, data in storages.items():
            archive.writestr(f"archive/data/{key.removeprefix('storage')}", data)
    return path


def put(index: int) -> bytes:
    return b"r" + struct.pack("<I", index)


def got(index: int) -> bytes:
    return b"j" + struct.pack("<I", index)


RECORD = b"ccace.models\nModel\n)\x81"
BOMBS = {
    # Each list holds the one before twice: 2**60 entries.
    "entries in": b"](K\x01e" + put(1) + (b"0](" + got(1) + got(1) + b"e" + put(1)) * 60,
    "contains itself": b"]" + put(1) + got(1) + b"a",
    "levels": b"](" * 3000 + b"e" * 3000,
    "cannot be a key": b"}("
    + b"K\x01"
    + put(1)
    + (b"0" + got(1) + got(1) + b"\x86" + put(1)) * 40
    + b"Nu",
    "operations": b"N0" * (pickle_machine.MAX_OPERATIONS // 2 + 1) + b"N",
    "a number of": b"\x8b" + struct.pack("<i", 5000) + b"\x01" * 5000,
    "malformed": b"(NNN",
    "too many or too long names": b"".join(b"ccace.x\nName%d\n0" % n for n in range(2000)) + b"N",
    "torch.save does not use": b"I12\n",
    # Lists of lists that share their entries: 2^40 in text.
    "it calls a list": b"]"
    + b"".join(put(n) + b"0](" + got(n) + got(n) + b"e" for n in range(1, 41))
    + b")R",
}


@pytest.mark.parametrize("told", BOMBS)
def test_a_pickle_that_expands_is_refused(tmp_path, told):
    path = archive_with(BOMBS[told], tmp_path / "bomb.pth")
    began = time.process_time()
    with pytest.raises(ValueError, match=told) as caught:
        read_archive(path)
    assert time.process_time() - began < 2
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600


def test_modules_that_contain_themselves_and_each_other_are_refused(tmp_path):
    # A network whose output modules are itself.
    pickled = (
        b"ccace.models.atomistic\nNeuralNetworkPotential\n)\x81" + put(1)
        + b"}(X\x08\x00\x00\x00_modules}(X\x0e\x00\x00\x00output_modules" + got(1) + b"uub"
    )  # fmt: skip
    with pytest.raises(ValueError, match=r"cannot be converted|unknown layout"):
        read_checkpoint(archive_with(pickled, tmp_path / "model.pth"))


def test_a_tensor_that_is_referred_to_many_times_is_not_copied(tmp_path):
    class Many:
        def __init__(self, tensor):
            self.tensor = tensor

        def __reduce__(self):
            function, arguments, *_ = self.tensor.__reduce_ex__(2)
            return function, arguments

    tensor = torch.zeros(2**21)
    path = tmp_path / "many.pth"
    torch.save([Many(tensor) for _ in range(300)], path)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = read_archive(path)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert len(found) == 300
    # 2.4 GB if each had its own.
    assert grown < 100


def test_a_sum_of_terms_that_names_itself_ends(tmp_path):
    published = Published(Sizes())
    network = published.network()
    for module in network.output_modules:
        if type(module).__name__ == "FeatureAdd":
            module.feature_keys = ["everything", "everything"]
    path = published.stubs.save(network, tmp_path / "model.pth")
    began = time.process_time()
    with pytest.raises(ValueError, match=r"cannot be converted|unknown layout"):
        read_checkpoint(path)
    assert time.process_time() - began < 2


@pytest.mark.parametrize("name", ["embedding_weights", "weights", "hidden"])
def test_settings_that_describe_more_than_the_file_has_are_refused(tmp_path, name):
    published = Published(Sizes())
    network = published.network()
    if name == "embedding_weights":
        for kind in ("sender", "receiver"):
            embedding = getattr(network.representation, f"node_embedding_{kind}")
            embedding.embedding_weights = torch.nn.Parameter(torch.ones(3, 20_000))
    elif name == "weights":
        # One invariant of the many of these degrees, and a layer as wide as the file allows.
        network.representation.symmetrizer.vec_dict_allnu = {}
        wide = torch.nn.Linear(published.sizes.n_mixed * published.sizes.n_emb**2, 20_000)
        published.energy.outnet[0].linear = wide
    else:
        published.energy.outnet[0].linear = torch.nn.Linear(5, 10**6)
    path = published.stubs.save(network, tmp_path / "model.pth")
    before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    with pytest.raises(ValueError, match=r"cannot be converted|unknown layout"):
        read_checkpoint(path)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert time.process_time() - began < 2
    assert grown < 200 + path.stat().st_size / 1e6


@pytest.fixture
def model_path(tmp_path) -> Path:
    from ase_les.model import LESModel, ModelConfig, ShortRangeConfig
    from ase_les.model_io import save_model
    from ase_les.representation import CaceConfig

    representation = CaceConfig(cutoff=3.0, n_radial=3, n_mixed=2, n_embedding=2, l_max=2)
    config = ModelConfig({"H": -13.6, "O": -432.1}, representation, ShortRangeConfig((4,)))
    path = tmp_path / "model.safetensors"
    save_model(path, LESModel(config, seed=1), {"summary": "a test"})
    return path


def with_entry(path: Path, **entries: str) -> Path:
    from safetensors import safe_open

    with safe_open(path, "pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        metadata = {**file.metadata(), **entries}
    metadata.pop("sha256", None)
    save_file(tensors, path, metadata)
    return path


def config_with(path: Path, section: str, **settings: object) -> str:
    config = read_header(path).config
    config[section].update(settings)
    return json.dumps(config)


@pytest.mark.parametrize(
    ("section", "settings", "told"),
    [
        ("short_range", {"hidden": [10_000, 10_000]}, "larger than its weights"),
        ("representation", {"n_embedding": 5000}, "larger than its weights"),
        ("representation", {"n_radial": 10**5}, "`representation.n_radial`: given 100000"),
        ("short_range", {"bias": "no"}, "`short_range.bias`: given 'no', needed: true or false"),
        (
            "representation",
            {"n_radial": 3.0},
            r"`representation.n_radial`: given 3.0, needed: whole",
        ),
        ("representation", {"cutoff": 1e9}, "`representation.cutoff`: given 1000000000.0"),
        ("short_range", {"scale": 1e308}, "`short_range.scale`: given"),
        ("short_range", {"hidden": [4] * 1000}, "`short_range.hidden`: given"),
    ],
)
def test_a_config_is_checked_before_its_model_is_built(model_path, section, settings, told):
    path = with_entry(model_path, config=config_with(model_path, section, **settings))
    before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    with pytest.raises(ValueError, match=told) as caught:
        read_model(path)
    assert time.process_time() - began < 2
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024 < 200
    assert str(path) in str(caught.value)


def test_deeply_nested_headers_are_refused(model_path):
    for depth in (60, 100_000):
        text = '{"a":' * depth + "1" + "}" * depth
        with pytest.raises(ValueError, match="needs a JSON object as header entry 'card'"):
            read_model(with_entry(model_path, card=text))


def test_a_flipped_bit_in_the_weights_is_noticed(model_path):
    content = bytearray(model_path.read_bytes())
    # The last mantissa bit of a weight: the number stays plausible.
    content[-8] ^= 1
    model_path.write_bytes(content)
    with pytest.raises(ValueError, match="damaged: config or weights differ from the hash"):
        read_model(model_path)


def test_the_hash_on_the_card_of_earlier_files_is_compared(model_path):
    with_entry(model_path, card=json.dumps({"hash": "0123456789abcdef"}))
    with pytest.raises(ValueError, match="0123456789abcdef"):
        read_model(model_path)


def test_escape_sequences_of_a_card_do_not_reach_the_terminal(model_path):
    card = {"summary": "\x1b[2Jgone\x07\u202e", "data": {"\x1b]0;title\x07": "x\x9b31m"}}
    found = read_header(with_entry(model_path, card=json.dumps(card))).card
    text = json.dumps(found, ensure_ascii=False)
    assert "gone" in text and "title" in text
    assert not any(each in text for each in ("\x1b", "\x07", "\x9b", "\u202e", "\\u001b"))


@pytest.mark.parametrize("kind", ["safetensors", "cace", "mace", "dynamics", "training", "labels"])
@pytest.mark.slow
def test_mutated_files_run_nothing_and_end_in_clear_errors(kind, monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
    import fuzzing

    found = fuzzing.fuzz(kind, count=60, seed=2)
    assert found["mutants"] == 60
    assert found["faults"] == {}
    assert found["outcomes"]["refused"] > 30
    assert "ase_les" in sys.modules

"""A model survives its file, and nothing else passes for a model."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from ase import Atoms
from safetensors import safe_open
from safetensors.torch import save_file

from ase_les import LESModel, ModelConfig, list_models, load_model, model_hash, model_io, save_model
from ase_les.charges import ChargesConfig
from ase_les.committee_io import save_committee
from ase_les.graph import graph_from_atoms
from ase_les.model import LongRangeConfig, ShortRangeConfig
from ase_les.model_io import read_header, read_model
from ase_les.neighbors import NeighborList
from ase_les.representation import CaceConfig, MaceConfig
from ase_les.weight_names import name_in_files

ROOT = Path(model_io.__file__).parents[1]
SMALL = CaceConfig(cutoff=3.0, n_radial=3, n_mixed=2, n_embedding=2, l_max=2)
CARD = {"summary": "a test", "data": {"license": "CC BY 4.0"}, "test_errors": {"meV": 1.5}}
WATER = Atoms("OH2", [(0, 0, 0), (0.96, 0, 0), (-0.24, 0.93, 0)])


def make_model(seed=1, energies=(("H", -13.6), ("O", -432.1)), **settings) -> LESModel:
    settings = {"short_range": ShortRangeConfig(hidden=(4,)), **settings}
    return LESModel(ModelConfig(dict(energies), SMALL, **settings), seed=seed)


def energy(model: LESModel) -> float:
    graph = graph_from_atoms(WATER, NeighborList(model.config.cutoff))
    return model(graph).energy.item()


@pytest.fixture
def model() -> LESModel:
    return make_model()


@pytest.fixture
def path(model, tmp_path) -> Path:
    path = tmp_path / "model.safetensors"
    save_model(path, model, CARD)
    return path


def rewritten(path: Path, change) -> Path:
    """The file again after `change(tensors, metadata)`."""
    with safe_open(path, framework="pt") as file:
        metadata = dict(file.metadata())
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    change(tensors, metadata)
    save_file(tensors, path, metadata=metadata)
    return path


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"long_range": None},
        {"total_charges": (0, 1)},
        {"long_range": LongRangeConfig(ChargesConfig(hidden=(4,)), representation=SMALL)},
    ],
    ids=["long range", "short range", "charge states", "own representation"],
)
def test_a_loaded_model_is_the_saved_one(tmp_path, settings, dtype):
    saved = make_model(**settings).to(dtype)
    save_model(tmp_path / "m.safetensors", saved, CARD)
    loaded = read_model(tmp_path / "m.safetensors")
    assert loaded.config == saved.config
    assert loaded.precision == dtype
    assert loaded.card == CARD
    assert energy(loaded) == energy(saved)


def test_a_model_reads_the_same_whatever_the_default_precision_of_torch(path):
    expected = energy(load_model(path))
    torch.set_default_dtype(torch.float64)
    try:
        loaded = load_model(path)
    finally:
        torch.set_default_dtype(torch.float32)
    assert loaded.precision == torch.float32
    assert energy(loaded) == expected


def test_the_order_of_elements_survives_the_file(tmp_path):
    saved = make_model(energies=(("O", -432.1), ("H", -13.6)))
    save_model(tmp_path / "m.safetensors", saved)
    assert list(load_model(tmp_path / "m.safetensors").config.atomic_energies) == ["O", "H"]


def test_the_file_holds_what_was_trained_and_no_tables(path, model):
    tables = {name for name, _ in model.named_buffers()} - set(model.state_dict())
    with safe_open(path, framework="pt") as file:
        names = set(file.keys())
    assert names >= {name_in_files(name) for name, _ in model.named_parameters()}
    assert tables and not names & tables
    assert not [name for name in names if "._" in name]


def test_a_model_keeps_its_card_when_saved_again_and_in_inference(path, tmp_path):
    loaded = load_model(path)
    save_model(tmp_path / "again.safetensors", loaded)
    assert read_header(tmp_path / "again.safetensors").card == CARD
    assert loaded.for_inference().card == CARD


def test_a_failed_save_leaves_the_old_file_and_nothing_else(path, monkeypatch):
    before = path.read_bytes()

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        save_model(path, make_model(seed=2), CARD)
    assert path.read_bytes() == before
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_a_card_that_does_not_fit_into_json_is_refused_before_anything_is_written(tmp_path, model):
    for card in ({"error": float("nan")}, {"tensor": torch.zeros(2)}):
        with pytest.raises(ValueError, match="ready for JSON"):
            save_model(tmp_path / "m.safetensors", model, card)
    assert not list(tmp_path.iterdir())


def test_a_diverged_model_is_not_saved(tmp_path, model):
    model.short_range.readout.linear.weight.data[:] = torch.nan
    with pytest.raises(ValueError, match=r"finite.*short_range\.linear\.weight"):
        save_model(tmp_path / "m.safetensors", model)


@pytest.mark.parametrize("kept", [0, 5, 100, 0.5, 0.999])
def test_a_truncated_file_is_refused(path, kept):
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content)) if kept < 1 else kept])
    with pytest.raises(ValueError, match="damaged"):
        load_model(path)


def test_random_bytes_are_refused(path):
    generator = torch.Generator().manual_seed(1)
    noise = torch.randint(256, (4000,), generator=generator, dtype=torch.uint8)
    path.write_bytes(bytes(noise.tolist()))
    with pytest.raises(ValueError, match="damaged"):
        load_model(path)


class _Trap:
    def __init__(self, mark: Path):
        self.mark = mark

    def __reduce__(self):
        return os.mkdir, (str(self.mark),)


def test_loading_never_executes_a_file(tmp_path):
    mark = tmp_path / "executed"
    (tmp_path / "trap.safetensors").write_bytes(pickle.dumps(_Trap(mark)))
    with pytest.raises(ValueError, match="damaged"):
        load_model(tmp_path / "trap.safetensors")
    assert not mark.exists()


def _drop(tensors, _):
    del tensors["short_range.linear.weight"]


def _add(tensors, _):
    tensors["spy"] = torch.zeros(3)


def _reshape(tensors, _):
    tensors["short_range.linear.weight"] = tensors["short_range.linear.weight"].T.contiguous()


def _mix(tensors, _):
    tensors["short_range.linear.weight"] = tensors["short_range.linear.weight"].double()


def _halve(tensors, _):
    tensors.update({name: tensor.half() for name, tensor in tensors.items()})


def _spoil(tensors, _):
    tensors["short_range.linear.weight"][0, 0] = torch.inf


def _entry(name, value):
    def change(_, metadata):
        metadata[name] = value

    return change


def _config(*keys, value):
    def change(_, metadata):
        config = json.loads(metadata["config"])
        inner = config
        for key in keys[:-1]:
            inner = inner[key]
        inner[keys[-1]] = value
        metadata["config"] = json.dumps(config)

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_drop, r"missing \['short_range\.linear\.weight'\]"),
        (_add, r"extra \['spy'\]"),
        (_reshape, "must have shape"),
        (_mix, "all be float32 or all float64"),
        (_halve, "all be float32 or all float64"),
        (_spoil, "must be finite"),
        (_entry("format", "ase_les/2"), "'ase_les/2'.*reads 'ase_les/1'. Update ase_les"),
        (_entry("format", "pt"), "'pt'.*ase-les convert"),
        (_entry("config", "{not json"), "JSON object as header entry 'config'"),
        (_entry("card", "[1, 2]"), "JSON object as header entry 'card'"),
        (_config("from_the_future", value=1), "`from_the_future`: unknown key"),
        (_config("representation", value=None), "config .* does not describe a model"),
        (_config("representation", value=[1]), "config .* does not describe a model"),
        (_config("representation", "cutoff", value="far"), "config .* does not describe a model"),
        (_config("short_range", "hidden", value=[-4]), "config .* does not describe a model"),
        (_config("atomic_energies", value={"Xx": 1.0}), "config .* does not describe a model"),
        (_config("short_range", "hidden", value=[5]), "must have shape"),
    ],
)
def test_a_file_that_is_no_model_of_ours_is_refused(path, change, message):
    rewritten(path, change)
    with pytest.raises(ValueError, match=message):
        load_model(path)


def test_a_safetensors_file_of_another_program_is_refused(path):
    save_file({"weight": torch.zeros(2, 2)}, path)
    with pytest.raises(ValueError, match="no model file of ase_les"):
        load_model(path)


def test_a_missing_model_names_the_shipped_ones(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"'watr'.*shipped models are \["):
        load_model("watr")
    with pytest.raises(FileNotFoundError, match="no model file"):
        load_model(tmp_path)
    with pytest.raises(FileNotFoundError, match="no model file"):
        read_model(tmp_path / "absent.safetensors")


def test_only_safetensors_are_written(tmp_path, model):
    with pytest.raises(ValueError, match=r"ends in \.safetensors"):
        save_model(tmp_path / "model.pth", model)


def test_the_hash_stands_for_config_and_weights_alone(path, model):
    assert model_hash(load_model(path)) == model_hash(model)
    model.card = {"anything": "else"}
    assert model_hash(load_model(path)) == model_hash(model)

    others = [
        make_model(seed=2),
        make_model(energies=(("O", -432.1), ("H", -13.6))),
        make_model(energies=(("H", -13.6), ("O", -432.2))),
        make_model().double(),
    ]
    nudged = make_model()
    nudged.short_range.readout.linear.weight.data[0, 0] += 1e-6
    assert len({model_hash(each) for each in [model, nudged, *others]}) == 6


@pytest.mark.parametrize("kind", ["model", "committee"])
def test_mace_models_with_an_unknown_basis_of_polynomials_are_refused(kind, tmp_path, monkeypatch):
    path = tmp_path / "mace.safetensors"
    config = MaceConfig(3.0, channels=2, l_max=1, n_layers=1)
    members = [LESModel(ModelConfig({"H": 0.0}, config), seed=seed) for seed in (0, 1)]

    def save():
        if kind == "model":
            save_model(path, members[0])
        else:
            save_committee(path, members)

    save()
    load_model(path)
    for module in ("model_io", "committee_io"):
        monkeypatch.setattr(f"ase_les.{module}.basis_of", lambda config: {})
    save()
    monkeypatch.undo()
    with pytest.raises(ValueError, match=r"earlier version[\s\S]*Train it again"):
        load_model(path)


def test_files_with_earlier_names_load_and_keep_their_hash(tmp_path):
    old = model_io.shipped_models()["nacl"]
    with safe_open(old, framework="pt") as file:
        config = file.metadata()["config"]
        weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        card = json.loads(file.metadata()["card"])
    assert "mean_neighbours" in config and "licence" in card
    expected = hashlib.sha256(config.encode())
    for name, weight in sorted(weights.items()):
        expected.update(f"{name} {weight.dtype} {tuple(weight.shape)}".encode())
        expected.update(weight.numpy().tobytes())
    model = load_model(old)
    assert model_hash(model) == expected.hexdigest()[:16]
    assert model.card["license"] == card["licence"] and "licence" not in model.card

    save_model(tmp_path / "new.safetensors", model)
    header = model_io.read_header(tmp_path / "new.safetensors")
    assert "mean_neighbors" in header.config["representation"]
    assert model_hash(load_model(tmp_path / "new.safetensors")) == expected.hexdigest()[:16]


def test_every_shipped_model_loads_and_its_card_is_the_one_beside_it():
    for name, card in list_models().items():
        file = model_io.shipped_models()[name]
        text = file.with_name("card.json").read_text(encoding="utf-8")
        assert json.loads(text) == card
        assert load_model(name).card == card


@pytest.fixture
def checkout(tmp_path, path) -> Path:
    """A source tree with one shipped model, and a folder that looks like one but is none."""
    root = tmp_path / "checkout"
    for name in ("setup.py", "pyproject.toml", "README.rst"):
        root.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, root / name)
    shutil.copytree(
        ROOT / "ase_les", root / "ase_les", ignore=shutil.ignore_patterns("__pycache__")
    )
    (root / "models" / "tiny").mkdir(parents=True)
    shutil.copy(path, root / "models" / "tiny" / "model.safetensors")
    (root / "models" / "tiny" / "card.json").write_text(json.dumps(CARD), encoding="utf-8")
    (root / "models" / "unfinished").mkdir()
    return root


ASK = """
import sys, ase_les, ase_les.ase_plugin
print(ase_les.__file__, ase_les.list_models(), "torch" in sys.modules, ase_les.load_model("tiny"))
"""


def ask(home: Path, elsewhere: Path) -> str:
    answer = subprocess.run(
        [sys.executable, "-c", ASK],
        cwd=elsewhere,
        env={**os.environ, "PYTHONPATH": str(home)},
        capture_output=True,
        text=True,
        check=True,
    )
    return answer.stdout


@pytest.mark.slow
def test_shipped_models_are_found_in_a_checkout_and_in_an_installed_copy(checkout, tmp_path):
    installed = tmp_path / "site-packages"
    subprocess.run(
        [sys.executable, "setup.py", "-q", "build_py", "--build-lib", str(installed)],
        cwd=checkout,
        capture_output=True,
        check=True,
    )
    for home in (checkout, installed):
        answer = ask(home, tmp_path)
        assert answer.startswith(str(home))
        assert "{'tiny': {'summary': 'a test'" in answer
        # Neither the package nor its list of models nor its ASE plug-in may cost a second.
        assert "} False LESModel(" in answer

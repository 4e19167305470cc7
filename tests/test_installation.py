"""What is wrong with an installation is found before it gives wrong numbers."""

from __future__ import annotations

import json
import shutil
from importlib import metadata

import pytest

from ase_les import LESCalculator, cli, load_model, model_io, save_model
from ase_les.installation import examine_installation, is_sound
from ase_les.kernels.library import compiled_kernels
from ase_les.testing import check_calculator


def examined(**asked) -> dict:
    return {each.subject: each for each in examine_installation(**asked)}


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package with 'nacl' alone; its folder may be tampered with."""
    shutil.copytree(model_io.shipped_models()["nacl"].parent, tmp_path / "models" / "nacl")
    monkeypatch.setattr(model_io, "_PACKAGE", tmp_path / "ase_les")
    return tmp_path / "models" / "nacl"


def test_what_is_needed_is_installed_and_shipped_models_are_whole(package):
    found = examined()
    assert is_sound(found.values()), found
    assert {"python", "ase", "torch", "vesin", "phonopy", "model nacl", "speed"} <= set(found)
    assert found["torch"].found == metadata.version("torch")


def test_a_library_out_of_the_tested_range_is_named_with_its_remedy(monkeypatch):
    installed = metadata.version
    monkeypatch.setattr(
        metadata, "version", lambda name: "2.99" if name == "torch" else installed(name)
    )
    found = examined(models=["nacl"])
    assert found["torch"].state == "broken"
    assert "2.99" in found["torch"].found and "<2.14" in found["torch"].remedy
    assert "model nacl" not in found


def test_a_missing_extra_is_no_illness(monkeypatch):
    installed = metadata.version

    def version(name: str) -> str:
        if name == "phonopy":
            raise metadata.PackageNotFoundError(name)
        return installed(name)

    monkeypatch.setattr(metadata, "version", version)
    found = examined(models=["nacl"])
    assert found["phonopy"].state == "absent"
    assert found["phonopy"].remedy == "pip install 'ase_les[phonons]'"
    assert is_sound(found.values())


def test_only_what_a_user_can_need_is_listed():
    found = examined(models=["nacl"])
    assert not {"pytest", "mace-torch", "openmm"} & set(found)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "says"),
    [
        ("nacl", None),
        ("licl-gaf3", "; kernels for messages in float32"),
        ("carbon-chain", "; without kernels, which do not cover CACE message passing"),
    ],
)
@pytest.mark.skipif(compiled_kernels() is None, reason="no compiled kernels")
def test_models_say_what_kernels_cover(model, says):
    subject = f"model {model}"
    found = examined(models=[model])[subject].found
    assert found.endswith(says) if says else "kernels" not in found


def test_a_device_that_torch_cannot_use_is_found():
    found = examined(device="cuda:99", models=["nacl"])
    assert found["device cuda:99"].state == "broken"
    assert not is_sound(found.values())


def test_weights_that_are_not_those_of_the_card_are_found(package):
    path = package / "model.safetensors"
    model = load_model(path)
    next(model.parameters()).data[0] += 1e-6
    save_model(path, model)
    assert examined()["model nacl"].state == "broken"


def test_a_damaged_file_is_found_and_the_others_are_examined(package):
    whole, damaged = package, package.with_name("damaged")
    shutil.copytree(whole, damaged)
    path = damaged / "model.safetensors"
    path.write_bytes(path.read_bytes()[:5000])
    found = examined()
    assert found["model damaged"].state == "broken"
    assert found["model nacl"].state == "fine"


@pytest.mark.parametrize("n_channels", [1, 2])
def test_a_calculator_says_what_the_plain_definition_says(n_channels, random_model):
    model = random_model(charges={"n_channels": n_channels})
    laws = {finding.law for finding in check_calculator(model).findings}
    assert laws == {"float64 on cpu", "float32 on cpu"}


@pytest.mark.parametrize("quantity", ["energy", "forces", "stress", "charges"])
def test_a_machine_that_computes_wrong_is_found(monkeypatch, random_model, quantity):
    class Wrong(LESCalculator):
        def calculate(self, *asked):
            super().calculate(*asked)
            if quantity in self.results:
                self.results[quantity] = self.results[quantity] + 1e-7

    monkeypatch.setattr("ase_les.testing.contract.LESCalculator", Wrong)
    with pytest.raises(AssertionError, match=f"float64 on cpu: {quantity}"):
        check_calculator(random_model())
    assert examined(models=["nacl"])["model nacl"].state == "broken"


def test_a_device_that_fails_in_the_middle_is_found(monkeypatch):
    class Failing(LESCalculator):
        def calculate(self, *asked):
            raise RuntimeError("no kernel image is available for execution on the device")

    monkeypatch.setattr("ase_les.testing.contract.LESCalculator", Failing)
    found = examined(models=["nacl"])
    assert found["model nacl"].state == "broken"
    assert "no kernel image" in found["model nacl"].found
    assert "speed" not in found


def doctor(capsys, *options: str) -> tuple[int, str]:
    with pytest.raises(SystemExit) as ended:
        cli.main(["doctor", *options])
    return ended.value.code, capsys.readouterr().out


def test_the_verb_tells_people_and_machines(package, capsys):
    code, said = doctor(capsys)
    assert code == 0 and "model nacl" in said
    code, said = doctor(capsys, "--json")
    states = {each["subject"]: each["state"] for each in json.loads(said)["examined"]}
    assert code == 0 and states["model nacl"] == "fine"


def test_the_verb_fails_where_anything_is_broken_and_says_only_that_when_quiet(capsys):
    code, said = doctor(capsys, "--device", "cuda:99", "--quiet")
    assert code == 1
    assert "device cuda:99" in said and "matplotlib" not in said
    assert doctor(capsys, "--model", "nacl", "--quiet") == (0, "")

"""Settings from files."""

from __future__ import annotations

import pytest

from ase_les.configuration import read_yaml


@pytest.fixture
def settings(tmp_path):
    def read(text: str) -> object:
        (tmp_path / "settings.yml").write_text(text)
        return read_yaml(tmp_path / "settings.yml")

    return read


@pytest.mark.parametrize("spelled", ["1e-4", "1.0e-4", "1.e-4", "1E-4", ".1e-3", "+1e-4", "0.0001"])
def test_a_number_is_a_number_however_it_is_spelled(settings, spelled):
    # YAML 1.1 as PyYAML reads it takes the first for a word, which engines then choke on.
    assert settings(f"density: {spelled}") == {"density": 1e-4}


@pytest.mark.parametrize("word", ["1e-4x", "e4", "1e", "10", "1.0.e4"])
def test_what_only_resembles_one_is_left_alone(settings, word):
    assert str(settings(f"name: {word}")["name"]) == word


def test_what_is_not_yaml_is_told_with_its_file(settings):
    with pytest.raises(ValueError, match=r"settings\.yml' is not valid YAML"):
        settings("a: [1")

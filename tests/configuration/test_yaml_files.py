"""What YAML means in this package, and where its entries stand."""

from __future__ import annotations

import math

import pytest

from ase_les.configuration.yaml_files import line_of, read_yaml


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


@pytest.mark.parametrize(
    "word",
    # Numbers in other bases, of sixty and dates are those of YAML 1.1.
    ["1e-4x", "e4", "1e", "1.0.e4", "No", "Na", "N", "Y", "y", "010", "0x1F", "1:20", "2024-01-01"],
)
def test_a_word_stays_a_word(settings, word):
    assert settings(f"name: {word}") == {"name": word}
    assert settings(f"{word}: 0.5") == {word: 0.5}


@pytest.mark.parametrize(
    ("spelled", "value"),
    [
        *(("12", 12), ("-3", -3), ("+0", 0), ("1_000", 1000), (".5", 0.5), ("1.", 1.0)),
        *((".inf", math.inf), ("~", None), ("null", None), ("", None), ("'12'", "12")),
        *(("no", False), ("off", False), ("true", True), ("True", True), ("yes", True)),
    ],
)
def test_other_values(settings, spelled, value):
    found = settings(f"value: {spelled}")["value"]
    assert found == value and type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [1", "expected ',' or"),
        ("a: 1\nb: 2\na: 3", "`a` occurs twice, in lines 1 and 3"),
        ("m:\n  x: {a: 1, a: 1}", "`a` occurs twice"),
        ("a: !!python/object:os.system x", "could not determine a constructor"),
        ("a: !!timestamp 2024-01-01", "could not determine a constructor"),
        ("[" * 3000, "nested too deeply"),
        ("a: &x [*x]", "expand to more than"),
        ("a: 1\n---\nb: 1", "single document"),
        ("{[1]: 2}", "unhashable"),
    ],
)
def test_what_is_not_yaml_is_told_with_its_file(settings, text, message):
    with pytest.raises(ValueError, match=r"settings\.yml' is not valid YAML") as caught:
        settings(text)
    assert message in str(caught.value)


def test_aliases_that_expand_without_bound(settings):
    lines = ["a0: &a0 [x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 30)]
    with pytest.raises(ValueError, match="expand to more than"):
        settings("\n".join(lines))


def test_merged_mappings_may_replace_entries(settings):
    found = settings("base: &base {a: 1, b: 2}\nother: {<<: *base, b: 3}")
    assert found["other"] == {"a": 1, "b": 3}


def test_bytes_that_are_no_text(tmp_path):
    (tmp_path / "a.yml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match="not UTF-8 text"):
        read_yaml(tmp_path / "a.yml")
    with pytest.raises(FileNotFoundError, match=r"b\.yml"):
        read_yaml(tmp_path / "b.yml")


def test_line_of_an_entry(tmp_path):
    path = tmp_path / "a.yml"
    path.write_text("data:\n  files: [a, b]\nmoves:\n  - kind: x\n  - kind: y\n    size: 2\n")
    assert line_of(path, ["moves", 1, "size"]) == 6
    assert line_of(path, ["moves", 1]) == 5
    # What is missing stands in the mapping around it.
    assert line_of(path, ["data", "labels"]) == 1
    assert line_of(path, ["fit"]) is None

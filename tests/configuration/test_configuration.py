"""Configurations: kinds, ranges, unions, and messages."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from dataclasses import FrozenInstanceError, asdict, field, replace
from typing import Annotated, Literal

import numpy as np
import pytest

from ase_les.configuration import (
    ByKind,
    Element,
    File,
    Gt,
    Interval,
    MinLen,
    Pair,
    Positive,
    Unit,
    configuration,
    from_mapping,
    read_configuration,
)


@configuration
class Box:
    length: Annotated[float, Gt(0), Unit("Å")]
    counts: tuple[int, ...] = ()
    degree: Annotated[int, Interval(ge=0, le=4)] = 2
    periodic: bool = True

    def __post_init__(self) -> None:
        if self.length > 100:
            raise ValueError(f"`length` is larger than the moon, {self.length}")


@configuration
class Ball:
    radius: Positive
    kind: Literal["ball"] = "ball"


@configuration
class Scene:
    shape: Annotated[Box | Ball, ByKind()]
    charges: Mapping[Element, float] = field(default_factory=dict)
    files: File | Annotated[tuple[File, ...], MinLen(1)] = "a.xyz"
    shift: float | tuple[float, float, float] = 0.1
    inner: Ball | None = None
    shapes: tuple[Annotated[Box | Ball, ByKind()], ...] = ()
    held: tuple[Element, ...] = ()
    word: Literal["one", "two"] = "one"
    pairs: Mapping[Pair, tuple[float, float]] = field(default_factory=dict)


BOX = {"length": 1}


def test_a_valid_mapping():
    found = from_mapping(
        Scene,
        {
            "shape": {"kind": "ball", "radius": 2},
            "charges": {"Na": 1, "No": -0.5},
            "files": ["a", "~/b"],
            "shift": [1, 2.0, 3],
            "inner": {"radius": 1e-3},
            "shapes": [BOX, {"kind": "ball", "radius": 1}],
            "held": ["Na"],
            "pairs": {"Na-Cl": [1, 2]},
        },
    )
    assert found.shape == Ball(2.0)
    assert isinstance(found.shape.radius, float)
    assert found.charges == {"Na": 1.0, "No": -0.5}
    assert found.files[0] == "a"
    assert not found.files[1].startswith("~")
    assert found.shift == (1.0, 2.0, 3.0)
    assert found.shapes == (Box(1.0), Ball(1.0))
    assert from_mapping(Scene, asdict(found)) == found


@pytest.mark.parametrize(
    ("given", "place"),
    [
        ({"shape": {"length": "1"}}, "shape.length"),
        ({"shape": {"length": True}}, "shape.length"),
        ({"shape": {"length": float("nan")}}, "shape.length"),
        ({"shape": {"length": 1, "degree": 1.0}}, "shape.degree"),
        ({"shape": {"length": 1, "degree": "1"}}, "shape.degree"),
        ({"shape": {"length": 1, "degree": False}}, "shape.degree"),
        ({"shape": {"length": 1, "degree": 5}}, "shape.degree"),
        ({"shape": {"length": 1, "periodic": "no"}}, "shape.periodic"),
        ({"shape": {"length": 1, "periodic": 1}}, "shape.periodic"),
        ({"shape": {"length": 1, "counts": "12"}}, "shape.counts"),
        ({"shape": {"length": 1, "counts": [1, "2"]}}, "shape.counts[1]"),
        ({"shape": {"length": 1, "kind": []}}, "shape"),
        ({"shape": None}, "shape"),
        ({"shape": [1]}, "shape"),
        ({"charges": {"Xx": 1}}, "charges.Xx"),
        ({"charges": {False: 1}}, "charges"),
        ({"charges": {"Na": "1"}}, "charges.Na"),
        ({"charges": ["Na"]}, "charges"),
        ({"files": 3}, "files"),
        ({"files": []}, "files"),
        ({"files": ["a", 3]}, "files[1]"),
        ({"files": [""]}, "files[0]"),
        ({"shift": [1, 2]}, "shift[2]"),
        ({"shift": "1"}, "shift"),
        ({"inner": {}}, "inner.radius"),
        ({"shapes": [{"kind": "ball"}]}, "shapes[0].radius"),
        ({"shapes": {}}, "shapes"),
        ({"held": "Na"}, "held"),
        ({"held": ["Na", "na"]}, "held[1]"),
        ({"word": "three"}, "word"),
        ({"word": None}, "word"),
        ({"pairs": {"NaCl": [1, 2]}}, "pairs.NaCl"),
        ({"pairs": {"Na-Cl": [1]}}, "pairs.Na-Cl[1]"),
    ],
)
def test_the_wrong_kind_is_an_error_that_names_the_key(given, place):
    with pytest.raises(ValueError, match=r"^Scene: `") as caught:
        from_mapping(Scene, {"shape": BOX, **given})
    told = str(caught.value)
    assert told.startswith(f"Scene: `{place}"), told
    assert "pydantic" not in told and "\n" not in told


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"shape": {"length": 1, "degre": 3}},
            "`shape.degre`: unknown key (did you mean `degree`?); "
            "known are length, counts, degree, periodic",
        ),
        ({"shape": {"length": -1}}, "`shape.length`: given -1, needed: number > 0 in Å"),
        (
            {"shape": {"length": 1, "degree": 7}},
            "`shape.degree`: given 7, needed: whole number ≥ 0 and ≤ 4",
        ),
        ({"held": "Na"}, "`held`: given 'Na', needed: list, each: element symbol"),
        ({"inner": {}}, "`inner.radius`: missing; needed: number > 0"),
        (
            {"shape": {"kind": "bal"}},
            "`shape`: unknown kind 'bal' (did you mean `ball`?); known are ball",
        ),
        ({"shape": {"length": 200}}, "`shape`: `length` is larger than the moon, 200.0"),
        ({"word": "three"}, "`word`: given 'three', needed: one of one, two"),
    ],
)
def test_messages(given, message):
    with pytest.raises(ValueError, match=r"^Scene") as caught:
        from_mapping(Scene, {"shape": BOX, **given})
    assert str(caught.value) == f"Scene: {message}"


def test_all_errors_of_a_file_with_their_lines(tmp_path):
    path = tmp_path / "scene.yml"
    path.write_text("shape:\n  length: -1\n  degre: 3\nheld: Na\n")
    with pytest.raises(ValueError, match="has 3 errors") as caught:
        read_configuration(Scene, path)
    head, *lines = str(caught.value).splitlines()
    assert head == f"{path} has 3 errors:"
    assert sorted(line.split(": ")[0].strip() for line in lines) == [
        "`held` (line 4)",
        "`shape.degre` (line 3)",
        "`shape.length` (line 2)",
    ]


def test_an_empty_file_lacks_what_is_required(tmp_path):
    (tmp_path / "a.yml").write_text("")
    with pytest.raises(ValueError, match=r"`shape`: missing"):
        read_configuration(Scene, tmp_path / "a.yml")
    (tmp_path / "a.yml").write_text("- 1\n")
    with pytest.raises(ValueError, match=r"given \[1\], needed: mapping of settings"):
        read_configuration(Scene, tmp_path / "a.yml")


def test_a_message_is_short():
    with pytest.raises(ValueError, match="length") as caught:
        from_mapping(Box, {"length": "x" * 10**6})
    assert len(str(caught.value)) < 200


def test_built_in_python():
    box = Box(np.float32(2), np.array([1, 2]), degree=np.int64(3))
    assert box == Box(2.0, (1, 2), 3)
    assert type(box.length) is float and type(box.degree) is int
    assert replace(box, degree=1).degree == 1
    assert pickle.loads(pickle.dumps(box)) == box
    with pytest.raises(FrozenInstanceError):
        box.length = 3.0
    for build in (
        lambda: Box(-1.0),
        lambda: Box(length="2"),
        lambda: replace(box, length=0),
    ):
        with pytest.raises(ValueError, match=r"^Box: `length`: given .* needed: number > 0 in Å$"):
            build()
    with pytest.raises(ValueError, match="Box: `width`: unknown key"):
        Box(1.0, width=2)

"""Values of the wrong kind for every key: refused with the name of the key, or documented."""

from __future__ import annotations

import random

import pytest

from ase_les.configuration import configuration
from benchmarks.wrong_configurations import VALUES, configurations, outcomes, random_value


def test_every_key_refuses_what_its_documentation_does_not_allow():
    found = list(outcomes())
    assert len({(each.configuration, each.key) for each in found}) > 200
    assert [each for each in found if each.fault] == []
    # Of what is allowed, only settings that contradict others are refused.
    allowed = [each for each in found if each.is_allowed]
    assert sum(each.told is not None for each in allowed) < 0.05 * len(allowed)


def test_nested_values_at_random():
    source = random.Random(1)
    values = tuple(random_value(source) for _ in range(8))
    assert [each for each in outcomes(values) if each.fault] == []


@pytest.mark.parametrize("wrong", VALUES[:12])
def test_an_accepted_value_of_the_wrong_kind_is_found(wrong, monkeypatch):
    """The check above fails if one key converts what it is given."""
    from benchmarks import wrong_configurations

    class Loose:
        name: str = ""

    Loose.__annotations__ = {"name": str}
    loose = configuration(Loose)
    monkeypatch.setattr(wrong_configurations, "configurations", lambda: [loose])
    monkeypatch.setattr(wrong_configurations, "from_mapping", lambda cls, given: given)
    (found,) = outcomes((wrong,))
    assert found.fault == "accepted"


def test_there_are_many_configurations():
    names = {cls.__name__ for cls in configurations()}
    assert {"TrainingConfig", "CaceConfig", "GaugeSettings", "Dynamics", "LJSettings"} <= names

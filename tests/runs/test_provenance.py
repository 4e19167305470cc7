"""Description of what gave a result."""

from ase.build import molecule
from ase.calculators.lj import LennardJones

from ase_les.runs.provenance import describe_calculator, differences, fingerprint


def test_a_calculator_is_described_by_the_settings_that_decide_its_results():
    def described(**settings):
        return describe_calculator(LennardJones(sigma=3.4, **settings))

    assert described()["settings"]["sigma"] == 3.4
    told = differences(described(epsilon=1.0), described(epsilon=4.0))
    assert told == ["epsilon is 1.0, given 4.0"]
    # Not where it works and what it prints, nor what has no plain form but an address.
    assert described(device="cpu", txt="a.log") == described(device="cuda", txt=None)
    assert described(observer=object()) == described(observer=object())


def test_a_fingerprint_tells_structures_charges_and_spins_apart():
    water, other = molecule("H2O"), molecule("H2O")
    assert fingerprint(water) == fingerprint(other)
    assert fingerprint(water, other) != fingerprint(water)
    other.info["charge"] = 0.0
    assert fingerprint(water) == fingerprint(other)
    known = {fingerprint(water)}
    for key, value in (("charge", 1), ("spin", 3)):
        other.info[key] = value
        known.add(fingerprint(other))
    other.positions[0, 0] += 1e-12
    known.add(fingerprint(other))
    assert len(known) == 4

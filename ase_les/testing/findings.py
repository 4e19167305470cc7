"""Measured deviations, their tolerances, and comparison of results."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

UNITS = {"energy": "eV", "forces": "eV/Å", "stress": "eV/Å³", "charges": "e"}


class Finding(NamedTuple):
    """Deviation from a law and its tolerance, in ``unit``."""

    law: str
    quantity: str
    deviation: float
    tolerance: float
    unit: str


class Report(NamedTuple):
    """All findings about a model; ``print`` shows them as a table."""

    findings: tuple[Finding, ...]

    def __str__(self) -> str:
        width = max(len(finding.law) for finding in self.findings)
        lines = [f"{'law':{width}}  {'quantity':8}  {'deviation':>9}  {'allowed':>9}  unit"]
        for law, quantity, deviation, tolerance, unit in self.findings:
            lines.append(f"{law:{width}}  {quantity:8}  {deviation:9.1e}  {tolerance:9.1e}  {unit}")
        return "\n".join(lines)

    def deviation(self, law: str, quantity: str) -> float:
        """Return the deviation found for a law and a quantity."""
        return next(f.deviation for f in self.findings if f[:2] == (law, quantity))


class Answer(NamedTuple):
    """Results of a model for one structure."""

    energy: Tensor
    forces: Tensor
    stress: Tensor | None
    charges: Tensor | None


def compare(law: str, got: Answer, expected: Answer, tolerances: dict[str, float]) -> list[Finding]:
    """Return the deviations of two results; raise AssertionError beyond a tolerance."""
    stiffness = max(1.0, float(expected.forces.abs().max()))
    findings = []
    for quantity, tolerance in tolerances.items():
        is_, should_be = getattr(got, quantity), getattr(expected, quantity)
        if should_be is None or not should_be.numel():
            continue
        deviation = float((is_ - should_be).abs().max())
        allowed = tolerance * stiffness
        # This form of the comparison fails for NaN.
        if not deviation <= allowed:
            raise AssertionError(
                f"{law}: {quantity} deviates by {deviation:.2e} {UNITS[quantity]}, "
                f"allowed is {allowed:.1e} {UNITS[quantity]}"
            )
        findings.append(Finding(law, quantity, deviation, allowed, UNITS[quantity]))
    return findings


def worst_of(findings: list[Finding]) -> list[Finding]:
    """Return, for every law and quantity, the finding nearest to its tolerance."""
    worst: dict[tuple[str, str], Finding] = {}
    for finding in findings:
        key = finding.law, finding.quantity
        other = worst.get(key, finding)
        if finding.deviation * other.tolerance >= other.deviation * finding.tolerance:
            worst[key] = finding
    return list(worst.values())

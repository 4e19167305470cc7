"""Checks that every model and calculator must pass; see `ase_les.testing.contract`."""

from ase_les.testing.contract import CHECKS, check_calculator, check_model
from ase_les.testing.findings import Finding, Report
from ase_les.testing.structures import example_structures

__all__ = [
    "CHECKS",
    "Finding",
    "Report",
    "check_calculator",
    "check_model",
    "example_structures",
]

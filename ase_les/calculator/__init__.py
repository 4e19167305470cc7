"""ASE calculator of LES models; the only package that uses both torch and ASE calculators."""

from ase_les.calculator.les_calculator import LESCalculator

__all__ = ["LESCalculator"]

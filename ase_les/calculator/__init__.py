"""ASE calculator of LES models: the only package that knows both torch and ASE calculators."""

from ase_les.calculator.les_calculator import LESCalculator

__all__ = ["LESCalculator"]

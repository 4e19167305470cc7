"""Plug-in of ASE (entry point group ``ase.plugins``); imports neither torch nor a model."""

from __future__ import annotations

CITATION = (
    "B. Cheng, Latent Ewald summation for machine learning of long-range interactions, "
    "npj Computational Materials 11, 80 (2025)"
)

try:
    from ase._4.plugins.plugin import CalculatorPlugin
except ImportError:  # ASE before its plug-in system
    __ase_plugins__ = set()
else:
    __ase_plugins__ = {
        CalculatorPlugin(
            "les", citation=CITATION, implementation="ase_les.calculator.LESCalculator"
        )
    }

"""Draw the figures of the explanation pages: ``python docs/figures/make.py``."""

from pathlib import Path

import numpy as np
from scipy.special import erf

from ase_les.reports.figures import new_figure
from ase_les.units import COULOMB_CONSTANT

HERE = Path(__file__).parent


def smeared_coulomb() -> None:
    """Energy of two unit charges with Gaussian width, and of points."""
    distance = np.linspace(0.05, 8.0, 400)
    with new_figure(HERE / "smeared_coulomb.png", 5.0, 3.4) as figure:
        axis = figure.subplots()
        for sigma in (1.0, 1.5):
            energy = COULOMB_CONSTANT * erf(distance / (2**0.5 * sigma)) / distance
            axis.plot(distance, energy, label=f"σ = {sigma} Å")
        axis.plot(distance, COULOMB_CONSTANT / distance, "--", color="0.4", label="points")
        axis.set_ylim(0, 20)
        axis.set_xlim(0, 8)
        axis.set_xlabel("distance / Å")
        axis.set_ylabel("energy / eV")
        axis.legend()


def sine_distance() -> None:
    """The distance (L/2π) sin(2π d/L) of the published formula against d."""
    distance = np.linspace(0.0, 5.0, 200)
    with new_figure(HERE / "sine_distance.png", 5.0, 3.4) as figure:
        axis = figure.subplots()
        axis.plot(distance, distance, "--", color="0.4", label="edge vectors")
        for length in (25.0, 12.43, 10.0):
            short = length / (2 * np.pi) * np.sin(2 * np.pi * distance / length)
            axis.plot(distance, short, label=f"cell of {length:g} Å")
        axis.set_xlim(0, 5)
        axis.set_ylim(0, 5)
        axis.set_xlabel("distance along the edge d / Å")
        axis.set_ylabel("distance in the formula / Å")
        axis.legend()


if __name__ == "__main__":
    smeared_coulomb()
    sine_distance()

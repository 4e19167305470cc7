"""Reports on harmonic spectra contain the numbers of the results."""

from __future__ import annotations

import numpy as np
import pytest

from ase_les.properties.infrared_harmonic import HarmonicInfrared
from ase_les.reports import infrared as report


@pytest.fixture
def result():
    return HarmonicInfrared(
        wavenumbers_per_cm=np.array([-120.04, 1595.26]),
        intensities_km_per_mol=np.array([3.0, 71.237]),
        dipole_derivatives=np.zeros((2, 3)),
        modes=np.zeros((2, 2, 3)),
        zero_point_energy_eV=0.0989,
        residual_force_eV_per_A=0.001,
        method="displacement",
        components="normal",
        displacement_A=0.005,
        width_per_cm=12.0,
        atoms=(0, 1),
        structure={"formula": "CO"},
        calculator={},
        notes=("1 imaginary modes",),
    )


def test_tables_and_notes_are_shown(result, capsys):
    report.show(result)
    shown = " ".join(capsys.readouterr().err.split())
    assert "120.0i" in shown and "1595.3" in shown and "71.24" in shown
    assert "intensity along the normal" in shown
    assert "Note: 1 imaginary modes" in shown
    report.show(result, quiet=True)
    assert capsys.readouterr().err == ""


def test_figure_is_written(result, tmp_path):
    report.write(result, tmp_path / "co-0.5")
    assert (tmp_path / "co-0.5-infrared.png").stat().st_size > 3000

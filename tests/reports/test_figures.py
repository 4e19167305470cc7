"""Figures that need no display and leave no trace."""

import os
import subprocess
import sys

import numpy as np
import pytest
from matplotlib import rcParams

from ase_les.reports.figures import Panel, figure_format, save_figure


def test_figure_is_drawn_without_a_display_and_without_pyplot(tmp_path):
    script = """
import sys
import numpy as np
from ase_les.reports.figures import Panel, save_figure
x = np.arange(5.0)
save_figure("a.png", x, "time / ps", [Panel("T / K", {"T": x}), Panel("none", {"n": x * np.nan})])
assert "matplotlib.pyplot" not in sys.modules
assert "torch" not in sys.modules
"""
    environment = {
        name: value for name, value in os.environ.items() if name not in ("DISPLAY", "MPLBACKEND")
    }
    environment["PYTHONPATH"] = os.pathsep.join(sys.path)
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, env=environment, check=True)
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_axes_carry_their_units_and_empty_panels_are_left_out(tmp_path, monkeypatch):
    from matplotlib.figure import Figure

    seen = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, *_, **__: seen.append(figure))
    x = np.arange(4.0)
    panels = [
        Panel("energy (eV)", {"potential": x, "total": 2 * x}),
        Panel("stress (eV/Å³)", {"stress": np.full(4, np.nan)}),
        Panel("force (eV/Å)", {"force": x + 1}, logarithmic=True),
    ]
    save_figure(tmp_path / "a.png", x, "step", panels)
    (figure,) = seen
    assert [axis.get_ylabel() for axis in figure.axes] == ["energy (eV)", "force (eV/Å)"]
    assert figure.axes[-1].get_xlabel() == "step"
    assert np.array_equal(figure.axes[0].lines[1].get_ydata(), 2 * x)
    assert figure.axes[1].get_yscale() == "log"


def test_figures_are_vectors_if_asked_for_and_settings_of_matplotlib_stay(tmp_path):
    x = np.arange(4.0)
    before = dict(rcParams)
    with figure_format("pdf"):
        save_figure(tmp_path / "run-0.5.png", x, "step", [Panel("energy / eV", {"E": x})])
    save_figure(tmp_path / "own.svg", x, "step", [Panel("energy / eV", {"E": x})])
    assert dict(rcParams) == before
    assert (tmp_path / "run-0.5.pdf").read_bytes().startswith(b"%PDF")
    assert "energy / eV" in (tmp_path / "own.svg").read_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["own.svg", "run-0.5.pdf"]
    with pytest.raises(ValueError, match="png, pdf, svg"), figure_format("bmp"):
        pass


def test_a_relaxation_is_shown_as_a_structure_unless_it_is_large(tmp_path, monkeypatch):
    from ase.build import bulk
    from ase.calculators.emt import EMT

    from ase_les.reports import relaxation
    from ase_les.simulation import relax

    atoms = bulk("Cu", cubic=True)
    atoms.positions[0, 0] += 0.1
    atoms.calc = EMT()
    result = relax(atoms, output=tmp_path / "cu", fmax=0.02)
    assert result.max_displacement_A == result.displacements_A.max() > 0.05
    relaxation.write(result)
    picture = tmp_path / "cu-structure.png"
    assert picture.read_bytes().startswith(b"\x89PNG")
    picture.unlink()
    monkeypatch.setattr(relaxation, "LARGEST_PICTURE", 3)
    relaxation.write(result)
    assert not picture.exists()

"""Figures that need no display and leave no trace."""

import os
import subprocess
import sys

import numpy as np

from ase_les.reports.figures import Panel, save_figure


def test_figure_is_drawn_without_a_display_and_without_pyplot(tmp_path):
    script = """
import sys
import numpy as np
from ase_les.reports.figures import Panel, save_figure
x = np.arange(5.0)
save_figure("a.png", x, "time (ps)", [Panel("T (K)", {"T": x}), Panel("none", {"n": x * np.nan})])
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

"""Figures of results, drawn without a display and without changing the state of pyplot.

The style is ``figures.mplstyle``. The suffix of the path selects the format: ``.png``, or ``.pdf``
and ``.svg`` for print. `figure_format` changes it for file names chosen by the library.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, BinaryIO, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from ase import Atoms
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

STYLE = Path(__file__).with_name("figures.mplstyle")
FORMATS = ("png", "pdf", "svg")
Target: TypeAlias = "str | Path | BinaryIO"
"""Path of a figure, or a stream for its PNG."""
_FORMAT: ContextVar[str] = ContextVar("format of figures", default="png")


@contextmanager
def figure_format(name: str) -> Iterator[None]:
    """Write figures whose path ends in ``.png`` in another format.

    Parameters
    ----------
    name : str
        One of `FORMATS`.

    Raises
    ------
    ValueError
        If the format is not one of these.

    Examples
    --------
    >>> with figure_format("pdf"):
    ...     str(in_format(Path("run-bands.png")))
    'run-bands.pdf'
    """
    if name not in FORMATS:
        raise ValueError(f"figures are written as {', '.join(FORMATS)}, got {name!r}")
    token = _FORMAT.set(name)
    try:
        yield
    finally:
        _FORMAT.reset(token)


def in_format(path: Path) -> Path:
    """Return the path at which a figure is written, see `figure_format`."""
    return path.with_suffix(f".{_FORMAT.get()}") if path.suffix == ".png" else path


@contextmanager
def new_figure(path: Target, width: float, height: float) -> Iterator[Figure]:
    """Provide an empty figure in the style of this package; save it at the end of the block.

    Parameters
    ----------
    path : str, Path or binary stream
        Streams get PNG.
    width, height : float
        In inches.
    """
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(fname=STYLE):
        # The object interface needs no display and does not change the state of pyplot.
        figure = Figure(figsize=(width, height))
        yield figure
        # The borders include all labels of any length.
        with warnings.catch_warnings():
            # Raised whenever the placement takes more than a second, as on a busy machine.
            warnings.filterwarnings("ignore", "Creating legend with loc")
            if isinstance(path, str | Path):
                _render(figure, in_format(Path(path)))
            else:
                figure.savefig(path, format="png", bbox_inches="tight")


def _render(figure: Figure, path: Path) -> None:
    """Write a figure in the format of the suffix of its path."""
    figure.savefig(path, bbox_inches="tight")


@dataclass(frozen=True)
class Panel:
    """One set of axes of a figure.

    Parameters
    ----------
    label : str
        Label of the y axis with its unit.
    curves : mapping of str to array
        Values by name, one for each x value of the figure; nan for missing values.
    logarithmic : bool
        Whether the y axis is logarithmic.
    bands : mapping of str to array
        Standard errors, drawn as a band around the curve of the same name.
    spans : mapping of str to (float, float)
        Ranges of x to mark, by name.
    """

    label: str
    curves: Mapping[str, np.ndarray]
    logarithmic: bool = False
    bands: Mapping[str, np.ndarray] = field(default_factory=dict)
    spans: Mapping[str, tuple[float, float]] = field(default_factory=dict)


def save_figure(path: Target, x: np.ndarray, x_label: str, panels: Sequence[Panel]) -> None:
    """Draw panels on top of each other with a common x axis.

    Curves without finite values are omitted, and so are panels without curves.

    Parameters
    ----------
    path : Path
    x : array, shape (n,)
    x_label : str
        Label of the x axis with its unit.
    """
    drawn = [panel for panel in panels if any(map(_has_values, panel.curves.values()))]
    rows = max(len(drawn), 1)
    with new_figure(path, 6.4, 1.0 + 2.0 * rows) as figure:
        axes = figure.subplots(rows, 1, sharex=True, squeeze=False)[:, 0]
        for axis, panel in zip(axes, drawn, strict=False):
            _draw_curves(axis, x, panel)
            if panel.logarithmic:
                axis.set_yscale("log")
            else:
                axis.ticklabel_format(axis="y", useOffset=False)
            _draw_spans(axis, panel)
            if len(panel.curves) > 1 or panel.spans:
                axis.legend()
            axis.set_ylabel(panel.label)
        axes[-1].set_xlabel(x_label)


def _draw_curves(axis: Axes, x: np.ndarray, panel: Panel) -> None:
    """Draw the curves of a panel that have finite values, with their error bands."""
    for name, values in panel.curves.items():
        if _has_values(values):
            marker = "." if len(x) < 50 else ""
            (line,) = axis.plot(x, values, label=name, marker=marker)
            error = panel.bands.get(name)
            if error is not None:
                band = (values - error, values + error)
                axis.fill_between(x, *band, color=line.get_color(), alpha=0.3, linewidth=0)


def _draw_spans(axis: Axes, panel: Panel) -> None:
    """Mark ranges of x behind the curves."""
    for number, (name, (low, high)) in enumerate(panel.spans.items()):
        axis.axvspan(low, high, color=f"C{number + 1}", alpha=0.25, linewidth=0.8, label=name)


def _has_values(values: np.ndarray) -> bool:
    return bool(np.isfinite(values).any())


@dataclass(frozen=True)
class Parity:
    """One set of axes of a parity figure.

    Parameters
    ----------
    label : str
        Quantity and unit, such as "force component / (eV/Å)".
    reference, model : array, shape (n,)
    """

    label: str
    reference: np.ndarray
    model: np.ndarray


def save_stacked_figure(
    path: Path, x_label: str, panels: Sequence[tuple[np.ndarray, Panel]]
) -> None:
    """Draw panels above each other, each with separate x values.

    Parameters
    ----------
    x_label : str
        Quantity and unit of all x values.
    panels : sequence of (array, Panel)
        x values and curves.
    """
    rows = max(len(panels), 1)
    with new_figure(path, 6.4, 0.6 + 2.6 * rows) as figure:
        axes = figure.subplots(rows, 1, squeeze=False)[:, 0]
        for axis, (x, panel) in zip(axes, panels, strict=False):
            _draw_curves(axis, x, panel)
            axis.set_xlabel(x_label)
            axis.set_ylabel(panel.label)
            axis.legend()


def save_parity_figure(path: Target, title: str, panels: Sequence[Parity]) -> None:
    """Plot predictions against references, with the root-mean-square error of each panel."""
    drawn = [panel for panel in panels if len(panel.reference)]
    columns = max(len(drawn), 1)
    with new_figure(path, 3.6 * columns, 3.8) as figure:
        for axis, panel in zip(figure.subplots(1, columns, squeeze=False)[0], drawn, strict=False):
            both = np.concatenate([panel.reference, panel.model])
            ends = [both.min(), both.max()]
            axis.plot(ends, ends, color="0.6", linewidth=0.8, zorder=0)
            # Few points are drawn as dots, many as a cloud, rasterized in vector formats.
            size = 4 if len(panel.reference) < 200 else 2
            axis.plot(panel.reference, panel.model, ".", markersize=size, rasterized=True)
            error = np.sqrt(np.mean((panel.model - panel.reference) ** 2))
            unit = panel.label.rpartition(" / ")[2].strip("()")
            axis.set_title(f"RMSE {error:.3g} {unit}")
            label = panel.label.replace(" / ", "\n/ ")
            axis.set_xlabel(f"reference {label}")
            axis.set_ylabel(f"model {label}")
            axis.ticklabel_format(useOffset=False)
            axis.locator_params(nbins=4)
            axis.set_aspect("equal")
        figure.suptitle("\n".join(wrap(title, 36 * columns)))


def save_histogram(path: Path, values: np.ndarray, label: str, counted: str) -> None:
    """Plot the distribution of values and their mean.

    Parameters
    ----------
    values : array, shape (n,)
    label : str
        Quantity and unit.
    counted : str
        Plural noun for what is counted, such as "molecules".
    """
    with new_figure(path, 5.0, 3.6) as figure:
        axis = figure.subplots()
        axis.hist(values, bins="auto", color="0.75")
        axis.axvline(float(np.mean(values)), color="C1", label=f"mean {np.mean(values):.3g}")
        axis.set_xlabel(label)
        axis.set_ylabel(f"number of {counted}")
        axis.legend()


def save_bars(
    path: Path, groups: Sequence[str], bars: Mapping[str, Sequence[float]], label: str
) -> None:
    """Plot grouped bars with their values.

    Parameters
    ----------
    bars : mapping of str to sequence of float
        One height for each group, by name.
    label : str
        Quantity and unit.
    """
    with new_figure(path, 1.5 + 2.0 * len(groups), 3.6) as figure:
        axis = figure.subplots()
        width = 0.8 / len(bars)
        for number, (name, heights) in enumerate(bars.items()):
            centers = np.arange(len(groups)) + (number - (len(bars) - 1) / 2) * width
            drawn = axis.bar(centers, heights, width, label=name)
            axis.bar_label(drawn, fmt="%.1f", fontsize="small")
        axis.axhline(0.0, color="0.3", linewidth=0.8)
        axis.set_xticks(np.arange(len(groups)), groups)
        axis.set_ylabel(label)
        axis.margins(y=0.15)
        axis.legend()


def save_structure_figure(path: Target, atoms: Atoms, values: np.ndarray, label: str) -> None:
    """Draw a structure from two sides, atoms colored by a value.

    Parameters
    ----------
    path : str, Path or binary stream
    values : array, shape (N,)
    label : str
        Quantity and unit.
    """
    from ase.visualize.plot import plot_atoms
    from matplotlib import colormaps
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    scale = Normalize(0.0, max(float(np.max(values)), 1e-12))
    # Light to dark: readable in print and with color blindness.
    colors = colormaps["viridis_r"]
    with new_figure(path, 7.0, 3.4) as figure:
        axes = figure.subplots(1, 2)
        for axis, (name, rotation) in zip(
            axes, {"along z": "0x", "along y": "-90x"}.items(), strict=True
        ):
            plot_atoms(atoms, axis, colors=colors(scale(values))[:, :3], rotation=rotation)
            axis.set_title(name)
            axis.set_xlabel("Å")
        figure.colorbar(ScalarMappable(scale, colors), ax=list(axes), label=label)

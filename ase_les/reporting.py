"""Typed results become tables, YAML summaries and figures.

Nothing here knows a particular workflow: each result type says what its summary holds, this
module says how a summary, a table and a figure look.
"""

from __future__ import annotations

import json
import math
import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import datetime
from importlib import metadata
from pathlib import Path

import numpy as np
from ase import Atoms
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

REPORTED_PACKAGES = ("ase_les", "ase", "numpy", "torch")

# Settings of calculators that say where and how fast they work and what they print, not what comes
# out of it.
_WITHOUT_EFFECT = frozenset({"command", "device", "directory", "label", "skin", "txt"})


@dataclass(frozen=True)
class Estimate:
    """A mean and its standard error, in the unit named by the field that holds it."""

    mean: float
    standard_error: float

    def __str__(self) -> str:
        # Too few samples have a mean, but no error that means anything.
        error = f" ± {self.standard_error:.2g}" if math.isfinite(self.standard_error) else ""
        return f"{self.mean:.6g}{error}"


@dataclass(frozen=True)
class Panel:
    """One set of axes: curves by name, sharing the figure's x values and one labelled unit.

    `bands` holds standard errors, drawn as a band around the curve of the same name.
    """

    label: str
    curves: Mapping[str, np.ndarray]
    logarithmic: bool = False
    bands: Mapping[str, np.ndarray] = field(default_factory=dict)


def block_average(samples: np.ndarray, min_blocks: int = 16) -> Estimate:
    """Mean of a correlated series, with the standard error of its block averages.

    Neighbouring samples are averaged in pairs again and again; the apparent error grows until
    the blocks are longer than the correlation time, so the largest is taken.

    Parameters
    ----------
    samples : (n,) array
        Equally spaced in time.
    min_blocks : int
        Blocks below which the spread between them is no longer trusted. With fewer samples
        than this the error is nan.

    References
    ----------
    .. [1] H. Flyvbjerg and H. G. Petersen, J. Chem. Phys. 91, 461 (1989).
    """
    blocks = np.asarray(samples, dtype=float)
    if len(blocks) == 0:
        return Estimate(math.nan, math.nan)
    mean = float(blocks.mean())
    errors = []
    while len(blocks) >= min_blocks:
        errors.append(float(blocks.std(ddof=1)) / math.sqrt(len(blocks)))
        paired = len(blocks) // 2 * 2
        blocks = 0.5 * (blocks[0:paired:2] + blocks[1:paired:2])
    return Estimate(mean, max(errors, default=math.nan))


def describe_structure(atoms: Atoms) -> dict[str, object]:
    """What the structure is, for the input section of a summary."""
    return {
        "formula": atoms.get_chemical_formula(),
        "atoms": len(atoms),
        "pbc": atoms.pbc.tolist(),
        "cell_A": atoms.cell.tolist(),
        "charge_e": plain(atoms.info.get("charge", 0)),
    }


def describe_calculator(calculator: object) -> dict[str, object]:
    """Class, name, (where the calculator has one) model hash, and the settings that decide results.

    Settings are ASE's ``parameters``, those of them that plain containers hold.
    """
    model_hash = getattr(calculator, "model_hash", None)
    # A model is known by its hash, wherever its file lies now.
    left_out = _WITHOUT_EFFECT | ({"model"} if model_hash else set())
    settings = getattr(calculator, "parameters", None) or {}
    return {
        "class": type(calculator).__name__,
        "name": getattr(calculator, "name", None),
        "model_hash": model_hash,
        "settings": {
            str(name): plain(value)
            for name, value in settings.items()
            if name not in left_out and _is_plain(value)
        },
    }


def changed(
    before: Mapping[str, object], now: Mapping[str, object], path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], object, object]]:
    """Path, old and new value of every entry that two nested mappings do not share."""
    for name in dict.fromkeys([*before, *now]):
        one, other = (side.get(name, "absent") for side in (before, now))
        if isinstance(one, Mapping) and isinstance(other, Mapping):
            yield from changed(one, other, (*path, name))
        elif one != other:
            yield (*path, name), one, other


def differences(before: Mapping[str, object], now: Mapping[str, object]) -> list[str]:
    """What two descriptions do not share, named; entries of nested ones each by itself."""
    return [f"{path[-1]} is {one}, given {other}" for path, one, other in changed(before, now)]


def software_versions() -> dict[str, str]:
    """Versions of the packages that decide the numbers, read without importing them."""
    versions = {"python": platform.python_version()}
    for package in REPORTED_PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return versions


def plain(value: object) -> object:
    """The same value in terms YAML and JSON share; a number that is not finite becomes null."""
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: plain(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, bool | int | str):
        return value
    return str(value)


def _is_plain(value: object) -> bool:
    """Whether `plain` keeps it whole; the text of any other object may hold its address."""
    if isinstance(value, Mapping):
        return all(map(_is_plain, value.values()))
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    if isinstance(value, np.ndarray | np.generic):
        return value.dtype.kind in "biufUS"
    return value is None or isinstance(value, bool | int | float | str)


def write_summary(path: Path, summary: Mapping[str, object]) -> None:
    """Write a summary as YAML, stamped with the time and the versions used."""
    import yaml

    stamped = {
        "written": datetime.now().astimezone().isoformat(timespec="seconds"),
        "versions": software_versions(),
        **summary,
    }
    text = yaml.safe_dump(plain(stamped), sort_keys=False, allow_unicode=True)
    replace_file(path, text.encode())


def summary_as_json(summary: Mapping[str, object]) -> str:
    """The summary for machines: one JSON document, `null` where a number does not exist."""
    stamped = {"versions": software_versions(), **summary}
    return json.dumps(plain(stamped), indent=2, allow_nan=False)


def replace_file(path: Path, content: bytes) -> None:
    """Write a file so that at every moment the old or the new content is there, never a part.

    The content reaches the disk under another name before that name is exchanged for `path`.
    """
    path = Path(path)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.unfinished")
    try:
        with open(unfinished, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)


def console(quiet: bool = False) -> Console:
    """Where people are told things: stderr, so that stdout stays free for machines."""
    return Console(stderr=True, quiet=quiet)


def progress_bar(on: Console) -> Progress:
    """A bar with the time left and a free text; it stays away where no one watches."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[status]}", markup=False),
        console=on,
        transient=True,
        disable=on.quiet or not on.is_terminal,
    )


def results_table(title: str, rows: Mapping[str, object]) -> Table:
    """Two columns: what, and how much with its unit."""
    table = Table("quantity", "value", title=title, title_justify="left")
    for name, value in rows.items():
        table.add_row(name, f"{value:.6g}" if isinstance(value, float) else str(value))
    return table


def save_figure(path: Path, x: np.ndarray, x_label: str, panels: Sequence[Panel]) -> None:
    """Draw panels above each other over one x axis; axis labels carry the units.

    A curve without any finite value is left out, and a panel without curves too.
    """
    # The object interface draws without a display and leaves the caller's pyplot state alone.
    from matplotlib.figure import Figure

    drawn = [panel for panel in panels if any(map(_has_values, panel.curves.values()))]
    figure = Figure(figsize=(6.4, 1.0 + 2.0 * max(len(drawn), 1)), layout="constrained")
    axes = figure.subplots(max(len(drawn), 1), 1, sharex=True, squeeze=False)[:, 0]
    for axis, panel in zip(axes, drawn, strict=False):
        for name, values in panel.curves.items():
            if _has_values(values):
                marker = "." if len(x) < 50 else ""
                (line,) = axis.plot(x, values, label=name, linewidth=1.0, marker=marker)
                error = panel.bands.get(name)
                if error is not None:
                    band = (values - error, values + error)
                    axis.fill_between(x, *band, color=line.get_color(), alpha=0.3, linewidth=0)
        if panel.logarithmic:
            axis.set_yscale("log")
        if len(panel.curves) > 1:
            axis.legend(frameon=False)
        axis.set_ylabel(panel.label)
        axis.ticklabel_format(axis="y", useOffset=False) if not panel.logarithmic else None
    axes[-1].set_xlabel(x_label)
    figure.savefig(path, dpi=150)


def _has_values(values: np.ndarray) -> bool:
    return bool(np.isfinite(values).any())


@dataclass(frozen=True)
class Parity:
    """One set of axes of a parity figure: reference against model, one labelled unit."""

    label: str
    reference: np.ndarray
    model: np.ndarray


def save_parity_figure(path: Path, title: str, panels: Sequence[Parity]) -> None:
    """Draw references against predictions with the root-mean-square error in each panel."""
    from matplotlib.figure import Figure

    drawn = [panel for panel in panels if len(panel.reference)]
    width = max(len(drawn), 1)
    figure = Figure(figsize=(3.6 * width, 3.8), layout="constrained")
    for axis, panel in zip(figure.subplots(1, width, squeeze=False)[0], drawn, strict=False):
        both = np.concatenate([panel.reference, panel.model])
        ends = [both.min(), both.max()]
        axis.plot(ends, ends, color="0.6", linewidth=0.8, zorder=0)
        axis.plot(panel.reference, panel.model, ".", markersize=2, rasterized=True)
        error = np.sqrt(np.mean((panel.model - panel.reference) ** 2))
        axis.set_title(f"RMSE {error:.3g}", fontsize="medium")
        axis.set_xlabel(f"reference {panel.label}")
        axis.set_ylabel(f"model {panel.label}")
        axis.set_aspect("equal")
    figure.suptitle(title)
    figure.savefig(path, dpi=150)


def save_histogram(path: Path, values: np.ndarray, label: str, counted: str) -> None:
    """Draw the distribution of values with its mean; `label` carries the unit."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.0, 3.6), layout="constrained")
    axis = figure.subplots()
    axis.hist(values, bins="auto", color="0.75")
    axis.axvline(float(np.mean(values)), color="C3", label=f"mean {np.mean(values):.3g}")
    axis.set_xlabel(label)
    axis.set_ylabel(f"number of {counted}")
    axis.legend(frameon=False)
    figure.savefig(path, dpi=150)


def save_bars(
    path: Path, groups: Sequence[str], bars: Mapping[str, Sequence[float]], label: str
) -> None:
    """Draw grouped bars with their values; `label` carries the unit."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(1.5 + 2.0 * len(groups), 3.6), layout="constrained")
    axis = figure.subplots()
    width = 0.8 / len(bars)
    for number, (name, heights) in enumerate(bars.items()):
        centres = np.arange(len(groups)) + (number - (len(bars) - 1) / 2) * width
        drawn = axis.bar(centres, heights, width, label=name)
        axis.bar_label(drawn, fmt="%.1f", fontsize="small")
    axis.axhline(0.0, color="0.3", linewidth=0.8)
    axis.set_xticks(np.arange(len(groups)), groups)
    axis.set_ylabel(label)
    axis.margins(y=0.15)
    axis.legend(frameon=False)
    figure.savefig(path, dpi=150)

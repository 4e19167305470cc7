"""The files of one analysis: summary, arrays, figure; all named after one stem."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.table import Table

from ase_les.reporting import replace_file


@dataclass(frozen=True)
class AnalysisFiles:
    """``<stem>-summary.yml``, ``<stem>.npz`` and ``<stem>.png``."""

    stem: Path

    @classmethod
    def prepared(cls, output: str | Path | None, overwrite: bool) -> AnalysisFiles | None:
        """Files to be written, or None without an output.

        Raises
        ------
        FileExistsError
            If one of them exists and `overwrite` is false.
        """
        if output is None:
            return None
        files = cls(Path(output))
        old = [path.name for path in (files.summary, files.series, files.figure) if path.exists()]
        if old and not overwrite:
            raise FileExistsError(
                f"'{files.stem}' has been written before ({', '.join(old)}). Choose another "
                "output, or allow it to be replaced with overwrite (--overwrite)"
            )
        files.stem.parent.mkdir(parents=True, exist_ok=True)
        return files

    def _named(self, ending: str) -> Path:
        # Not `with_suffix`: a stem such as "water-300.5K" keeps its dot.
        return self.stem.with_name(self.stem.name + ending)

    @property
    def summary(self) -> Path:
        return self._named("-summary.yml")

    @property
    def series(self) -> Path:
        return self._named(".npz")

    @property
    def figure(self) -> Path:
        return self._named(".png")


def save_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write named arrays of any lengths, units in the names, as a whole ``.npz`` file."""
    content = io.BytesIO()
    np.savez(content, **arrays)
    replace_file(path, content.getvalue())


def columns_table(title: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    """A table with heads, for the terminal."""
    table = Table(*heads, title=title, title_justify="left")
    for row in rows:
        table.add_row(*row)
    return table

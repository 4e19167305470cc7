"""Messages about one file, each with the number of frames it concerns."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Notes:
    """Messages about the frames of one file, in order of first occurrence.

    Parameters
    ----------
    path : Path
        File, named at the beginning of every message.
    """

    path: Path
    _frames: dict[str, int] = field(default_factory=dict)
    _important: set[str] = field(default_factory=set)

    def add(self, text: str, *, important: bool = False) -> None:
        """Add a message about one frame; the same text about another frame is counted.

        Parameters
        ----------
        important : bool
            Whether it is shown even with ``--quiet``.
        """
        self._frames[text] = self._frames.get(text, 0) + 1
        if important:
            self._important.add(text)

    def lines(self, total: int = 1, *, only_important: bool = False) -> list[str]:
        """Return the messages as lines of text.

        Parameters
        ----------
        total : int
            Number of frames that were read; messages about some of them contain the count.
        """
        return [
            f"{self.path}: {text}" + (f" ({count} of {total} frames)" if count < total else "")
            for text, count in self._frames.items()
            if text in self._important or not only_important
        ]

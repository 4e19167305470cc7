"""Small pieces of reStructuredText."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Sequence


def heading(text: str, underline: str = "=") -> str:
    return f"{text}\n{underline * len(text)}\n\n"


def escaped(text: str) -> str:
    """Plain text without markup."""
    return re.sub(r"([*`|\\]|_(?=\W|$))", r"\\\1", text)


def fields(rows: Iterable[tuple[str, str]]) -> str:
    """A table of two columns."""
    lines = [".. list-table::", "   :widths: 25 75", "   :class: fields", ""]
    for name, value in rows:
        lines += [f"   * - {name}", f"     - {indented(value, 7)}"]
    return "\n".join(lines) + "\n\n"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [".. list-table::", "   :header-rows: 1", ""]
    for row in (head, *rows):
        lines += [f"   {'*' if not n else ' '} - {indented(cell, 7)}" for n, cell in enumerate(row)]
    return "\n".join(lines) + "\n\n"


def indented(text: str, columns: int) -> str:
    return textwrap.indent(text, " " * columns).lstrip()

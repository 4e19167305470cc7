"""References of docstrings become footnotes that are unique on a page of several objects."""

from __future__ import annotations

import re

from sphinx.application import Sphinx

NUMBERED = re.compile(r"\[(\d+)\](_|(?= ))")


def make_unique(
    _app: Sphinx, _what: str, name: str, _object: object, _options: object, lines: list[str]
) -> None:
    if not any(line.lstrip().startswith(".. [") for line in lines):
        # References of the module are cited.
        lines[:] = [re.sub(r"\[(\d+)\]_", r"[\1]", line) for line in lines]
    label = re.sub(r"\W+", "-", name).strip("-")
    for number, line in enumerate(lines):
        if line.lstrip().startswith(".. [") or "]_" in line:
            lines[number] = NUMBERED.sub(rf"[#{label}-\1]\2", line)


def setup(app: Sphinx) -> dict[str, object]:
    app.connect("autodoc-process-docstring", make_unique)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

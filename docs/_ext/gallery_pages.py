"""Gallery of the studies in ``workflows/``: their docstrings, figures and run times."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import yaml
from rst import heading, indented


def pages(source: Path) -> dict[str, str]:
    folder = source / "gallery"
    studies = yaml.safe_load((folder / "studies.yml").read_text(encoding="utf-8"))
    times = yaml.safe_load((folder / "times.yml").read_text(encoding="utf-8"))
    found, cards, names = {}, [], []
    for name, study in studies.items():
        path = source.parent / "workflows" / f"{name}.py"
        docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
        title, _, body = docstring.partition("\n")
        title = title.rstrip(".")
        figure = folder / "figures" / f"{name}.png"
        page = f"study-{name.replace('_', '-')}"
        text = f".. _{page}:\n\n" + heading(title)
        if figure.exists():
            text += (
                f".. figure:: /gallery/figures/{name}.png\n   :alt: {study['caption']}\n"
                f"   :width: 640\n\n   {study['caption']}\n\n"
            )
            text += _made_by(name, study["options"], times.get(name))
        text += _as_rst(body)
        text += (
            "Script\n------\n\n"
            f".. literalinclude:: /../workflows/{name}.py\n   :language: python\n"
            f"   :caption: workflows/{name}.py\n"
        )
        found[page] = text
        names.append(page)
        image = f"   :img-top: /gallery/figures/{name}.png\n" if figure.exists() else ""
        cards.append(
            f".. grid-item-card:: {name[:2]}\n   :link: {page}\n   :link-type: ref\n{image}\n"
            f"   {title}\n"
        )
    text = heading("Gallery") + (
        "Every study is a script of plain Python in ``workflows/``, to copy and change. Figures "
        "were made by ``python docs/gallery/make.py``, some with options that only show the "
        "way; each page has the command and its CPU time.\n\n"
        ".. grid:: 1 2 3 3\n   :gutter: 2\n\n"
    )
    text += indented("\n".join(cards), 3).join(("   ", "\n"))
    text += "\n.. toctree::\n   :hidden:\n\n" + "".join(f"   {name}\n" for name in names)
    found["gallery"] = text
    return found


def _made_by(name: str, options: str, seconds: float | None) -> str:
    command = f"python workflows/{name}.py {options}".strip().replace("{shared}", "FOLDER")
    text = f"Figure: ``{command}``"
    return f"{text}, {seconds} s of CPU time on one core.\n\n" if seconds else f"{text}.\n\n"


def _as_rst(body: str) -> str:
    """Turn indented commands into blocks of shell."""
    lines = []
    for block in re.split(r"\n{2,}", body.strip("\n")):
        if all(line.startswith("    ") for line in block.splitlines()):
            lines.append(".. code-block:: shell\n   :class: not-run\n\n" + block)
        else:
            lines.append(block)
    return "\n\n".join(lines) + "\n\n"

"""Pages written from the package at build time: commands, models, configuration and gallery."""

from __future__ import annotations

from pathlib import Path

from commands_pages import pages as of_commands
from configuration_pages import pages as of_configuration
from gallery_pages import pages as of_gallery
from models_pages import pages as of_models
from sphinx.application import Sphinx

WRITERS = (of_commands, of_configuration, of_gallery, of_models)


def write_pages(app: Sphinx) -> None:
    folder = Path(app.srcdir) / "generated"
    folder.mkdir(exist_ok=True)
    for pages in WRITERS:
        for name, text in pages(Path(app.srcdir)).items():
            path = folder / (name if "." in name else f"{name}.rst")
            # Unchanged pages are not read again.
            if not path.exists() or path.read_text(encoding="utf-8") != text:
                path.write_text(text, encoding="utf-8")


def setup(app: Sphinx) -> dict[str, object]:
    app.connect("builder-inited", write_pages, priority=100)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

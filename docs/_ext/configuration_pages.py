"""Reference of the keys of configuration files, from the typed configuration."""

from __future__ import annotations

from pathlib import Path


def pages(_source: Path) -> dict[str, str]:
    return {}

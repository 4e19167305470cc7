"""Code blocks of the pages, as they are tested and timed."""

from __future__ import annotations

import re
import shlex
import textwrap
from dataclasses import dataclass
from pathlib import Path

_BLOCK = re.compile(
    r"^(?P<indent> *)\.\. code-block:: (?P<language>\w+)\n(?P<options>(?:(?P=indent) +:.*\n)*)\n"
    r"(?P<code>(?:(?P=indent)   .*\n|\n)+)",
    flags=re.MULTILINE,
)


@dataclass(frozen=True)
class Block:
    """Block of a page with its language and options."""

    language: str
    options: str
    code: str

    @property
    def runs(self) -> bool:
        """Whether it is run."""
        return "not-run" not in self.options and self.language != "text"

    @property
    def file(self) -> str | None:
        """Name of the file in which a block of YAML is stored, its caption."""
        found = re.search(r":caption: (\S+)", self.options)
        return found[1] if found and self.language == "yaml" else None

    @property
    def commands(self) -> list[list[str]]:
        """Words of each command; continued lines are joined."""
        lines = self.code.replace("\\\n", " ").splitlines()
        words = [shlex.split(line, comments=True) for line in lines]
        return [each for each in words if each]


def blocks_of(page: Path) -> list[Block]:
    """Return the blocks of a page in order."""
    found = []
    for match in _BLOCK.finditer(page.read_text(encoding="utf-8") + "\n"):
        code = textwrap.dedent(match["code"])
        found.append(Block(match["language"], match["options"], code))
    return found

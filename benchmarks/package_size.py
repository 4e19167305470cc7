"""Lines of the package by folder: code, docstrings, comments and blank lines.

    python -m benchmarks.package_size [FOLDER]

Python files only; generated C is not counted. A line of code holds at least one token that is not
part of a docstring or a comment.
"""

from __future__ import annotations

import argparse
import ast
import io
import tokenize
from collections import Counter
from pathlib import Path

import ase_les

KINDS = ("code", "docstrings", "comments", "blank")
_NO_CODE = {
    *(tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT),
    *(tokenize.ENCODING, tokenize.ENDMARKER),
}


def size(text: str) -> Counter[str]:
    """Return the number of lines of each kind."""
    docstrings: set[int] = set()
    for node in ast.walk(ast.parse(text)):
        body = getattr(node, "body", None)
        is_text = isinstance(body, list) and body and isinstance(body[0], ast.Expr)
        if is_text and isinstance(body[0].value, ast.Constant) and body[0].value.value is not ...:
            docstrings |= set(range(body[0].lineno, body[0].end_lineno + 1))
    code: set[int] = set()
    comments: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        lines = set(range(token.start[0], token.end[0] + 1))
        if token.type == tokenize.COMMENT:
            comments |= lines
        elif token.type not in _NO_CODE:
            code |= lines
    code -= docstrings
    found = Counter(code=len(code), docstrings=len(docstrings), comments=len(comments - code))
    found["blank"] = len(text.splitlines()) - found.total()
    return found


def sizes(package: Path) -> dict[str, Counter[str]]:
    """Return the lines by folder below a package; modules at its top are one entry."""
    found: dict[str, Counter[str]] = {}
    for file in sorted(package.rglob("*.py")):
        parts = file.relative_to(package).parts
        folder = "/".join(parts[: min(len(parts) - 1, 2)]) or "."
        of_file = size(file.read_text(encoding="utf-8"))
        found[folder] = found.get(folder, Counter()) + of_file
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=Path(ase_les.__file__).parent)
    found = sizes(parser.parse_args().folder)
    found["total"] = sum(found.values(), Counter())
    print(f"{'folder':28}" + "".join(f"{kind:>12}" for kind in (*KINDS, "all")))
    for folder, lines in found.items():
        columns = [*(lines[kind] for kind in KINDS), lines.total()]
        print(f"{folder:28}" + "".join(f"{count:12,}" for count in columns))


if __name__ == "__main__":
    main()

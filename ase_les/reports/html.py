"""Parts of self-contained HTML reports."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import BinaryIO

_STYLE = (
    "body{font-family:sans-serif;max-width:60em;margin:2em auto;padding:0 1em;line-height:1.4}"
    "table{border-collapse:collapse;margin:1em 0}td,th{border:1px solid #bbb;padding:.2em .6em;"
    "text-align:right}td:first-child,th:first-child,table.facts td{text-align:left}"
    "img{max-width:100%}"
    "figure{margin:1em 0}figcaption{color:#555}div.wide{overflow-x:auto}"
)


def page(title: str, parts: Sequence[str]) -> bytes:
    """Return a page with a heading; parts are HTML."""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>"
        f"<h1>{escape(title)}</h1>{''.join(parts)}</body></html>\n"
    ).encode()


def heading(text: str) -> str:
    """Return a heading of a section."""
    return f"<h2>{escape(text)}</h2>"


def paragraph(text: str, strong: bool = False) -> str:
    """Return a paragraph of plain text."""
    words = escape(text)
    return f"<p>{f'<b>{words}</b>' if strong else words}</p>"


def table(head: Sequence[str], rows: Sequence[Sequence[str]], kind: str = "numbers") -> str:
    """Return a table of plain text, which scrolls on narrow screens."""
    lines = ["".join(f"<th>{escape(cell)}</th>" for cell in head)] if head else []
    lines += ["".join(f"<td>{escape(cell)}</td>" for cell in row) for row in rows]
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    return f'<div class="wide"><table class="{kind}">{body}</table></div>'


def facts(entries: Mapping[str, object]) -> str:
    """Return a table of names and values."""
    return table((), [(name, str(value)) for name, value in entries.items()], "facts")


def figure(draw: Callable[[BinaryIO], None], alternative: str, caption: str = "") -> str:
    """Return a figure, embedded as PNG.

    Parameters
    ----------
    draw : callable
        Write the PNG to the stream that it is given.
    alternative : str
        Text for readers who cannot see the figure.
    """
    content = io.BytesIO()
    draw(content)
    code = base64.b64encode(content.getvalue()).decode()
    words = f"<figcaption>{escape(caption)}</figcaption>" if caption else ""
    return (
        f'<figure><img alt="{escape(alternative)}" src="data:image/png;base64,{code}">'
        f"{words}</figure>"
    )

"""Text for terminals with limited character sets."""

from __future__ import annotations

import codecs
import io
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

_REPLACEMENTS = {
    "Å": "A",
    "ε": "eps",
    "∞": "inf",
    "√": "sqrt",
    "σ": "sigma",
    "Γ": "Gamma",
    "Δ": "Delta",
    "α": "alpha",
    "β": "beta",
    "γ": "gamma",
    "θ": "theta",
    "μ": "mu",
    "τ": "tau",
    "ω": "omega",
    "∂": "d",
    "±": "+-",
    "×": "x",
    "·": "*",
    "–": "-",
    "—": "-",
    "−": "-",
    "…": "...",
    "≈": "~",
    "≤": "<=",
    "≥": ">=",
    "→": "->",
    "’": "'",
    "‘": "'",
    "“": '"',
    "”": '"',
    "²": "^2",
    "³": "^3",
    "⁻": "^-",
    "¹": "1",
    "°": "deg",
    "₂": "2",
    "•": "*",
    "━": "-",
    "─": "-",
    "│": "|",
}
_NAME = "ase_les.replace"


def write_any_text() -> None:
    """Make stdout and stderr replace characters that cannot be encoded, instead of failing.

    No effect if the encoding is UTF-8. With ``LANG=C`` an Å becomes an A.
    """
    codecs.register_error(_NAME, _replaced)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and not _is_unicode(stream.encoding):
            stream.reconfigure(errors=_NAME)


def _is_unicode(encoding: str | None) -> bool:
    return (encoding or "").lower().replace("-", "").startswith("utf")


def _replaced(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lost = error.object[error.start : error.end]
    return "".join(_REPLACEMENTS.get(letter, "?") for letter in lost), error.end


@contextmanager
def warnings_in_one_line() -> Iterator[None]:
    """Print warnings as ``Warning: message``, without the place in the code."""
    before = warnings.formatwarning
    warnings.formatwarning = _line
    try:
        yield
    finally:
        warnings.formatwarning = before


def _line(message: Warning | str, *place: object, **more: object) -> str:
    return f"Warning: {message}\n"

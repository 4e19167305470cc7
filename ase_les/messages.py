"""Sanitize text from files for messages: one line, limited length, no control characters."""

from __future__ import annotations

import unicodedata

#: Maximum length of text from a file in a message.
LONGEST = 300
# Unicode categories: control, format (such as text direction), private use, surrogate.
_HIDDEN = ("Cc", "Cf", "Co", "Cs")


def printable(text: str) -> str:
    """Return a text with control characters, except line breaks and tabs, made visible.

    Escape sequences in a file could otherwise change the state of the terminal.
    """
    if text.isprintable():
        return text
    return "".join(each if _is_shown(each) else "\N{REPLACEMENT CHARACTER}" for each in text)


def _is_shown(character: str) -> bool:
    return character in "\n\t" or unicodedata.category(character) not in _HIDDEN


def one_line(text: object, longest: int = LONGEST) -> str:
    """Return a text on one line of limited length, without control characters.

    Parameters
    ----------
    text : object
        Converted to text.
    longest : int
        Maximum number of characters; the middle of a longer text is omitted.
    """
    whole = str(text)
    if len(whole) > 20 * longest:
        whole = whole[: 10 * longest] + whole[-10 * longest :]
    line = printable(" ".join(whole.split()))
    if len(line) <= longest:
        return line
    kept = longest // 2 - 2
    return f"{line[:kept]} … {line[-kept:]}"


def without_control(value: object, depth: int = 50) -> object:
    """Return nested containers, as read from JSON, with all text made `printable`."""
    if depth == 0:
        raise ValueError("lists or objects are nested too deep")
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, dict):
        return {printable(key): without_control(entry, depth - 1) for key, entry in value.items()}
    if isinstance(value, list):
        return [without_control(entry, depth - 1) for entry in value]
    return value


def short_text(value: object) -> str:
    """Return text for a message; that of containers that share entries is exponentially long."""
    if isinstance(value, str | bytes | int | float | type(None)):
        return one_line(repr(value), 80)
    return f"a {type(value).__name__}"

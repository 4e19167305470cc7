"""Values of options from text: numbers separated by commas, and numbers by element."""

from __future__ import annotations

import re


def by_element(option: str, text: str, example: str = "Na=1,Cl=-1") -> dict[str, float]:
    """Return numbers by element from text such as ``Na=1,Cl=-1``."""
    try:
        pairs = [entry.split("=") for entry in text.split(",")]
        return {symbol.strip(): float(value) for symbol, value in pairs}
    except ValueError:
        raise ValueError(
            f"{option} needs numbers by element such as {example}, got {text!r}"
        ) from None


def numbers(option: str, text: str, *counts: int, example: str = "1,2") -> tuple[float, ...]:
    """Return numbers separated by commas or blanks.

    Parameters
    ----------
    option : str
        Name of the option for messages.
    *counts : int
        Possible numbers of values; any if none is given.
    example : str
        For the message.

    Raises
    ------
    ValueError
        For other text.
    """
    try:
        values = tuple(float(part) for part in re.split(r"[,\s]+", str(text).strip()))
    except ValueError:
        values = ()
    if not values or (counts and len(values) not in counts):
        number = f"{' or '.join(map(str, counts))} numbers" if counts else "numbers"
        raise ValueError(f"{option} needs {number} separated by commas, as {example}; got {text!r}")
    return values


def integers(option: str, text: str, *counts: int, example: str = "1,2") -> tuple[int, ...]:
    """Return integers separated by commas or blanks, see `numbers`."""
    values = numbers(option, text, *counts, example=example)
    if any(value != round(value) for value in values):
        raise ValueError(f"{option} needs integers, got {text!r}")
    return tuple(round(value) for value in values)

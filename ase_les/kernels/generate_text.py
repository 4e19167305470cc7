"""Pieces of C text that the generators of the kernels share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise

from ase_les.representation.angular import Triple
from ase_les.representation.weighted_products import WeightedProducts

# Maximum number of rows summed together, each in a separate register.
_ROWS = 6


def fill(text: str, **parts: str) -> str:
    """Replace `@NAME@` in a template."""
    for name, part in parts.items():
        text = text.replace(f"@{name}@", part)
    return text


def indented(lines: Iterable[str], indent: int) -> str:
    """Return the lines in one text."""
    return "\n".join(" " * indent + line for line in lines)


def blocks(start: int, stop: int, most: int = _ROWS) -> Iterator[range]:
    """Yield ranges of at most this number of rows, as even as possible."""
    n_blocks = -(-(stop - start) // most)
    ends = [start + (stop - start) * block // n_blocks for block in range(n_blocks + 1)]
    yield from (range(*bounds) for bounds in pairwise(ends))


def lowered(triple: Triple, axis: int) -> Triple:
    """Return the triple with one power less along an axis."""
    x, y, z = (power - (component == axis) for component, power in enumerate(triple))
    return x, y, z


def accumulate(
    rows: range, loop: str, load: str, term: str, store: str, factor: str = ""
) -> Iterator[str]:
    """Yield sums a0, a1 … over a loop; `{row}` in term and store is the row of the sum."""
    yield "{"
    for k in range(len(rows)):
        yield f"    vec a{k} = {{0}};"
    yield f"    {loop} {{"
    yield f"        {load}"
    for k, row in enumerate(rows):
        yield f"        a{k} += {term.format(row=row)};"
    yield "    }"
    for k, row in enumerate(rows):
        yield f"    NAME(store)({store.format(row=row)}, a{k}{factor});"
    yield "}"


def value_of(part: WeightedProducts, wanted: int, row: Callable[[int], str]) -> str:
    """Return the expression of one row of a sum of products; `row` names the factors."""
    terms = [(a, b, weight) for a, b, k, weight in part.terms if k == wanted]
    return " + ".join(f"{row(a)} * {row(b)} * (REAL){weight}" for a, b, weight in terms)

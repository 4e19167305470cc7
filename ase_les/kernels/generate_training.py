"""Generate the parts of the kernels that only training needs: rates, and rates of gradients."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ase_les.kernels.generate_text import accumulate, blocks, indented, lowered
from ase_les.representation.angular import Invariants, Triple
from ase_les.representation.weighted_products import WeightedProducts


def loops(triples: Sequence[Triple]) -> dict[str, str]:
    """Return the texts of ``training_degree.c`` that depend on the angular functions."""
    return {
        "ANGULAR_RATES": indented(_angular_rates(triples), 8),
        "SUM_RATES": indented(_sum_rates(len(triples)), 8),
        "EDGES_RATES": indented(_edges_rates(len(triples)), 8),
        "PULL_BACK_RATES": indented(_pull_back_rates(triples), 8),
    }


def _angular_rates(triples: Sequence[Triple]) -> Iterator[str]:
    position = {triple: index for index, triple in enumerate(triples)}
    for index, triple in enumerate(triples):
        terms = [
            f"NAME(load)(angular + {position[lowered(triple, axis)]} * capacity + lane)"
            f" * {name} * (REAL){triple[axis]}"
            for axis, name in enumerate("xyz")
            if triple[axis]
        ]
        value = " + ".join(terms) or "x - x"
        yield f"NAME(store)(t->angular_rates + {index} * capacity + lane, {value});"


def _sum_rates(n_angular: int) -> Iterator[str]:
    for rows in blocks(0, n_angular):
        yield from accumulate(
            rows,
            "for (int64_t lane = begin; lane < end; ++lane)",
            "const vec r = NAME(load)(radial + lane * width), "
            "d = NAME(load)(radial_rates + lane * width);",
            "d * angular[{row} * capacity + lane] + r * angular_rates[{row} * capacity + lane]",
            "sums + {row} * width",
        )


def _edges_rates(n_angular: int) -> Iterator[str]:
    for rows in blocks(0, n_angular, 3):
        yield "{"
        for k in range(len(rows)):
            yield f"    vec a{k} = {{0}}, b{k} = {{0}}, c{k} = {{0}}, d{k} = {{0}};"
        yield "    for (int64_t n = 0; n < n_radial; ++n) {"
        yield "        const vec r = NAME(load)(radial + n * capacity);"
        yield "        const vec s = NAME(load)(slopes + n * capacity);"
        yield "        const vec u = NAME(load)(curves + n * capacity) * rate, v = s * rate;"
        for k, row in enumerate(rows):
            yield f"        const REAL g{k} = sums[{row} * width + n];"
            yield f"        const REAL h{k} = sum_rates[{row} * width + n];"
            yield f"        a{k} += r * g{k};"
            yield f"        b{k} += s * g{k};"
            yield f"        c{k} += v * g{k} + r * h{k};"
            yield f"        d{k} += u * g{k} + s * h{k};"
        yield "    }"
        for k, row in enumerate(rows):
            value = f"NAME(load)(angular + {row} * capacity + lane)"
            yield f"    t[{row}] = a{k};"
            yield f"    t_rate[{row}] = c{k};"
            yield f"    along += b{k} * {value};"
            yield (
                f"    along_rate += d{k} * {value} "
                f"+ b{k} * NAME(load)(angular_rates + {row} * capacity + lane);"
            )
        yield "}"


def _pull_back_rates(triples: Sequence[Triple]) -> Iterator[str]:
    position = {triple: index for index, triple in enumerate(triples)}
    for index, triple in enumerate(triples):
        for axis in range(3):
            if triple[axis]:
                place = f"{position[lowered(triple, axis)]} * capacity + lane"
                value = f"NAME(load)(angular + {place}) * (REAL){triple[axis]}"
                change = f"NAME(load)(angular_rates + {place}) * (REAL){triple[axis]}"
                yield f"across[{axis}] += t[{index}] * {value};"
                yield f"across_rate[{axis}] += t_rate[{index}] * {value} + t[{index}] * {change};"


# Names of rows: sums a, tensors t; rates e and u, gradients g and h, rates of gradients p and q.
_NAMES = {
    "value": ("a", "t"),
    "rate": ("e", "u"),
    "gradient": ("g", "h"),
    "gradient_rate": ("p", "q"),
}


def second_products(invariants: Invariants, n_angular: int, name: str) -> Iterator[str]:
    """Yield the function of rates of invariants, gradients by sums, and rates of the gradients.

    The gradients by values are constant. Since second derivatives are symmetric, the rate of the
    gradient is the gradient of the rate of the invariants, weighted by the gradients by values.
    """

    def row(kind: str, index: int) -> str:
        own, tensor = _NAMES[kind]
        return f"{own}{index}" if index < n_angular else f"{tensor}{index - n_angular}"

    lines = [f"const vec a{k} = NAME(load)(mixed + {k} * columns + c);" for k in range(n_angular)]
    lines += [f"const vec e{k} = NAME(load)(rates + {k} * columns + c);" for k in range(n_angular)]
    lines += _values_and_rates(invariants.tensors, row, "t", "u")
    lines.append("NAME(store)(value_rates + c, e0);")
    place = 1
    for part in (invariants.squares, invariants.products):
        for k in range(part.n_rows):
            rate = _rate(part, k, row)
            lines.append(f"NAME(store)(value_rates + {place} * columns + c, {rate});")
            place += 1
    lines.append("vec g0 = NAME(load)(by_values + c), p0 = {0};")
    lines += [f"vec g{k} = {{0}}, p{k} = {{0}};" for k in range(1, n_angular)]
    lines += [f"vec h{k} = {{0}}, q{k} = {{0}};" for k in range(invariants.tensors.n_rows)]
    place = 1 + invariants.squares.n_rows
    lines += _add_gradients(invariants.products, row, place)
    for a, b, k, weight in invariants.tensors.terms:
        for one, other in ((a, b), (b, a)):
            gradient, change = row("gradient", one), row("gradient_rate", one)
            value, rate = row("value", other), row("rate", other)
            lines.append(f"{gradient} += h{k} * {value} * (REAL){weight};")
            lines.append(f"{change} += (q{k} * {value} + h{k} * {rate}) * (REAL){weight};")
    lines += _add_gradients(invariants.squares, row, 1)
    for k in range(n_angular):
        lines.append(f"NAME(store)(gradients + {k} * columns + c, g{k});")
        lines.append(f"NAME(store)(gradient_rates + {k} * columns + c, p{k});")
    yield f"static void NAME(second_{name})(const REAL *mixed, const REAL *rates,"
    yield "                          const REAL *by_values, REAL *value_rates, REAL *gradients,"
    yield "                          REAL *gradient_rates, int64_t columns)"
    yield "{"
    yield "    for (int64_t c = 0; c < columns; c += LANES) {"
    yield from (f"        {line}" for line in lines)
    yield "    }"
    yield "}"
    yield ""


def _values_and_rates(part: WeightedProducts, row, value: str, rate: str) -> Iterator[str]:
    for k in range(part.n_rows):
        terms = [
            f"{row('value', a)} * {row('value', b)} * (REAL){weight}"
            for a, b, r, weight in part.terms
            if r == k
        ]
        yield f"const vec {value}{k} = {' + '.join(terms)};"
        yield f"const vec {rate}{k} = {_rate(part, k, row)};"


def _rate(part: WeightedProducts, wanted: int, row) -> str:
    return " + ".join(
        f"({row('rate', a)} * {row('value', b)} + {row('value', a)} * {row('rate', b)})"
        f" * (REAL){weight}"
        for a, b, k, weight in part.terms
        if k == wanted
    )


def _add_gradients(part: WeightedProducts, row, place: int) -> Iterator[str]:
    """Yield gradients and their rates by the factors of products with given gradients."""
    for k in range(part.n_rows):
        yield f"const vec w{place + k} = NAME(load)(by_values + {place + k} * columns + c);"
    for a, b, k, weight in part.terms:
        for one, other in ((a, b), (b, a)):
            for result, factor in (("gradient", "value"), ("gradient_rate", "rate")):
                yield (
                    f"{row(result, one)} += w{place + k} * {row(factor, other)} * (REAL){weight};"
                )

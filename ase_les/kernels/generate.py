"""Write ``fused.c``, the source of the kernels, from templates and the tables of the torch path.

    python -m ase_les.kernels.generate

The result is in the repository, so that building the package only needs a C compiler.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from ase_les.kernels import generate_training
from ase_les.kernels.generate_text import accumulate, blocks, fill, indented, lowered, value_of
from ase_les.representation.angular import Invariants, Monomials, Triple

FOLDER = Path(__file__).parent
OUTPUT = FOLDER / "fused.c"

L_MAX = range(5)
NU_MAX = range(1, 5)
# Square root, and coefficients of the radial polynomials.
PRECISIONS = {"float": ("sqrtf", 8), "double": ("sqrt", 12)}
# Bytes of a vector by instruction set and precision. With 64 bytes the few radial and mixed
# functions of a model in float would leave half of a vector idle.
TARGETS = {
    "base": ("", {"float": 16, "double": 16}),
    "avx2": ("avx2,fma", {"float": 32, "double": 32}),
    "avx512": ("avx512f,avx512vl,avx512dq,avx512bw,avx2,fma", {"float": 32, "double": 64}),
}
# Entry points of the library: the arguments after precision and level.
ENTRIES = {
    "forward": "const fused_model *model, const fused_graph *graph, int64_t first, int64_t last, "
    "void *raw, void *features",
    "backward": "const fused_model *model, const fused_graph *graph, int64_t first, int64_t last, "
    "const void *raw, const void *by_features, double *by_positions, double *by_cells",
    "cace_values": "const fused_cace *cace, int64_t first, int64_t last, void *features",
    "cace_gradients": "const fused_cace *cace, int64_t first, int64_t last, "
    "const void *by_features, const void *change, const fused_cace_results *to",
    "split_forward": "const fused_split *split, const fused_graph *graph, int64_t first, "
    "int64_t last, const double *latent, double *charges",
    "split_backward": "const fused_split *split, const fused_graph *graph, int64_t first, "
    "int64_t last, const double *latent, const double *by_charges, double *by_latent, "
    "double *by_positions, double *by_cells",
    "messages_sum": "const fused_messages *messages, const void *radial, const void *angles, "
    "const void *sent, void *sums",
    "messages_gradient": "const fused_messages *messages, const void *radial, "
    "const void *angles, const void *sent, const void *by_sums, void *by_radial, "
    "void *by_angles, void *by_sent",
    "messages_second": "const fused_messages *messages, const void *radial, const void *angles, "
    "const void *sent, const void *by_sums, const void *u_radial, const void *u_angles, "
    "const void *u_sent, void *to_radial, void *to_angles, void *to_sent, void *to_sums",
    "table_sum": "const fused_messages *messages, const fused_radial *table, int64_t first, "
    "int64_t last, const void *distances, const void *angles, const void *sent, void *sums",
    "table_gradient": "const fused_messages *messages, const fused_radial *table, "
    "int64_t first, int64_t last, const void *distances, const void *angles, const void *sent, "
    "const void *by_sums, void *by_distances, void *by_angles, void *by_sent",
    "polynomials_values": "const fused_polynomials *polynomials, int64_t first, int64_t last, "
    "const void *sums, void *results",
    "polynomials_gradients": "const fused_polynomials *polynomials, int64_t first, int64_t last, "
    "const void *sums, const void *by_results, void *by_sums",
}
MESH_ENTRIES = {
    "mesh_spread": "const fused_mesh *mesh, int64_t n_atoms, const double *fractional, "
    "const double *charges, int64_t stride, double *density",
    "mesh_gather": "const fused_mesh *mesh, int64_t n_atoms, const double *fractional, "
    "const double *charges, int64_t stride, const double *surface, double *potentials, "
    "double *by_fractional",
}
EWALD_ENTRIES = {
    "ewald_factors": "const fused_ewald *ewald, int64_t first, int64_t last, "
    "const double *fractional, const double *charges, int64_t stride, double *factors",
    "ewald_potentials": "const fused_ewald *ewald, int64_t first, int64_t last, "
    "const double *fractional, const double *charges, int64_t stride, const double *factors, "
    "double *potentials, double *by_fractional",
}


def source() -> str:
    """Return the text of ``fused.c``."""
    text = (FOLDER / "template.c").read_text(encoding="utf-8")
    cases = {
        name: "\n".join(
            f"    case {l}: return NAME({name}_{l})({arguments});"
            for l in L_MAX  # noqa: E741
        )
        for name, arguments in (
            ("forward", "model, graph, first, last, raw, features"),
            ("backward", "model, graph, first, last, raw, by_features, by_positions, by_cells"),
            ("cace_values", "cace, first, last, features"),
            ("cace_gradients", "cace, first, last, by_features, change, to"),
        )
    }
    return fill(
        text,
        DISPATCH=_dispatch(),
        DEGREES="\n".join(_of_degree(l_max) for l_max in L_MAX),
        **{f"{name.upper()}_CASES": text for name, text in cases.items()},
        TRAINING=(FOLDER / "training.c").read_text(encoding="utf-8"),
        SPLIT=(FOLDER / "split.c").read_text(encoding="utf-8"),
        MESSAGES=(FOLDER / "messages.c").read_text(encoding="utf-8"),
        MESH=(FOLDER / "mesh.c").read_text(encoding="utf-8"),
        EWALD=(FOLDER / "ewald.c").read_text(encoding="utf-8"),
    )


def main() -> None:
    """Write ``fused.c``."""
    OUTPUT.write_text(source(), encoding="utf-8")


# Functions of one l_max


def _of_degree(l_max: int) -> str:
    monomials = Monomials(l_max)
    triples = monomials.triples
    variants = {nu_max: Invariants(l_max, nu_max) for nu_max in NU_MAX}
    names: dict[int, str] = {}
    products, second_products = [], []
    for nu_max, invariants in variants.items():
        same = next((nu for nu in names if _terms(variants[nu]) == _terms(invariants)), None)
        names[nu_max] = names[same] if same else f"{l_max}_{nu_max}"
        if same is None:
            products.append(_products(invariants, len(triples), names[nu_max]))
            second = generate_training.second_products(invariants, len(triples), names[nu_max])
            second_products.append("\n".join(second))

    def cases(kind: str) -> str:
        return "\n".join(
            f"    case {nu_max}: products = NAME({kind}_{name}); "
            f"n_invariants = {variants[nu_max].n_invariants}; break;"
            for nu_max, name in names.items()
        )

    text = "".join(
        (FOLDER / name).read_text(encoding="utf-8") for name in ("degree.c", "training_degree.c")
    )
    starts = [part.start for part in monomials.of_degree]
    return fill(
        text,
        MONOMIALS=indented(_monomials(triples), 8),
        SUMS=indented(_sums(len(triples)), 8),
        MIX=indented(_mix(monomials), 12),
        UNMIX=indented(_unmix(monomials), 12),
        EDGES=indented(_edges(len(triples)), 8),
        PULL_BACK=indented(_pull_back(triples), 8),
        **generate_training.loops(triples),
        PRODUCTS="\n".join(products),
        SECOND_PRODUCTS="\n".join(second_products),
        VALUE_CASES=cases("values"),
        GRADIENT_CASES=cases("gradients"),
        SECOND_CASES="\n".join(
            f"    case {nu_max}: second_products = NAME(second_{name}); break;"
            for nu_max, name in names.items()
        ),
        STARTS=", ".join(map(str, [*starts, len(triples)])),
        NL=str(len(triples)),
        L=str(l_max),
    )


def _monomials(triples: Sequence[Triple]) -> Iterator[str]:
    position = {triple: index for index, triple in enumerate(triples)}
    yield "const vec y0 = x - x + 1;"
    for index, triple in enumerate(triples[1:], start=1):
        axis = next(axis for axis in range(3) if triple[axis])
        lower = position[lowered(triple, axis)]
        factor = "xyz"[axis]
        yield f"const vec y{index} = " + (f"y{lower} * {factor};" if lower else f"{factor};")
    for index in range(len(triples)):
        yield f"NAME(store)(values + {index} * capacity + lane, y{index});"


def _sums(n_angular: int) -> Iterator[str]:
    for rows in blocks(0, n_angular):
        yield from accumulate(
            rows,
            "for (int64_t lane = begin; lane < end; ++lane)",
            "const vec r = NAME(load)(radial + lane * width);",
            "r * angular[{row} * capacity + lane]",
            "sums + {row} * width",
        )


def _mix(monomials: Monomials) -> Iterator[str]:
    for degree, rows_of_degree in enumerate(monomials.of_degree):
        yield (
            f"weights = (const REAL *)model->mixing "
            f"+ ({degree} * n_embedding + s) * n_radial * n_mixed + m;"
        )
        for rows in blocks(rows_of_degree.start, rows_of_degree.stop):
            yield from accumulate(
                rows,
                "for (int64_t n = 0; n < n_radial; ++n)",
                "const vec w = NAME(load)(weights + n * n_mixed);",
                "w * raw[{row} * width + n]",
                "to + {row} * columns",
                " * own",
            )


def _unmix(monomials: Monomials) -> Iterator[str]:
    for degree, rows_of_degree in enumerate(monomials.of_degree):
        yield (
            f"weights = (const REAL *)model->unmixing "
            f"+ ({degree} * n_embedding + s) * n_mixed * width + v;"
        )
        for rows in blocks(rows_of_degree.start, rows_of_degree.stop):
            yield from accumulate(
                rows,
                "for (int64_t m = 0; m < n_mixed; ++m)",
                "const vec w = NAME(load)(weights + m * width) * receiver[m];",
                "w * from[{row} * columns + m]",
                "to + {row} * width",
            )


def _edges(n_angular: int) -> Iterator[str]:
    for rows in blocks(0, n_angular, 4):
        yield "{"
        for k in range(len(rows)):
            yield f"    vec a{k} = {{0}}, b{k} = {{0}};"
        yield "    for (int64_t n = 0; n < n_radial; ++n) {"
        yield "        const vec r = NAME(load)(radial + n * capacity);"
        yield "        const vec d = NAME(load)(slopes + n * capacity);"
        for k, row in enumerate(rows):
            yield f"        const REAL g{k} = sums[{row} * width + n];"
            yield f"        a{k} += r * g{k};"
            yield f"        b{k} += d * g{k};"
        yield "    }"
        for k, row in enumerate(rows):
            yield f"    t[{row}] = a{k};"
            yield f"    along += b{k} * NAME(load)(angular + {row} * capacity + lane);"
        yield "}"


def _pull_back(triples: Sequence[Triple]) -> Iterator[str]:
    position = {triple: index for index, triple in enumerate(triples)}
    for index, triple in enumerate(triples):
        for axis in range(3):
            if triple[axis]:
                lower = position[lowered(triple, axis)]
                value = f"NAME(load)(angular + {lower} * capacity + lane)"
                yield f"across[{axis}] += t[{index}] * {value} * (REAL){triple[axis]};"


# Invariants and their gradients, one vector of columns at a time


def _terms(invariants: Invariants) -> tuple:
    return tuple(
        tuple(part.terms) for part in (invariants.squares, invariants.tensors, invariants.products)
    )


def _products(invariants: Invariants, n_angular: int, name: str) -> str:
    def row(index: int, gradient: bool = False) -> str:
        own, tensor = ("g", "h") if gradient else ("a", "t")
        return f"{own}{index}" if index < n_angular else f"{tensor}{index - n_angular}"

    load = [f"const vec a{k} = NAME(load)(mixed + {k} * columns + c);" for k in range(n_angular)]
    tensors = [
        f"const vec t{k} = {value_of(invariants.tensors, k, row)};"
        for k in range(invariants.tensors.n_rows)
    ]
    parts = (invariants.squares, invariants.products)
    values = ["NAME(store)(result + c, a0);"]
    for part in parts:
        for k in range(part.n_rows):
            place = f"result + {len(values)} * columns + c"
            values.append(f"NAME(store)({place}, {value_of(part, k, row)});")
    return "\n".join(
        [
            *_product_function(f"values_{name}", [*load, *tensors, *values]),
            *_product_function(
                f"gradients_{name}", [*load, *tensors, *_gradients(invariants, n_angular, row)]
            ),
        ]
    )


def _gradients(invariants: Invariants, n_angular: int, row) -> Iterator[str]:
    yield "vec g0 = NAME(load)(by_values + c);"
    yield from (f"vec g{k} = {{0}};" for k in range(1, n_angular))
    yield from (f"vec h{k} = {{0}};" for k in range(invariants.tensors.n_rows))
    place = 1 + invariants.squares.n_rows
    for k in range(invariants.products.n_rows):
        yield f"const vec q{k} = NAME(load)(by_values + {place + k} * columns + c);"
    for a, b, k, weight in invariants.products.terms:
        yield f"{row(a, True)} += q{k} * {row(b)} * (REAL){weight};"
        yield f"{row(b, True)} += q{k} * {row(a)} * (REAL){weight};"
    for a, b, k, weight in invariants.tensors.terms:
        yield f"{row(a, True)} += h{k} * {row(b)} * (REAL){weight};"
        yield f"{row(b, True)} += h{k} * {row(a)} * (REAL){weight};"
    for k in range(invariants.squares.n_rows):
        yield f"const vec z{k} = NAME(load)(by_values + {1 + k} * columns + c);"
    for a, b, k, weight in invariants.squares.terms:
        yield f"{row(a, True)} += z{k} * {row(b)} * (REAL){weight};"
        yield f"{row(b, True)} += z{k} * {row(a)} * (REAL){weight};"
    yield from (f"NAME(store)(result + {k} * columns + c, g{k});" for k in range(n_angular))


def _product_function(name: str, lines: Sequence[str]) -> Iterator[str]:
    yield f"static void NAME({name})(const REAL *mixed, const REAL *by_values, REAL *result,"
    yield "                          int64_t columns)"
    yield "{"
    yield "    (void)by_values;"
    yield "    for (int64_t c = 0; c < columns; c += LANES) {"
    yield from (f"        {line}" for line in lines)
    yield "    }"
    yield "}"
    yield ""


# Instances of the body, and the entry points that select one


def _dispatch() -> str:
    lines = list(_instances("base"))
    lines += ["#if defined(__x86_64__) && defined(__GNUC__)", "#define HAS_LEVELS"]
    for target in list(TARGETS)[1:]:
        options, _ = TARGETS[target]
        lines += [
            "#ifdef __clang__",
            f'#pragma clang attribute push(__attribute__((target("{options}"))), '
            "apply_to = function)",
            "#else",
            "#pragma GCC push_options",
            f'#pragma GCC target("{options}")',
            "#endif",
            *_instances(target),
            "#ifdef __clang__",
            "#pragma clang attribute pop",
            "#else",
            "#pragma GCC pop_options",
            "#endif",
        ]
    lines += ["#endif", "", *_entries()]
    return "\n".join(lines)


def _instances(target: str) -> Iterator[str]:
    for precision, (root, n_powers) in PRECISIONS.items():
        yield f"#define REAL {precision}"
        yield f"#define SQRT {root}"
        yield f"#define N_POWERS {n_powers}"
        yield f"#define SUFFIX _{precision}_{target}"
        yield f"#define VECTOR_BYTES {TARGETS[target][1][precision]}"
        if precision == "double":
            yield "#define IN_DOUBLE"
        yield '#include "fused.c"'
        yield from (
            f"#undef {name}" for name in ("REAL", "SQRT", "N_POWERS", "SUFFIX", "VECTOR_BYTES")
        )
        if precision == "double":
            yield "#undef IN_DOUBLE"


def _entries() -> Iterator[str]:
    yield '#define ENTRY __attribute__((visibility("default")))'
    yield "/* Instruction sets: 0 what the compiler assumes, 1 AVX2, 2 AVX-512. */"
    yield "ENTRY int fused_best_level(void)"
    yield "{"
    yield "#ifdef HAS_LEVELS"
    yield "    __builtin_cpu_init();"
    for level, target in reversed(list(enumerate(TARGETS))):
        if TARGETS[target][0]:
            features = TARGETS[target][0].split(",")
            condition = " && ".join(f'__builtin_cpu_supports("{name}")' for name in features)
            yield f"    if ({condition})"
            yield f"        return {level};"
    yield "#endif"
    yield "    return 0;"
    yield "}"
    for name, arguments in ENTRIES.items():
        yield from _entry(name, arguments, "int", tuple(PRECISIONS))
    for name, arguments in MESH_ENTRIES.items():
        yield from _entry(name, arguments, "void", ("double",))
    for name, arguments in EWALD_ENTRIES.items():
        yield from _entry(name, arguments, "int", ("double",))


def _entry(name: str, arguments: str, result: str, precisions: Sequence[str]) -> Iterator[str]:
    names = ", ".join(part.split()[-1].lstrip("*") for part in arguments.split(","))
    yield ""
    yield f"ENTRY {result} fused_{name}(int is_double, int level, {arguments})"
    yield "{"
    yield "    (void)is_double;"
    for level, target in reversed(list(enumerate(TARGETS))):
        if level:
            yield "#ifdef HAS_LEVELS"
        yield f"    if (level >= {level}) {{" if level else "    {"
        for precision in precisions:
            condition = "if (is_double == 0) " if precision == "float" else ""
            call = f"{name}_{precision}_{target}({names});"
            if result == "int":
                yield f"        {condition}return {call}"
            else:
                yield f"        {call}"
                yield "        return;"
        yield "    }"
        if level:
            yield "#endif"
    yield "}"


if __name__ == "__main__":
    main()

"""Representation of MACE networks in the order and with the names of this package."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from ase.data import chemical_symbols
from torch import Tensor

from ase_les.interop.cace_network import expect, unsupported
from ase_les.interop.torch_archive import Record
from ase_les.representation import MaceConfig
from ase_les.representation.mace.couplings import coupled_degrees, monomials
from ase_les.representation.mace.transform import AgnesiConfig

Irrep = tuple[int, int]

_INTERACTIONS = (
    "RealAgnosticResidualInteractionBlock",
    "RealAgnosticInteractionBlock",
    "RealAgnosticDensityResidualInteractionBlock",
    "RealAgnosticDensityInteractionBlock",
)
# Tolerance for coefficients of order one in single precision.
_CANCELED = 1e-5
_CUEQ_REMEDY = (
    "convert the model to the e3nn layout first "
    "(`mace_cueq_to_e3nn`, a command of mace-torch), then read the result"
)


class Network(NamedTuple):
    """Representation of a MACE network: settings, weights by name, atomic numbers."""

    config: MaceConfig
    weights: dict[str, Tensor]
    elements: tuple[int, ...]


def irreps_of(record: Record | str) -> list[Irrep]:
    """Multiplicity and degree of every irreducible representation, of natural parity.

    Raises
    ------
    ValueError
        If a parity is not (−1)^l.
    """
    entries = list(_entries(record))
    for _, degree, parity in entries:
        if parity != (-1) ** degree:
            name = f"{degree}{'e' if parity > 0 else 'o'}"
            raise ValueError(
                f"features of parity {name} are not supported; supported are 0e, 1o, 2e, 3o"
            )
    return [(count, degree) for count, degree, _ in entries]


def _entries(record: Record | str) -> Iterator[tuple[int, int, int]]:
    if isinstance(record, str):
        for text in record.replace(" ", "").split("+"):
            count, _, name = text.rpartition("x")
            yield int(count or 1), int(name[:-1]), 1 if name[-1] == "e" else -1
        return
    for member in record.arguments[0]:
        count, irrep = member.arguments[0] if len(member.arguments) == 1 else member.arguments
        degree, parity = irrep.arguments[0] if len(irrep.arguments) == 1 else irrep.arguments
        yield int(count), int(degree), int(parity)


def read_network(root: Record) -> Network:
    """Return settings and weights of the representation of a MACE network, in float64."""
    _refuse_unknown_parts(root)
    interactions, products = list(root["interactions"]), list(root["products"])
    numbers = root["atomic_numbers"]
    if not 0 < numbers.numel() <= len(chemical_symbols):
        raise ValueError(f"it has {numbers.numel()} elements")
    elements = tuple(int(number) for number in numbers.tolist())
    config = _config(root, interactions, products, len(elements))
    weights = _embedding(root, len(elements), config)
    prefactor = float(root["radial_embedding"]["bessel_fn"]["prefactor"])
    for layer, interaction in enumerate(interactions):
        weights |= _interaction(interaction, layer, config, len(elements), prefactor)
    for layer, product in enumerate(products):
        weights |= _product(product, layer, config, len(elements))
    weights |= _basis(products, config)
    return Network(config, weights, elements)


def _refuse_unknown_parts(root: Record) -> None:
    for name, what in (
        ("joint_embedding", "embeddings of total charge, spin or other state"),
        ("embedding_readout", "energies of embedded states"),
    ):
        if root.get(name) is not None:
            raise ValueError(
                f"it has {what} (`{name}`), which are not supported; use a model trained without"
            )
    expect(root, use_so3=False)
    radial = root["radial_embedding"]
    basis = radial["bessel_fn"]
    if basis.class_name != "BesselBasis":
        raise unsupported("radial basis", basis, ("BesselBasis",))
    transform = radial.get("distance_transform")
    if transform is not None and transform.class_name != "AgnesiTransform":
        raise ValueError(
            f"it transforms distances by {transform.class_name}, which is not supported; "
            "use a model trained with `distance_transform: Agnesi` or None"
        )
    for interaction in root["interactions"]:
        if interaction.class_name not in _INTERACTIONS:
            raise unsupported("interaction", interaction, _INTERACTIONS)
        if any("LoRA" in part.name for part in _parts(interaction)):
            raise ValueError(
                "it has low-rank adapters (LoRA); merge them into the weights first "
                "(`merge_lora_weights` of mace-torch), save the model and read the result"
            )
        if interaction.get("cueq_config") is not None:
            raise ValueError(f"it is in a cuequivariance layout; {_CUEQ_REMEDY}")
    for layer, product in zip(
        list(root["interactions"])[1:], list(root["products"])[1:], strict=True
    ):
        if "Residual" not in layer.class_name or not product.get("use_sc", True):
            raise unsupported("interaction after the first", layer, _INTERACTIONS[::2])


def _parts(record: Record) -> Iterator[Record]:
    for part in record:
        if isinstance(part, Record):
            yield part
            yield from _parts(part)


def _config(
    root: Record, interactions: Sequence[Record], products: Sequence[Record], n_elements: int
) -> MaceConfig:
    radial = root["radial_embedding"]
    first = interactions[0]
    harmonics = irreps_of(first["edge_attrs_irreps"])
    l_max = max(degree for _, degree in harmonics)
    channels = root["node_embedding"]["linear"]["weight"].numel() // n_elements
    hidden = [irreps_of(layer["node_feats_irreps"]) for layer in interactions[1:]]
    l_hidden = max((degree for irreps in hidden for _, degree in irreps), default=0)
    for irreps in hidden:
        if irreps != [(channels, degree) for degree in range(l_hidden + 1)]:
            raise ValueError(
                f"layers with features {irreps} are not supported; supported are the same number "
                "of channels of every degree (0e, 0e + 1o, 0e + 1o + 2e)"
            )
    for layer in interactions:
        edge = layer.get("edge_irreps")
        if edge is not None and irreps_of(edge) != irreps_of(layer["node_feats_irreps"]):
            raise ValueError("messages with separate channels (`edge_irreps`) are not supported")
    neighbors = {float(layer["avg_num_neighbors"]) for layer in interactions}
    if len(neighbors) != 1:
        raise ValueError(f"layers divide by different numbers of neighbors: {sorted(neighbors)}")
    by_density = {"Density" in layer.class_name for layer in interactions}
    if len(by_density) != 1:
        raise ValueError("layers with and without normalization by a density are not supported")
    contractions = [_contractions(product) for product in products]
    orders = {int(part["correlation"]) for parts in contractions for part in parts}
    if len(orders) != 1:
        raise ValueError(f"products of different orders {sorted(orders)} are not supported")
    return MaceConfig(
        cutoff=float(root["r_max"]),
        channels=channels,
        n_radial=radial["bessel_fn"]["bessel_weights"].numel(),
        l_max=l_max,
        l_hidden=l_hidden,
        correlation=orders.pop(),
        n_layers=len(interactions),
        radial_hidden=tuple(w.shape[1] for w in _radial_weights(first)[:-1]),
        cutoff_exponent=int(radial["cutoff_fn"]["p"]),
        trainable_frequencies=radial["bessel_fn"].owns("bessel_weights"),
        mean_neighbors=neighbors.pop(),
        residual_first="Residual" in first.class_name,
        cutoff_on_weights=radial.get("apply_cutoff", True) is False,
        normalization="density" if by_density.pop() else "mean",
        distance_transform=_transform(radial.get("distance_transform"), root),
        stored_paths=_stored_paths(contractions, l_hidden=l_hidden),
    )


def _transform(record: Record | None, root: Record) -> AgnesiConfig | None:
    if record is None:
        return None
    radii = record["covalent_radii"].double()
    a, q, p = (float(record[name]) for name in ("a", "q", "p"))
    return AgnesiConfig(a=a, q=q, p=p, radii=radii_of_elements(radii, root))


def radii_of_elements(radii: Tensor, root: Record) -> dict[str, float]:
    """Return the radii of the elements of a network from a table by atomic number."""
    numbers = root["atomic_numbers"].tolist()
    return {chemical_symbols[number]: float(radii[number]) for number in numbers}


def _contractions(product: Record) -> list[Record]:
    found = product["symmetric_contractions"]
    if found.get("contractions") is None:
        raise ValueError(f"its products have no U matrices; {_CUEQ_REMEDY}")
    return list(found["contractions"])


def _stored_paths(
    contractions: Sequence[Sequence[Record]], l_hidden: int
) -> tuple[tuple[int, ...], ...]:
    """Return numbers of polynomials by degree and order, equal in all layers that have them."""
    paths: list[tuple[int, ...]] = []
    for degree in range(l_hidden + 1):
        part = contractions[0][degree]
        orders = range(1, int(part["correlation"]) + 1)
        paths.append(tuple(part[f"U_matrix_{order}"].shape[-1] for order in orders))
    return tuple(paths)


def _embedding(root: Record, n_elements: int, config: MaceConfig) -> dict[str, Tensor]:
    weight = root["node_embedding"]["linear"]["weight"].double().view(n_elements, config.channels)
    frequencies = root["radial_embedding"]["bessel_fn"]["bessel_weights"].double()
    return {
        "embedding": weight / math.sqrt(n_elements),
        "radial_basis.frequencies": frequencies,
    }


def _radial_weights(interaction: Record, name: str = "conv_tp_weights") -> list[Tensor]:
    """Return weights (inputs, outputs) of a radial network, including silu factors and scales."""
    network = interaction[name]
    if network.class_name != "FullyConnectedNet":
        raise unsupported("radial network", network, ("FullyConnectedNet",))
    weights, factor = [], 1.0
    for layer in network:
        weight = layer["weight"].double()
        weights.append(factor * weight / math.sqrt(weight.shape[0]))
        factor = silu_factor(layer.get("act"))
    return weights


def silu_factor(activation: Record | None) -> float:
    """Return the factor of a normalized silu; 1 without an activation.

    Raises
    ------
    ValueError
        If it is another function.
    """
    if activation is None:
        return 1.0
    function = activation["f"]
    name = getattr(function, "name", str(function))
    if name.rpartition(".")[2].lower() != "silu":
        raise ValueError(f"activations must be silu, got {name}")
    return float(activation["cst"])


def linear_blocks(linear: Record) -> list[tuple[int, int, Tensor]]:
    """Blocks of an equivariant linear map: input, output, weights (inputs, outputs)."""
    if linear.class_name != "Linear":
        raise unsupported("linear map", linear, ("Linear",))
    if linear.get("bias_numel", 0):
        raise ValueError("equivariant linear maps with constant terms are not supported")
    weight, start, blocks = linear["weight"].double(), 0, []
    for instruction in linear["instructions"]:
        source, target, shape, scale = instruction.arguments
        size = math.prod(shape)
        block = weight[start : start + size].view(*shape)
        blocks.append((int(source), int(target), float(scale) * block))
        start += size
    if start != weight.numel():
        raise ValueError(f"a linear map has {weight.numel()} weights, its blocks {start}")
    return blocks


def _interaction(
    record: Record, layer: int, config: MaceConfig, n_elements: int, prefactor: float
) -> dict[str, Tensor]:
    l_input = 0 if layer == 0 else config.l_hidden
    ours = coupled_degrees(config.l_max, l_input)
    *hidden, last = _radial_weights(record)
    # The file has its own rounding of √(2 / cutoff).
    hidden[0] = prefactor / math.sqrt(2 / config.cutoff) * hidden[0]
    order = _path_order(record["conv_tp"], ours)
    weights = last.view(last.shape[0], len(ours), config.channels)
    up = {source: block for source, _, block in linear_blocks(record["linear_up"])}
    prefix = f"interactions.{layer}."
    named = {f"{prefix}radial.weights.{n}": w.T.contiguous() for n, w in enumerate(hidden)}
    if config.normalization == "density":
        (density,) = _radial_weights(record, "density_fn")
        named[f"densities.{layer}"] = prefactor / math.sqrt(2 / config.cutoff) * density[:, 0]
    return {
        **named,
        f"{prefix}radial_weights": weights[:, [number for number, _ in order]]
        * torch.tensor([scale for _, scale in order], dtype=torch.float64)[:, None],
        f"{prefix}up": torch.stack([up[degree] for degree in range(l_input + 1)]),
        f"{prefix}linear": _path_linears(record, ours, order, config.channels),
        f"skips.{layer}": _skip(record["skip_tp"], layer, config, n_elements),
    }


def _path_order(product: Record, ours: Sequence[tuple[int, int, int]]) -> list[tuple[int, float]]:
    """Return the number in the file and the scale over √(2 l₃ + 1) of each path."""
    first, second, third = (irreps_of(product[f"irreps_{name}"]) for name in ("in1", "in2", "out"))
    places: dict[tuple[int, int, int], tuple[int, float]] = {}
    for number, instruction in enumerate(product["instructions"]):
        one, two, out, mode, has_weight, scale, *_ = instruction.arguments
        if mode != "uvu" or not has_weight:
            raise ValueError(f"tensor products of mode {mode!r} are not supported")
        degrees = (first[one][1], second[two][1], third[out][1])
        places[degrees] = (number, float(scale) / math.sqrt(2 * degrees[2] + 1))
    if set(places) != set(ours):
        raise ValueError(f"its messages couple {sorted(places)}; supported are {sorted(ours)}")
    return [places[path] for path in ours]


def _path_linears(
    record: Record,
    ours: Sequence[tuple[int, int, int]],
    order: Sequence[tuple[int, float]],
    channels: int,
) -> Tensor:
    """Linear maps (paths, C, C) after the sum over neighbors, in our order of paths.

    The file has a block for every path, or one for all paths to the same degree.
    """
    product = record["conv_tp"]
    outputs = [instruction.arguments[2] for instruction in product["instructions"]]
    # The paths of the file in the order in which their results are read.
    reading = sorted(range(len(outputs)), key=lambda number: outputs[number])
    stacked = [block for _, _, block in linear_blocks(record["linear"])]
    rows = torch.cat([block.reshape(-1, channels, channels) for block in stacked])
    if len(rows) != len(ours):
        raise ValueError(f"{len(rows)} linear maps for {len(ours)} paths")
    place = {number: index for index, number in enumerate(reading)}
    return rows[[place[number] for number, _ in order]]


def _skip(record: Record, layer: int, config: MaceConfig, n_elements: int) -> Tensor:
    """Weights (degrees, elements, C, C) of the tensor product with the element."""
    inputs = irreps_of(record["irreps_in1"])
    weight, start, blocks = record["weight"].double(), 0, {}
    for instruction in record["instructions"]:
        source, _, _, _, _, scale, shape = instruction.arguments
        degree, size = inputs[source][1], math.prod(shape)
        block = weight[start : start + size].view(*shape).transpose(0, 1)
        blocks[degree] = block * (float(scale) / math.sqrt(2 * degree + 1))
        start += size
    if layer == 0 and not config.residual_first:
        degrees = config.l_max + 1
    else:
        degrees = 1 + min(0 if layer == 0 else config.l_hidden, config.l_results[layer])
    size = (n_elements, config.channels, config.channels)
    if any(degree not in blocks or blocks[degree].shape != size for degree in range(degrees)):
        raise ValueError(f"skip connections of degrees {sorted(blocks)} are not supported")
    return torch.stack([blocks[degree] for degree in range(degrees)])


def _product(record: Record, layer: int, config: MaceConfig, n_elements: int) -> dict[str, Tensor]:
    """Return the weights of the polynomials that are used; a last layer may have more."""
    linears = {source: block for source, _, block in linear_blocks(record["linear"])}
    prefix, named = f"products.{layer}.", {}
    l_result = config.l_results[layer]
    for degree in range(l_result + 1):
        part = _contractions(record)[degree]
        lower = list(part["weights"])
        for order in range(1, config.correlation + 1):
            is_highest = order == config.correlation
            weight = part["weights_max"] if is_highest else lower[config.correlation - order - 1]
            # (elements, n, C); one set of weights may serve all elements.
            part.budget.allow(n_elements * weight[0].numel())
            weight = weight.double().expand(n_elements, *weight.shape[1:]).transpose(0, 1)
            number = degree * config.correlation + order - 1
            named[f"{prefix}weights.{number}"] = weight.contiguous()
    stacked = torch.stack([linears[degree] for degree in range(l_result + 1)])
    return {**named, f"{prefix}linear": stacked}


def _basis(products: Sequence[Record], config: MaceConfig) -> dict[str, Tensor]:
    """Return symmetrized polynomial coefficients of the first layer; all layers must agree."""
    bases = []
    for layer, product in enumerate(products):
        named = {}
        for degree in range(config.l_results[layer] + 1):
            part = _contractions(product)[degree]
            for order in range(1, config.correlation + 1):
                given = part[f"U_matrix_{order}"].double()
                given = given if degree else given[None]
                size = (config.l_max + 1) ** 2
                if given.shape[:-1] != (2 * degree + 1, *[size] * order):
                    raise ValueError(f"U matrices of shape {tuple(given.shape)} are not supported")
                named[f"basis.order_{order}_degree_{degree}"] = symmetrized(
                    given, monomials(config.l_max, order, degree)
                )
        bases.append(named)
    for basis in bases[1:]:
        for name, values in basis.items():
            if bases[0][name].shape != values.shape or not torch.equal(bases[0][name], values):
                raise ValueError("layers with different U matrices are not supported")
    return bases[0]


def symmetrized(coefficients: Tensor, products: Sequence[tuple[int, ...]]) -> Tensor:
    """Coefficients (monomials, 2 L + 1, n) of a tensor (2 L + 1, components…, n).

    Raises
    ------
    ValueError
        If it has a monomial that no equivariant polynomial has.
    """
    indices = coefficients.abs().amax(dim=(0, -1)).nonzero()
    keys = [tuple(sorted(index)) for index in indices.tolist()]
    # Parts of a tensor without a corresponding polynomial cancel by symmetry.
    place = {product: row for row, product in enumerate(dict.fromkeys((*products, *keys)))}
    values = coefficients.movedim(0, -2)[tuple(indices.T)]
    sums = values.new_zeros(len(place), *values.shape[1:])
    sums.index_add_(0, torch.tensor([place[key] for key in keys], dtype=torch.int64), values)
    left_over = sums[len(products) :].abs().flatten(1).amax(1)
    if len(left_over) and float(left_over.max()) > _CANCELED:
        worst = list(place)[len(products) + int(left_over.argmax())]
        raise ValueError(f"U matrices couple components {worst}, which no rotation allows")
    return sums[: len(products)]

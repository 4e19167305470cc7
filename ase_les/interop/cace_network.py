"""Representation and readouts of published CACE networks, in the order and names of ase_les."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from ase_les.interop.torch_archive import Record
from ase_les.representation import CaceConfig
from ase_les.representation.angular import Invariants, angular_indices
from ase_les.representation.cace import Message

_MESSAGES: dict[str, Message] = {
    "NodeMemory": "memory",
    "MessageAr": "radial",
    "MessageBchi": "invariant",
}


class _Places(NamedTuple):
    """Return the positions of the features in the file among those of this package."""

    columns: Tensor
    n_features: int

    @classmethod
    def of(cls, config: CaceConfig, order: list[int], n_layers: int) -> _Places:
        n_emb, n_mixed = config.n_embedding, config.n_mixed
        n_invariants = Invariants(config.l_max, config.nu_max).n_invariants
        ours = torch.arange(n_layers * n_invariants * n_emb**2 * n_mixed)
        ours = ours.view(n_layers, n_invariants, n_emb, n_mixed, n_emb)
        return cls(ours[:, order].permute(3, 1, 2, 4, 0).flatten(), ours.numel())

    def reordered(self, layer: Record) -> Tensor:
        """Return weights (n, features of the file) of a linear layer as (n, our features)."""
        weight = layer["weight"]
        given, known = weight.shape[1], len(self.columns)
        if given != known:
            raise ValueError(f"a layer reads {given} features, the representation has {known}")
        layer.budget.allow(len(weight) * self.n_features)
        reordered = weight.new_zeros(len(weight), self.n_features, dtype=torch.float64)
        return reordered.index_add(1, self.columns, weight.double())


@dataclass(frozen=True)
class _Weights:
    """Weights with the names of a part of an `LESModel`."""

    tensors: dict[str, Tensor]

    def prefixed(self, prefix: str) -> dict[str, Tensor]:
        return {prefix + name: tensor for name, tensor in self.tensors.items()}


@dataclass(frozen=True)
class Features(_Weights):
    """A representation."""

    config: CaceConfig
    elements: tuple[int, ...]
    places: _Places

    def same_as(self, other: Features) -> bool:
        return self.config == other.config and all(
            torch.equal(tensor, other.tensors[name]) for name, tensor in self.tensors.items()
        )


@dataclass(frozen=True)
class Outputs(_Weights):
    """A readout of features."""

    n_outputs: int
    hidden: tuple[int, ...]
    bias: bool
    linear: bool
    scale: float


_PARTS = {
    "node_embedding_sender": "NodeEmbedding",
    "node_embedding_receiver": "NodeEmbedding",
    "edge_coding": "EdgeEncoder",
    "radial_basis": "BesselRBF",
    "cutoff_fn": "PolynomialCutoff",
    "angular_basis": "AngularComponent",
    "radial_transform": "SharedRadialLinearTransform",
    "symmetrizer": "Symmetrizer",
}


def read_representation(record: Record, elements: tuple[int, ...] | None = None) -> Features:
    """Return settings and weights of a representation; `elements` in the requested order."""
    if record.class_name != "Cace":
        raise unsupported("representation", record, ("Cace",))
    for name, known in _PARTS.items():
        if record[name].class_name != known:
            raise unsupported(f"{name} of the representation", record[name], (known,))
    expect(record["edge_coding"], directed=True)
    stored = [int(number) for number in record["zs"]]
    elements = elements or tuple(stored)
    if sorted(elements) != sorted(stored):
        raise ValueError(f"two representations have different elements, {elements} and {stored}")
    rows = [_row(record, stored, number) for number in elements]
    radial = record["radial_basis"]
    layers = _layers(record)
    config = _cace_config(record, layers)
    _check_size(record, config)

    # The prefactor of the radial functions is stored in float32; correct its rounding here.
    norm = float(radial["prefactor"]) / math.sqrt(2 / config.cutoff)
    matrices = record["radial_transform"]["weights"]
    tensors = {
        "embedding.sender": record["node_embedding_sender"]["embedding_weights"].double()[rows],
        "embedding.receiver": record["node_embedding_receiver"]["embedding_weights"].double()[rows],
        "neighbour_sum.radial.frequencies": radial["bessel_weights"].double(),
        "mixing": norm * torch.stack([_mixing(matrix, config.n_embedding) for matrix in matrices]),
    }
    order = _invariants(record["symmetrizer"], config)
    layer_places = _Places.of(config, order, n_layers=1)
    for index, layer in enumerate(layers):
        for entry in layer:
            prefix = f"layers.{index}.{_MESSAGES[entry.class_name]}."
            for name, tensor in _message(entry, config, layer_places).items():
                tensors[prefix + name] = tensor
    places = _Places.of(config, order, n_layers=1 + len(layers))
    return Features(tensors, config, elements, places)


def _cace_config(record: Record, layers: list[list[Record]]) -> CaceConfig:
    radial, cutoff = record["radial_basis"], record["cutoff_fn"]
    matrices = list(record["radial_transform"]["weights"])
    n_radial, n_mixed = matrices[0].shape[:2]
    senders = [
        _values(entry) for layer in layers for entry in layer if entry.class_name == "MessageBchi"
    ]
    return CaceConfig(
        cutoff=float(cutoff["cutoff"]),
        n_radial=n_radial,
        n_mixed=n_mixed,
        n_embedding=record["node_embedding_sender"]["embedding_weights"].shape[1],
        l_max=len(matrices) - 1,
        nu_max=int(record["max_nu"]),
        cutoff_exponent=round(float(cutoff["p"])),
        trainable_frequencies=radial.owns("bessel_weights"),
        layers=tuple(tuple(_MESSAGES[entry.class_name] for entry in layer) for layer in layers),
        mean_neighbors=float(record.get("mp_norm_factor", 1.0)) ** -2,
        separate_values=any(values != (1, 1) for values in senders),
    )


def _check_size(record: Record, config: CaceConfig) -> None:
    """Raise an error if features or weights need many more numbers than the file contains."""
    n_invariants = Invariants(config.l_max, config.nu_max).n_invariants
    channels = config.n_embedding**2 * config.n_mixed
    record.budget.allow((1 + len(config.layers)) * n_invariants * channels)
    record.budget.allow((config.l_max + 1) * config.n_radial * channels)


def _layers(record: Record) -> list[list[Record]]:
    layers = [
        [entry for entry in layer if entry is not None]
        for layer in record.get("message_passing_list", ())
    ]
    for entry in itertools.chain(*layers):
        if entry.class_name not in _MESSAGES:
            raise unsupported("message", entry, tuple(_MESSAGES))
    return layers


def _row(record: Record, stored: list[int], number: int) -> int:
    index_map = record["node_onehot"].get("index_map")
    return stored.index(number) if index_map is None else int(index_map[number])


def _mixing(matrix: Tensor, n_emb: int) -> Tensor:
    """(n, m, c) to (s, n, m r)."""
    if matrix.dim() == 2:
        matrix = matrix[..., None].expand(*matrix.shape, n_emb**2)
    return _split(matrix.double(), n_emb).permute(2, 0, 1, 3).flatten(2)


def _split(values: Tensor, n_emb: int) -> Tensor:
    """(..., c) to (..., s, r)."""
    return values.unflatten(-1, (n_emb, n_emb))


def _message(entry: Record, config: CaceConfig, places: _Places) -> dict[str, Tensor]:
    n_emb = config.n_embedding

    def per_channel(matrices) -> Tensor:
        # (m, c) to (s, m, r), for every degree.
        return torch.stack([_split(m.double(), n_emb).permute(1, 0, 2) for m in matrices])

    if entry.class_name == "NodeMemory":
        return {"factor": per_channel(entry["memory_coef"])}
    if entry.class_name == "MessageAr":
        return {
            "amplitude": per_channel(entry["prefactor"]),
            "inverse_length": per_channel(entry["invr0"]),
        }
    dense = single(list(entry["hnet"]), "layer of MessageBchi.hnet")
    if _activation(dense) is not None:
        raise ValueError("MessageBchi with an activation is not supported")
    weight = places.reordered(dense["linear"])
    bias = dense["linear"]["bias"]
    bias = torch.zeros(len(weight)) if bias is None else bias
    both = torch.cat([weight, bias.double()[:, None]], dim=1)
    if config.separate_values:
        n_degrees, n_channels = _values(entry)
        entry.budget.allow((config.l_max + 1) * n_emb**2 * both.shape[1])
        both = both.view(n_degrees, n_channels, -1)
        both = both.expand(config.l_max + 1, n_emb**2, -1).flatten(0, 1)
    return {"value.weight": both[:, :-1].contiguous(), "value.bias": both[:, -1].contiguous()}


def _values(entry: Record) -> tuple[int, int]:
    """Degrees and channels that a MessageBchi distinguishes."""
    return int(entry.get("nl", 1)), int(entry.get("nc", 1))


def _invariants(symmetrizer: Record, config: CaceConfig) -> list[int]:
    """Identify the invariants of the file by their values for random sums."""
    triples = angular_indices(config.l_max)
    position = {triple: index for index, triple in enumerate(triples)}
    sums = torch.randn(len(triples), 5, generator=torch.Generator().manual_seed(0)).double()
    ours = Invariants(config.l_max, config.nu_max).double()(sums)
    file_sums = [sums[0]]
    for products in symmetrizer["vec_dict_allnu"].values():
        for polynomial in products.values():
            value = torch.zeros(sums.shape[1]).double()
            for *factors, coefficient in polynomial:
                index = [position[tuple(factor)] for factor in factors]
                value += coefficient * sums[index].prod(0)
            file_sums.append(value)
    order = []
    for number, value in enumerate(file_sums):
        match = torch.isclose(ours, value).all(dim=1).nonzero().flatten().tolist()
        if not match:
            raise ValueError(f"invariant {number} of l ≤ {config.l_max} is not supported")
        order.append(match[0])
    return order


def read_readout(record: Record, features: Features) -> Outputs:
    """Return settings and weights of a readout of these features."""
    expect(record, aggregation_mode="sum", residual=False, use_batchnorm=False, post_process=None)
    if record.get("feature_key", "node_feats") not in ("node_feats", ["node_feats"]):
        raise ValueError(f"a readout reads {record['feature_key']!r}; supported is 'node_feats'")
    layers = list(record["outnet"])
    for layer, activation in zip(layers, [*["silu"] * (len(layers) - 1), None], strict=True):
        if _activation(layer) != activation:
            raise ValueError("readouts have SiLU between their layers and nothing after the last")
    dense = [layer["linear"] for layer in layers]
    direct = record.get("linear_nn")
    if direct is not None:
        dense.append(direct["linear"])
    bias = any(layer["bias"] is not None for layer in dense)
    names = [f"network.{2 * index}." for index in range(len(layers))]
    names += ["linear."] if direct is not None else []
    tensors = {}
    for name, layer in zip(names, dense, strict=True):
        is_first = name in ("network.0.", "linear.")
        weight = features.places.reordered(layer) if is_first else layer["weight"].double()
        tensors[name + "weight"] = weight
        if bias:
            given = layer["bias"]
            tensors[name + "bias"] = weight.new_zeros(len(weight)) if given is None else given
    return Outputs(
        tensors=tensors,
        n_outputs=len(layers[-1]["linear"]["weight"]),
        hidden=tuple(len(layer["linear"]["weight"]) for layer in layers[:-1]),
        bias=bias,
        linear=direct is not None,
        scale=float(record.get("output_scaling_factor", 1.0)),
    )


def _activation(layer: Record) -> str | None:
    found = layer.get("activation")
    if found is None or found.name.endswith(".Identity"):
        return None
    if found.name.rpartition(".")[2].lower() == "silu":
        return "silu"
    raise ValueError(f"activation {found.name} is not supported; supported is SiLU")


def single(entries: list, what: str):
    """Return the only entry, or raise ValueError."""
    if len(entries) != 1:
        raise ValueError(f"one {what} is supported, found {len(entries)}: {entries}")
    return entries[0]


def expect(record: Record, **values) -> None:
    """Raise an error for settings that would change the energy; older files lack most of them."""
    for name, value in values.items():
        found = record.get(name, value)
        if found != value:
            raise ValueError(f"{record.name} with {name} = {found!r}; supported is {value!r}")


def unsupported(what: str, record: Record, supported: tuple[str, ...]) -> ValueError:
    """Return the error to raise for a part of a checkpoint that this package does not support."""
    return ValueError(f"{what} {record.name} is not supported; supported: {', '.join(supported)}")

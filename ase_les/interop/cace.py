r"""Published LES models: whole CACE networks saved by torch, turned into an `LESModel`.

What these files hold is read by `ase_les.interop.torch_archive`, which runs nothing. Their
conventions, fixed by reference energies, forces and charges of their authors' program:

====================  ==========================================================================
Quantity              Convention of the files
====================  ==========================================================================
edge channel          :math:`c = (s, r)`: sender first
feature               flattened as (mixed radial m, invariant, c, layer)
values of "Bchi"      flattened as (angular degree, c)
radial message        :math:`a\, e^{-r/r_0}` with the sign of :math:`1/r_0` as stored
norm of messages      on the messages, not on the memory
charge                :math:`E = \frac{f}{V} \sum_{\mathbf{k}} \ldots |S(\mathbf{k})|^2` with their
                      own :math:`f` for :math:`1/(2\epsilon_0) = 2\pi k_e`; charges are scaled by
                      :math:`\sqrt{f/2\pi k_e}` into e, so that the energy remains theirs
k-cutoff              :math:`2\pi/dl`, compared to the last digit
background            none
removed self-energy   that of all charge channels, once per channel
weight                of the long-range energy alone: charges are those before it
open boundaries       the same kernel; old files divide by r + 1e-6 Å, which is left out here
====================  ==========================================================================
"""

from __future__ import annotations

import hashlib
import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import torch
from ase.data import chemical_symbols
from torch import Tensor

from ase_les.charges import ChargesConfig
from ase_les.electrostatics import ElectrostaticsConfig
from ase_les.electrostatics.wave_vectors import SHELL_TOLERANCE
from ase_les.interop.torch_archive import Record, read_archive
from ase_les.model import LESModel, LongRangeConfig, ModelConfig, ShortRangeConfig
from ase_les.representation import CaceConfig
from ase_les.representation.angular import Invariants, angular_indices
from ase_les.units import COULOMB_CONSTANT

#: 1/(2ε₀) in eV Å, the prefactor of the reciprocal sum.
PREFACTOR = 2 * math.pi * COULOMB_CONSTANT

LICENCE = "CC BY-NC 4.0, as published by its authors; not redistributable here"

_MESSAGES = {"NodeMemory": "memory", "MessageAr": "radial", "MessageBchi": "invariant"}
_TERMS = ("Atomwise", "EwaldPotential", "LesWrapper")


def read_checkpoint(
    path: str | Path,
    atomic_energies: Mapping[str, float] | None = None,
    *,
    converged_ewald: bool = False,
) -> LESModel:
    """A published checkpoint as a model in float64, with a card that says where it is from.

    Parameters
    ----------
    path : str or Path
        Checkpoint of a whole network, written by ``torch.save``.
    atomic_energies : mapping of str to float or None
        Energy of every element in eV, which these files do not hold; None leaves
        all at zero.
    converged_ewald : bool
        Whether the reciprocal sum is converged, which makes the energy a smooth
        function of the cell, instead of cut off where its authors did.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is not a checkpoint, its network has parts without a
        counterpart here, or an element has no energy.
    """
    path = Path(path)
    root = read_archive(path)
    try:
        return _model(root, path, atomic_energies, converged_ewald)
    except ValueError as error:
        raise ValueError(f"'{path}' cannot be converted: {error}") from None
    except (AttributeError, LookupError, RuntimeError, TypeError) as error:
        raise ValueError(f"'{path}' has an unknown layout: {error!r}") from error


def _model(
    root, path: Path, atomic_energies: Mapping[str, float] | None, converged_ewald: bool
) -> LESModel:
    if not isinstance(root, Record):
        raise ValueError(
            f"it holds a {type(root).__name__}, not a network. Weights alone do not say what "
            "they belong to: save the network itself with torch.save"
        )
    terms = list(_terms(root))
    short = _single([term for term in terms if term.module.class_name == "Atomwise"], "short range")
    features = _representation(short.potential["representation"])
    energy = _readout(short.module, features)
    weights = features.prefixed("representation.") | energy.prefixed("short_range.")

    long_range, facts = None, {}
    others = [term for term in terms if term is not short]
    if others:
        term = _single(others, "long range")
        own = _representation(term.potential["representation"], features.elements)
        if own.same_as(features):
            own = None
        else:
            weights |= own.prefixed("charge_representation.")
        charges = _readout(_charges(term), own or features)
        weights |= charges.prefixed("charges.readout.")
        long_range = _long_range(term, charges, own, converged_ewald)
        facts = {"long_range": _facts(long_range, _stored_prefactor(term), converged_ewald)}
    model = LESModel(
        ModelConfig(
            atomic_energies=_complete(atomic_energies, features.elements),
            representation=features.config,
            short_range=ShortRangeConfig(
                hidden=energy.hidden,
                bias=energy.bias,
                linear=energy.linear,
                scale=energy.scale * short.weight,
            ),
            long_range=long_range,
        ),
        seed=0,
    ).double()
    unmatched = set(dict(model.named_parameters())) ^ set(weights)
    if unmatched:
        raise ValueError(f"no place or no value for the weights {sorted(unmatched)}")
    model.load_state_dict(model.state_dict() | weights)
    model.card = {
        "name": path.stem,
        "source": {
            "file": path.name,
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            "network": root.name,
            "ignored": sorted(_ignored(root, terms)),
        },
        "licence": LICENCE,
        "atomic_energies": (
            "given by the user" if atomic_energies else "none: energies are without offsets"
        ),
        **facts,
    }
    return model


def _long_range(
    term: _Term, charges: _Outputs, own: _Features | None, converged_ewald: bool
) -> LongRangeConfig:
    electrostatics = _electrostatics(term, charges.n_outputs)
    if converged_ewald:
        electrostatics = replace(electrostatics, k_cutoff=None, shell_tolerance=SHELL_TOLERANCE)
    return LongRangeConfig(
        charges=ChargesConfig(
            n_channels=charges.n_outputs,
            hidden=charges.hidden,
            bias=charges.bias,
            linear=charges.linear,
            scale=charges.scale * math.sqrt(_stored_prefactor(term) / PREFACTOR),
            neutrality="none",
        ),
        electrostatics=electrostatics,
        representation=own.config if own else None,
    )


def _facts(config: LongRangeConfig, stored_prefactor: float, converged_ewald: bool) -> dict:
    electrostatics = config.electrostatics
    removed = f"removed, {electrostatics.self_energy_copies} times from a periodic sum"
    return {
        "stored_prefactor_eV_A": stored_prefactor,
        "prefactor_eV_A": PREFACTOR,
        "stored_charge_per_e": math.sqrt(PREFACTOR / stored_prefactor),
        "smearing_A": electrostatics.smearing,
        "k_cutoff_per_A": electrostatics.kernel().k_cutoff,
        "k_cutoff": "converged" if converged_ewald else "as published",
        "self_energy": removed if electrostatics.remove_self_energy else "kept",
        "background": electrostatics.background,
        "weight": electrostatics.weight,
    }


def _complete(given: Mapping[str, float] | None, elements: tuple[int, ...]) -> dict[str, float]:
    symbols = [chemical_symbols[number] for number in elements]
    if given is None:
        return dict.fromkeys(symbols, 0.0)
    missing = [symbol for symbol in symbols if symbol not in given]
    if missing:
        raise ValueError(
            f"`atomic_energies` needs {', '.join(symbols)}; {', '.join(missing)} are missing"
        )
    return {symbol: float(given[symbol]) for symbol in symbols}


@dataclass(frozen=True)
class _Term:
    """A term of the energy: the module that computes it, its potential and its weight."""

    module: Record
    potential: Record
    weight: float


def _terms(root: Record) -> Iterator[_Term]:
    if root.class_name == "NeuralNetworkPotential":
        yield from _expanded(root, _energy_key(root), 1.0)
    elif root.class_name == "CombinePotential":
        operation = root.get("operation")
        if operation is not None and not operation.name.endswith(".default_operation"):
            raise ValueError(f"potentials are combined by {operation.name}; supported is their sum")
        potentials, keys = list(root["models"]), list(root["potential_keys"])
        energy_keys = [_energy_key(potential) for potential in potentials]
        for potential, energy_key, names in zip(potentials, energy_keys, keys, strict=True):
            if energy_key not in names.values():
                raise ValueError(f"the energy {energy_key!r} is not among the combined {names}")
            yield from _expanded(potential, energy_key, float(names.get("weight", 1.0)))
    else:
        raise _unsupported("network", root, ("NeuralNetworkPotential", "CombinePotential"))


def _energy_key(potential: Record) -> str:
    """The output whose gradient the potential calls forces."""
    if potential.class_name != "NeuralNetworkPotential":
        raise _unsupported("potential", potential, ("NeuralNetworkPotential",))
    if potential.get("do_postprocessing") and list(potential["postprocessors"]):
        raise ValueError(f"outputs are changed by {list(potential['postprocessors'])}")
    modules = list(potential["output_modules"])
    keys = {m["energy_key"] for m in modules if m.class_name == "Forces"}
    if not keys:
        keys = {m["output_key"] for m in modules if m.class_name == "FeatureAdd"}
    if not keys:
        keys = {_output_key(m) for m in modules if m.class_name in _TERMS}
    if len(keys) != 1:
        raise ValueError(f"one energy is needed, its outputs offer {sorted(keys)}")
    return keys.pop()


def _expanded(potential: Record, key: str, weight: float) -> Iterator[_Term]:
    module = _producer(potential, key)
    if module.class_name == "FeatureAdd":
        for part in module["feature_keys"]:
            yield from _expanded(potential, part, weight)
    elif module.class_name in _TERMS:
        yield _Term(module, potential, weight)
    else:
        raise _unsupported(f"energy {key!r}", module, (*_TERMS, "FeatureAdd"))


def _producer(potential: Record, key: str) -> Record:
    for module in potential["output_modules"]:
        if key in (_output_key(module), module.get("per_atom_output_key")):
            return module
    raise ValueError(f"no output module computes {key!r}")


def _output_key(module: Record) -> str | None:
    # Forces also have an energy_key, but only read it.
    if module.class_name == "LesWrapper":
        return module.get("energy_key", module.get("output_key"))
    return module.get("output_key")


def _ignored(root: Record, terms: list[_Term]) -> set[str]:
    """Modules after the energy: derivatives, polarization and the like."""
    potentials = list(root["models"]) if root.class_name == "CombinePotential" else [root]
    used = {id(term.module) for term in terms}
    used |= {id(_charges(t)) for t in terms if t.module.class_name != "Atomwise"}
    return {
        module.name
        for potential in potentials
        for module in potential["output_modules"]
        if id(module) not in used and module.class_name not in ("Forces", "FeatureAdd")
    }


def _charges(term: _Term) -> Record:
    """The readout of the charges that a long-range term reads."""
    if term.module.class_name == "LesWrapper":
        les = term.module["les"]
        if not les.get("use_atomwise", True):
            raise ValueError("LES without a charge readout of its own is not supported")
        return les["atomwise"]
    module = _producer(term.potential, term.module["feature_key"])
    if module.class_name != "Atomwise":
        raise _unsupported("charges", module, ("Atomwise",))
    return module


def _ewald(term: _Term) -> Record:
    return term.module["les"]["ewald"] if term.module.class_name == "LesWrapper" else term.module


def _stored_prefactor(term: _Term) -> float:
    return float(_ewald(term).get("norm_factor", 1.0))


def _electrostatics(term: _Term, n_channels: int) -> ElectrostaticsConfig:
    ewald = _ewald(term)
    _expect(ewald, exponent=1, external_field=None, charge_neutral_lambda=None)
    _expect(ewald, aggregation_mode="sum")
    k_cutoff = 2 * math.pi / float(ewald["dl"])
    squared = float(ewald.get("k_sq_max", k_cutoff**2))
    return ElectrostaticsConfig(
        smearing=float(ewald["sigma"]),
        k_cutoff=k_cutoff if k_cutoff**2 == squared else math.sqrt(squared),
        remove_self_energy=bool(ewald["remove_self_interaction"]),
        background=False,
        weight=term.weight,
        self_energy_copies=n_channels,
        shell_tolerance=0.0,
    )


class _Places(NamedTuple):
    """Where the features of the file, in their order, stand among all of ours."""

    index: Tensor
    n_features: int

    @classmethod
    def of(cls, config: CaceConfig, order: list[int], n_layers: int) -> _Places:
        n_emb, n_mixed = config.n_embedding, config.n_mixed
        n_invariants = Invariants(config.l_max, config.nu_max).n_invariants
        ours = torch.arange(n_layers * n_invariants * n_emb**2 * n_mixed)
        ours = ours.view(n_layers, n_invariants, n_emb, n_mixed, n_emb)
        return cls(ours[:, order].permute(3, 1, 2, 4, 0).flatten(), ours.numel())

    def reordered(self, weight: Tensor) -> Tensor:
        """Weights (n, features of the file) as (n, our features)."""
        given, known = weight.shape[1], len(self.index)
        if given != known:
            raise ValueError(f"a layer reads {given} features, the representation has {known}")
        reordered = weight.new_zeros(len(weight), self.n_features, dtype=torch.float64)
        return reordered.index_add(1, self.index, weight.double())


@dataclass(frozen=True)
class _Weights:
    """Weights under the names they have in a part of our model."""

    tensors: dict[str, Tensor]

    def prefixed(self, prefix: str) -> dict[str, Tensor]:
        return {prefix + name: tensor for name, tensor in self.tensors.items()}


@dataclass(frozen=True)
class _Features(_Weights):
    """A representation."""

    config: CaceConfig
    elements: tuple[int, ...]
    places: _Places

    def same_as(self, other: _Features) -> bool:
        return self.config == other.config and all(
            torch.equal(tensor, other.tensors[name]) for name, tensor in self.tensors.items()
        )


@dataclass(frozen=True)
class _Outputs(_Weights):
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


def _representation(record: Record, elements: tuple[int, ...] | None = None) -> _Features:
    if record.class_name != "Cace":
        raise _unsupported("representation", record, ("Cace",))
    for name, known in _PARTS.items():
        if record[name].class_name != known:
            raise _unsupported(f"{name} of the representation", record[name], (known,))
    _expect(record["edge_coding"], directed=True)
    stored = [int(number) for number in record["zs"]]
    elements = elements or tuple(stored)
    if sorted(elements) != sorted(stored):
        raise ValueError(f"two representations know different elements, {elements} and {stored}")
    rows = [_row(record, stored, number) for number in elements]
    radial = record["radial_basis"]
    layers = _layers(record)
    config = _cace_config(record, layers)

    # The prefactor of the radial functions is stored in float32; what it misses goes here.
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
    return _Features(tensors, config, elements, places)


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
        layers=[[_MESSAGES[entry.class_name] for entry in layer] for layer in layers],
        mean_neighbours=float(record.get("mp_norm_factor", 1.0)) ** -2,
        separate_values=any(values != (1, 1) for values in senders),
    )


def _layers(record: Record) -> list[list[Record]]:
    layers = [
        [entry for entry in layer if entry is not None]
        for layer in record.get("message_passing_list", ())
    ]
    for entry in itertools.chain(*layers):
        if entry.class_name not in _MESSAGES:
            raise _unsupported("message", entry, tuple(_MESSAGES))
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
    dense = _single(list(entry["hnet"]), "layer of MessageBchi.hnet")
    if _activation(dense) is not None:
        raise ValueError("MessageBchi with an activation is not supported")
    weight = places.reordered(dense["linear"]["weight"])
    bias = dense["linear"]["bias"]
    bias = torch.zeros(len(weight)) if bias is None else bias
    both = torch.cat([weight, bias.double()[:, None]], dim=1)
    if config.separate_values:
        n_degrees, n_channels = _values(entry)
        both = both.view(n_degrees, n_channels, -1)
        both = both.expand(config.l_max + 1, n_emb**2, -1).flatten(0, 1)
    return {"value.weight": both[:, :-1].contiguous(), "value.bias": both[:, -1].contiguous()}


def _values(entry: Record) -> tuple[int, int]:
    """Degrees and channels that a MessageBchi tells apart."""
    return int(entry.get("nl", 1)), int(entry.get("nc", 1))


def _invariants(symmetrizer: Record, config: CaceConfig) -> list[int]:
    """Which invariant of ours each of theirs is, found by their values for random sums."""
    triples = angular_indices(config.l_max)
    position = {triple: index for index, triple in enumerate(triples)}
    sums = torch.randn(len(triples), 5, generator=torch.Generator().manual_seed(0)).double()
    ours = Invariants(config.l_max, config.nu_max).double()(sums)
    theirs = [sums[0]]
    for products in symmetrizer["vec_dict_allnu"].values():
        for polynomial in products.values():
            value = torch.zeros(sums.shape[1]).double()
            for *factors, coefficient in polynomial:
                index = [position[tuple(factor)] for factor in factors]
                value += coefficient * sums[index].prod(0)
            theirs.append(value)
    order = []
    for number, value in enumerate(theirs):
        match = torch.isclose(ours, value).all(dim=1).nonzero().flatten().tolist()
        if not match:
            raise ValueError(f"invariant {number} of l ≤ {config.l_max} is not known here")
        order.append(match[0])
    return order


def _readout(record: Record, features: _Features) -> _Outputs:
    _expect(record, aggregation_mode="sum", residual=False, use_batchnorm=False, post_process=None)
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
        weight = layer["weight"].double()
        if name in ("network.0.", "linear."):
            weight = features.places.reordered(weight)
        tensors[name + "weight"] = weight
        if bias:
            given = layer["bias"]
            tensors[name + "bias"] = weight.new_zeros(len(weight)) if given is None else given
    return _Outputs(
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


def _single(entries: list, what: str):
    if len(entries) != 1:
        raise ValueError(f"one {what} is supported, found {len(entries)}: {entries}")
    return entries[0]


def _expect(record: Record, **values) -> None:
    """Refuse settings that would change the energy; older files lack most of them."""
    for name, value in values.items():
        found = record.get(name, value)
        if found != value:
            raise ValueError(f"{record.name} with {name} = {found!r}; supported is {value!r}")


def _unsupported(what: str, record: Record, supported: tuple[str, ...]) -> ValueError:
    return ValueError(f"{what} {record.name} is not supported; supported: {', '.join(supported)}")

r"""Published LES models: whole CACE networks saved by torch, turned into an `LESModel`.

What these files hold is read by `ase_les.interop.torch_archive`, which runs nothing. Their
conventions, fixed by reference energies, forces and charges of their authors' program:

CONVENTIONS
"""

from __future__ import annotations

import hashlib
import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from ase.data import chemical_symbols
from torch import Tensor

from ase_les.charges import ChargesConfig
from ase_les.electrostatics import ElectrostaticsConfig
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
CONV = dict(channel="sr", feature="mick", h="lc")


def read_checkpoint(
    path: str | Path, atomic_energies: Mapping[str, float] | None = None
) -> LESModel:
    """A published checkpoint as a model in float64, with a card that says where it is from.

    Parameters
    ----------
    path : str or Path
        Checkpoint of a whole network, written by ``torch.save``.
    atomic_energies : mapping of str to float or None
        Energy of every element in eV, which these files do not hold; None leaves
        all at zero.

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
        return _model(root, path, atomic_energies)
    except ValueError as error:
        raise ValueError(f"{str(path)!r} cannot be converted: {error}") from None


def _model(root, path: Path, atomic_energies: Mapping[str, float] | None) -> LESModel:
    if not isinstance(root, Record):
        raise ValueError(
            f"it holds a {type(root).__name__}, not a network. Weights alone do not say what "
            "they belong to: save the network itself with torch.save"
        )
    terms = list(_terms(root))
    short = _single([term for term in terms if term.module.class_name == "Atomwise"], "short-range")
    long = [term for term in terms if term.module.class_name != "Atomwise"]

    features = _representation(short.potential["representation"])
    energy = _readout(short.module, features)
    weights = features.prefixed("representation.") | energy.prefixed("short_range.")
    long_range = electrostatics = None
    if long:
        term = _single(long, "long-range")
        own = _representation(term.potential["representation"], features.elements)
        if own == features:
            own = None
        else:
            weights |= own.prefixed("charge_representation.")
        charges, ewald = _charges(term), _ewald(term)
        latent = _readout(charges, own or features)
        weights |= latent.prefixed("charges.readout.")
        prefactor = float(ewald.get("norm_factor", 1.0))
        long_range = LongRangeConfig(
            charges=ChargesConfig(
                n_channels=latent.n_outputs,
                hidden=latent.hidden,
                bias=latent.bias,
                linear=latent.linear,
                scale=latent.scale * math.sqrt(prefactor / PREFACTOR),
                neutrality="none",
            ),
            electrostatics=_electrostatics(ewald, term.weight),
            representation=own.config if own else None,
        )
        electrostatics = long_range.electrostatics
    symbols = [chemical_symbols[number] for number in features.elements]
    model = LESModel(
        ModelConfig(
            atomic_energies=_complete(atomic_energies, symbols),
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
    missing = set(dict(model.named_parameters())) ^ set(weights)
    if missing:
        raise ValueError(f"no place or no value for the weights {sorted(missing)}")
    model.load_state_dict(model.state_dict() | weights)
    model.requires_grad_(False)
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
    }
    if electrostatics:
        model.card["long_range"] = {
            "stored_prefactor_eV_A": prefactor,
            "prefactor_eV_A": PREFACTOR,
            "stored_charge_per_e": math.sqrt(PREFACTOR / prefactor),
            "k_cutoff_per_A": electrostatics.k_cutoff,
            "smearing_A": electrostatics.smearing,
            "self_energy": "removed" if electrostatics.remove_self_energy else "kept",
            "background": electrostatics.background,
            "weight": electrostatics.weight,
        }
    return model


def _complete(given: Mapping[str, float] | None, symbols: list[str]) -> dict[str, float]:
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


def _electrostatics(ewald: Record, weight: float) -> ElectrostaticsConfig:
    _expect(ewald, exponent=1, external_field=None, charge_neutral_lambda=None)
    _expect(ewald, aggregation_mode="sum")
    squared = ewald.get("k_sq_max", (2 * math.pi / ewald["dl"]) ** 2)
    return ElectrostaticsConfig(
        smearing=float(ewald["sigma"]),
        k_cutoff=math.sqrt(squared),
        remove_self_energy=bool(ewald["remove_self_interaction"]),
        background=False,
        weight=weight,
    )


@dataclass(frozen=True)
class _Weights:
    tensors: dict[str, Tensor]

    def prefixed(self, prefix: str) -> dict[str, Tensor]:
        return {prefix + name: tensor for name, tensor in self.tensors.items()}


@dataclass(frozen=True, eq=False)
class _Features(_Weights):
    """A representation: its config and weights, and where each of its features went.

    ``places`` gives, for every feature in the order of the file, its index here; ``first`` the
    same for the features of a single layer.
    """

    config: CaceConfig
    elements: tuple[int, ...]
    places: Tensor

    def __eq__(self, other) -> bool:
        return (
            self.config == other.config
            and self.tensors.keys() == other.tensors.keys()
            and all(torch.equal(self.tensors[name], other.tensors[name]) for name in self.tensors)
        )


@dataclass(frozen=True)
class _Outputs(_Weights):
    """A readout."""

    n_outputs: int
    hidden: tuple[int, ...]
    bias: bool
    linear: bool
    scale: float


def _representation(record: Record, elements: tuple[int, ...] | None = None) -> _Features:
    if record.class_name != "Cace":
        raise _unsupported("representation", record, ("Cace",))
    radial, cutoff, mixing = (
        record[part] for part in ("radial_basis", "cutoff_fn", "radial_transform")
    )
    for part, known in (
        (radial, "BesselRBF"),
        (cutoff, "PolynomialCutoff"),
        (mixing, "SharedRadialLinearTransform"),
        (record["angular_basis"], "AngularComponent"),
        (record["symmetrizer"], "Symmetrizer"),
        (record["node_embedding_sender"], "NodeEmbedding"),
        (record["node_embedding_receiver"], "NodeEmbedding"),
    ):
        if part.class_name != known:
            raise _unsupported("representation", part, (known,))
    _expect(record["edge_coding"], directed=True)

    stored = [int(number) for number in record["zs"]]
    elements = elements or tuple(stored)
    if sorted(elements) != sorted(stored):
        raise ValueError(f"two representations know different elements, {elements} and {stored}")
    rows = [_row(record, stored, number) for number in elements]
    sender, receiver = (
        record[f"node_embedding_{end}"]["embedding_weights"].double()[rows]
        for end in ("sender", "receiver")
    )
    matrices = list(mixing["weights"])
    n_radial, n_mixed = matrices[0].shape[:2]
    n_emb = sender.shape[1]
    layers = [[entry for entry in layer if entry is not None] for layer in _layers(record)]
    for entry in itertools.chain(*layers):
        if entry.class_name not in _MESSAGES:
            raise _unsupported("message", entry, tuple(_MESSAGES))
    values = [_values(entry) for entry in itertools.chain(*layers) if entry.class_name == "MessageBchi"]
    config = CaceConfig(
        cutoff=float(cutoff["cutoff"]),
        n_radial=n_radial,
        n_mixed=n_mixed,
        n_embedding=n_emb,
        l_max=int(record["max_l"]),
        nu_max=int(record["max_nu"]),
        cutoff_exponent=round(float(cutoff["p"])),
        trainable_frequencies=radial.owns("bessel_weights"),
        layers=[[_MESSAGES[entry.class_name] for entry in layer] for layer in layers],
        mean_neighbours=float(record.get("mp_norm_factor", 1.0)) ** -2,
        separate_values=any(value != (1, 1) for value in values),
    )
    # The prefactor of the radial functions is stored in float32; what it misses goes here.
    norm = float(radial["prefactor"]) / math.sqrt(2 / config.cutoff)
    tensors = {
        "embedding.sender": sender,
        "embedding.receiver": receiver,
        "neighbour_sum.radial.frequencies": radial["bessel_weights"].double(),
        "mixing": norm * torch.stack([_mixing(matrix, n_emb) for matrix in matrices]),
    }
    order = _invariants(record["symmetrizer"], config)
    first = _places(config, order, n_layers=1)
    for index, layer in enumerate(layers):
        for entry in layer:
            prefix = f"layers.{index}.{_MESSAGES[entry.class_name]}."
            for name, tensor in _message(entry, config, first).items():
                tensors[prefix + name] = tensor
    places = _places(config, order, n_layers=1 + len(layers))
    return _Features(tensors, config, elements, places)


def _layers(record: Record) -> list[Record]:
    return list(record.get("message_passing_list") or ())


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
    x = values.unflatten(-1, (n_emb, n_emb))
    return x if CONV["channel"] == "sr" else x.transpose(-1, -2)


def _message(entry: Record, config: CaceConfig, first: Tensor) -> dict[str, Tensor]:
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
    weight = _reordered(dense["linear"]["weight"].double(), first)
    bias = dense["linear"]["bias"]
    bias = torch.zeros(len(weight)) if bias is None else bias
    both = torch.cat([weight, bias.double()[:, None]], dim=1)
    if config.separate_values:
        n_degrees, n_channels = _values(entry)
        if CONV["h"] == "lc":
            both = both.view(n_degrees, n_channels, -1)
        else:
            both = both.view(n_channels, n_degrees, -1).transpose(0, 1)
        both = both.expand(config.l_max + 1, n_emb**2, -1)
        both = _split(both.movedim(-1, 0), n_emb).movedim(0, -1).flatten(0, 2)
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


def _places(config: CaceConfig, order: list[int], n_layers: int) -> Tensor:
    """Index here of every feature, in the order of the file."""
    n_emb, n_mixed = config.n_embedding, config.n_mixed
    n_invariants = Invariants(config.l_max, config.nu_max).n_invariants
    ours = torch.arange(n_layers * n_invariants * n_emb**2 * n_mixed)
    ours = ours.view(n_layers, n_invariants, n_emb, n_mixed, n_emb)[:, order]
    names = dict(k=0, i=1, s=2, m=3, r=4)
    perm = [names[x] for x in CONV["feature"].replace("c", CONV["channel"])]
    return ours.permute(perm).flatten()


def _reordered(weight: Tensor, places: Tensor) -> Tensor:
    """Weights (n, theirs) of features in the order of the file as (n, ours)."""
    if weight.shape[1] != len(places):
        raise ValueError(f"a layer reads {weight.shape[1]} features, there are {len(places)}")
    reordered = weight.new_zeros(len(weight), int(places.max()) + 1)
    return reordered.index_add(1, places, weight)


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
            weight = _reordered(weight, features.places)
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

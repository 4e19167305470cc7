"""Checkpoints that look like the published ones, of any size, with none of their programs."""

from __future__ import annotations

import itertools
import math
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from torch import nn

from ase_les.representation.angular import angular_indices


def default_operation(self) -> None:
    """Stored as a bound method of combined potentials."""


class Stubs:
    """Empty modules of given full names, importable for as long as they are being saved."""

    def __init__(self):
        self._classes: dict[str, type] = {}

    def __call__(self, name: str, children: dict | None = None, **attributes) -> nn.Module:
        if name not in self._classes:
            module, _, class_name = name.rpartition(".")
            body = {"__module__": module, "default_operation": default_operation}
            self._classes[name] = type(class_name, (nn.Module,), body)
        made = self._classes[name]()
        for key, value in (children or {}).items():
            made.add_module(key, value)
        for key, value in attributes.items():
            if isinstance(value, torch.Tensor) and not isinstance(value, nn.Parameter):
                made.register_buffer(key, value)
            else:
                setattr(made, key, value)
        return made

    def save(self, network: nn.Module, path: Path) -> Path:
        added = {}
        for full, made in self._classes.items():
            parts = full.split(".")[:-1]
            for depth in range(1, len(parts) + 1):
                name = ".".join(parts[:depth])
                assert name not in sys.modules or name in added
                added.setdefault(name, ModuleType(name))
            setattr(added[".".join(parts)], made.__name__, made)
        sys.modules.update(added)
        try:
            torch.save(network, path)
        finally:
            for name in added:
                del sys.modules[name]
        return path


@dataclass(frozen=True)
class Sizes:
    """A layout that none of the published checkpoints has."""

    zs: tuple[int, ...] = (1, 7, 8)
    n_radial: int = 3
    n_mixed: int = 5
    n_emb: int = 2
    l_max: int = 2
    nu_max: int = 3
    cutoff: float = 3.0
    exponent: int = 4
    hidden: tuple[int, ...] = (6,)
    charge_hidden: tuple[int, ...] = (4, 3)
    n_channels: int = 1
    layers: tuple[tuple[str, ...], ...] = ()
    separate: bool = False
    trainable: bool = True
    charge_linear: bool = True
    weight: float | None = None
    short_weight: float = 1.0
    own_representation: bool = False
    keep_self: bool = True
    les_library: bool = False
    prefactor: float = 1.0
    sigma: float = 1.2
    dl: float = 2.5
    mp_norm: float = 0.4


class Published:
    """Builds networks in the published layout; weights are random and reproducible."""

    def __init__(self, sizes: Sizes, seed: int = 0):
        self.sizes = sizes
        self.stubs = Stubs()
        self.generator = torch.Generator().manual_seed(seed)

    def random(self, *shape: int, scale: float = 0.4) -> nn.Parameter:
        return nn.Parameter(scale * torch.randn(*shape, generator=self.generator))

    def linear(self, n_in: int, n_out: int, bias: bool) -> nn.Linear:
        layer = nn.Linear(n_in, n_out, bias=bias)
        layer.weight = self.random(n_out, n_in, scale=1 / n_in)
        if bias:
            layer.bias = self.random(n_out)
        return layer

    def dense(self, n_in: int, n_out: int, bias: bool, last: bool, family: str = "cace.modules"):
        # As published: a function as activation is an attribute, Identity is a submodule.
        children = {"linear": self.linear(n_in, n_out, bias)}
        if last:
            children["activation"] = nn.Identity()
            return self.stubs(f"{family}.blocks.Dense", children)
        return self.stubs(f"{family}.blocks.Dense", children, activation=nn.functional.silu)

    def readout(self, n_in, hidden, n_out, bias, linear, family="cace.modules", **attributes):
        widths = [n_in, *hidden, n_out]
        dense = [
            self.dense(a, b, bias, index == len(hidden), family)
            for index, (a, b) in enumerate(itertools.pairwise(widths))
        ]
        children = {"outnet": nn.Sequential(*dense)}
        if linear:
            children["linear_nn"] = self.dense(n_in, n_out, bias, True, family)
        else:
            attributes["linear_nn"] = None
        return self.stubs(f"{family}.atomwise.Atomwise", children, n_in=n_in, **attributes)

    def representation(self) -> nn.Module:
        s, stubs = self.sizes, self.stubs
        n_channels = s.n_emb**2
        index_map = torch.full((max(s.zs) + 1,), -1)
        index_map[list(s.zs)] = torch.arange(len(s.zs))
        frequencies = torch.arange(1, s.n_radial + 1) * math.pi / s.cutoff + 0.1
        table = symmetrizer_table(s.l_max, s.nu_max)
        self.n_features_per_layer = (
            s.n_mixed * n_channels * (1 + sum(len(group) for group in table.values()))
        )

        def embedding():
            weights = self.random(len(s.zs), s.n_emb, scale=1.0)
            return stubs("cace.modules.type.NodeEmbedding", embedding_weights=weights)

        def per_degree(*shape: int) -> nn.ParameterList:
            return nn.ParameterList([self.random(*shape) for _ in range(s.l_max + 1)])

        def message(kind: str) -> nn.Module:
            if kind == "memory":
                memory = per_degree(s.n_mixed, n_channels)
                return stubs("cace.modules.interaction.NodeMemory", {"memory_coef": memory})
            if kind == "radial":
                names = ("prefactor", "invr0")
                lists = {name: per_degree(s.n_mixed, n_channels) for name in names}
                return stubs("cace.modules.interaction.MessageAr", lists)
            nl, nc = (s.l_max + 1, n_channels) if s.separate else (1, 1)
            dense = self.dense(self.n_features_per_layer, nl * nc, True, True)
            children = {"hnet": nn.Sequential(dense)}
            return stubs("cace.modules.interaction.MessageBchi", children, nl=nl, nc=nc)

        layers = nn.ModuleList(
            nn.ModuleList(
                message(kind) if kind in layer else None
                for kind in ("memory", "radial", "invariant")
            )
            for layer in s.layers
        )
        children = {
            "node_onehot": stubs("cace.modules.type.NodeEncoder", index_map=index_map),
            "node_embedding_sender": embedding(),
            "node_embedding_receiver": embedding(),
            "edge_coding": stubs("cace.modules.type.EdgeEncoder", directed=True),
            "radial_basis": stubs(
                "cace.modules.radial.BesselRBF",
                bessel_weights=nn.Parameter(frequencies) if s.trainable else frequencies,
                prefactor=torch.tensor(math.sqrt(2 / s.cutoff)),
            ),
            "cutoff_fn": stubs(
                "cace.modules.cutoff.PolynomialCutoff",
                p=torch.tensor(float(s.exponent)),
                cutoff=torch.tensor(s.cutoff),
            ),
            "angular_basis": stubs("cace.modules.angular.AngularComponent", l_max=s.l_max),
            "radial_transform": stubs(
                "cace.modules.radial_transform.SharedRadialLinearTransform",
                {"weights": per_degree(s.n_radial, s.n_mixed, n_channels)},
            ),
            "symmetrizer": stubs("cace.modules.symmetrize_basis.Symmetrizer", vec_dict_allnu=table),
            "message_passing_list": layers,
        }
        return stubs(
            "cace.representations.cace_representation.Cace",
            children,
            zs=[np.int64(z) for z in s.zs],
            cutoff=s.cutoff,
            max_l=s.l_max,
            max_nu=s.nu_max,
            mp_norm_factor=s.mp_norm,
            device=torch.device("cpu"),
        )

    def network(self) -> nn.Module:
        """A single potential, or two combined ones when there is a weight."""
        s, stubs = self.sizes, self.stubs
        representation = self.representation()
        other = self.representation() if s.own_representation else representation
        n_features = self.n_features_per_layer * (1 + len(s.layers))
        self.energy = self.readout(
            n_features,
            s.hidden,
            1,
            True,
            True,
            output_key="bonded",
            per_atom_output_key=None,
            feature_key="node_feats",
            aggregation_mode="sum",
        )
        settings = {
            "sigma": s.sigma,
            "dl": s.dl,
            "remove_self_interaction": not s.keep_self,
            "norm_factor": s.prefactor,
        }
        if s.les_library:
            self.charges = self.readout(
                n_features, s.charge_hidden, 1, True, s.charge_linear, "les.module"
            )
            self.charges.output_scaling_factor = 0.1
            les = stubs(
                "les.les.Les",
                {"atomwise": self.charges, "ewald": stubs("les.module.ewald.Ewald", **settings)},
            )
            long_range = [
                stubs("cace.modules.les_wrapper.LesWrapper", {"les": les}, energy_key="coulomb")
            ]
        else:
            self.charges = self.readout(
                n_features,
                s.charge_hidden,
                s.n_channels,
                False,
                s.charge_linear,
                output_key="sum_of_charges",
                per_atom_output_key="latent",
                feature_key=["node_feats"],
            )
            ewald = stubs(
                "cace.modules.ewald.EwaldPotential",
                feature_key="latent",
                output_key="coulomb",
                **settings,
            )
            long_range = [self.charges, ewald]

        def forces(key: str) -> nn.Module:
            return stubs("cace.modules.forces.Forces", energy_key=key, forces_key=key + "_forces")

        if s.weight is None:
            total = stubs(
                "cace.modules.feature_mix.FeatureAdd",
                feature_keys=["coulomb", "bonded"],
                output_key="everything",
            )
            extra = stubs("cace.modules.polarization.Polarization", output_key="polarization")
            modules = [*long_range, self.energy, total, forces("everything"), extra]
            self.representations = (representation, representation)
            return self._potential(representation, modules)
        potentials = [
            self._potential(representation, [self.energy, forces("bonded")]),
            self._potential(other, [*long_range, forces("coulomb")]),
        ]
        self.representations = (representation, other)
        combined = stubs(
            "cace.models.combined.CombinePotential",
            {"models": nn.ModuleList(potentials)},
            potential_keys=[
                {"total": "bonded", "pull": "bonded_forces", "weight": s.short_weight},
                {"total": "coulomb", "pull": "coulomb_forces", "weight": s.weight},
            ],
            out_keys=["total", "pull"],
        )
        combined.operation = combined.default_operation
        return combined

    def _potential(self, representation: nn.Module, modules: list[nn.Module]) -> nn.Module:
        children = {
            "representation": representation,
            "input_modules": nn.ModuleList(),
            "output_modules": nn.ModuleList(modules),
            "postprocessors": nn.ModuleList(),
        }
        return self.stubs(
            "cace.models.atomistic.NeuralNetworkPotential", children, do_postprocessing=False
        )


def symmetrizer_table(l_max: int, nu_max: int) -> dict[int, dict]:
    """Polynomials of the invariants as the files list them, larger degrees first."""

    def multiplicity(triple) -> int:
        return math.factorial(sum(triple)) // math.prod(map(math.factorial, triple))

    def of(degree: int) -> list[tuple]:
        return [triple for triple in angular_indices(l_max) if sum(triple) == degree]

    def plus(a, b) -> list[int]:
        return [x + y for x, y in zip(a, b, strict=True)]

    table: dict[int, dict] = {}
    if nu_max >= 2:
        table[2] = {
            degree: [(list(a), list(a), multiplicity(a)) for a in of(degree)]
            for degree in range(l_max, 0, -1)
        }
    if nu_max >= 3:
        table[3] = {
            (first, second): [
                (list(a), list(b), plus(a, b), multiplicity(a) * multiplicity(b))
                for a in of(first)
                for b in of(second)
            ]
            for first in range(l_max, 0, -1)
            for second in range(first, l_max - first + 1)
        }
    if nu_max >= 4:
        table[4] = {
            (first, second, rank): [
                (list(a), list(b), plus(a, d), plus(b, d), math.prod(map(multiplicity, (a, b, d))))
                for a in of(first)
                for b in of(second)
                for d in of(rank)
            ]
            for first in range(1, l_max)
            for second in range(first + 1, l_max)
            for rank in range(1, l_max - second + 1)
        }
    return table


@pytest.fixture
def published():
    """A builder of checkpoints: ``published(**sizes)`` gives the builder and its network."""

    def build(seed: int = 0, **sizes) -> tuple[Published, nn.Module]:
        builder = Published(Sizes(**sizes), seed)
        return builder, builder.network()

    return build


@pytest.fixture
def checkpoint(published, tmp_path):
    """The path of a small checkpoint in the published layout, of H, N and O."""
    builder, network = published()
    return builder.stubs.save(network, tmp_path / "small.pth")

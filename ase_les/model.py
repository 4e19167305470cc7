"""The model: short-range energy of local environments plus electrostatics of latent charges."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import NamedTuple

import torch
from ase.data import atomic_numbers, chemical_symbols
from torch import Tensor, nn

from ase_les.charges import ChargesConfig, LatentCharges
from ase_les.configuration import from_mapping
from ase_les.core_repulsion import CoreRepulsion, CoreRepulsionConfig
from ase_les.electrostatics import (
    Electrostatics,
    ElectrostaticsConfig,
    Equilibration,
    EquilibrationConfig,
)
from ase_les.graph import Graph, sum_per_structure
from ase_les.readout import Readout
from ase_les.representation import Cace, CaceConfig

PRECISIONS = {"float32": torch.float32, "float64": torch.float64}


@dataclass(frozen=True)
class ShortRangeConfig:
    """Short-range energy of an environment.

    Parameters
    ----------
    hidden : tuple of int
        Hidden widths of the readout.
    bias : bool
        Whether the readout has constant terms.
    linear : bool
        Whether the readout has a linear part beside its network.
    scale : float
        Factor between readout and energy, in eV.
    """

    hidden: tuple[int, ...] = (32, 16)
    bias: bool = True
    linear: bool = True
    scale: float = 1.0

    def __post_init__(self):
        object.__setattr__(self, "hidden", tuple(self.hidden))


@dataclass(frozen=True)
class LongRangeConfig:
    """Long-range part: charges and their electrostatics.

    Parameters
    ----------
    charges : ChargesConfig
    electrostatics : ElectrostaticsConfig
    representation : CaceConfig or None
        A representation of its own for the charges; None shares that of the
        short-range energy.
    equilibration : EquilibrationConfig or None
        Elements whose atoms share electrons as those of a metal do; None where
        all charges are local.

    Raises
    ------
    ValueError
        If electrons are shared by charges of several channels.
    """

    charges: ChargesConfig = field(default_factory=ChargesConfig)
    electrostatics: ElectrostaticsConfig = field(default_factory=ElectrostaticsConfig)
    representation: CaceConfig | None = None
    equilibration: EquilibrationConfig | None = None

    def __post_init__(self):
        if self.equilibration and self.charges.n_channels > 1:
            raise ValueError(
                "`equilibration` moves real charge, which has one channel; "
                f"got {self.charges.n_channels}. Set `n_channels: 1`"
            )


@dataclass(frozen=True)
class ModelConfig:
    """Everything that defines a model but its weights.

    Parameters
    ----------
    atomic_energies : mapping of str to float
        Energy E0 of every element the model covers, in eV; its keys are the
        elements, in the order of the embedding rows.
    representation : CaceConfig
    short_range : ShortRangeConfig
    long_range : LongRangeConfig or None
        None for a short-range model.
    total_charges : tuple of int
        Total charges of structures the model tells apart; empty when it does not.
    core_repulsion : CoreRepulsionConfig or None
        Repulsion of nuclei nearer than bonds, which data seldom show; None for none.

    Raises
    ------
    ValueError
        If an element is unknown or none is given.
    """

    atomic_energies: Mapping[str, float]
    representation: CaceConfig
    short_range: ShortRangeConfig = field(default_factory=ShortRangeConfig)
    long_range: LongRangeConfig | None = field(default_factory=LongRangeConfig)
    total_charges: tuple[int, ...] = ()
    core_repulsion: CoreRepulsionConfig | None = None

    def __post_init__(self):
        object.__setattr__(self, "total_charges", tuple(self.total_charges))
        object.__setattr__(
            self, "atomic_energies", {k: float(v) for k, v in self.atomic_energies.items()}
        )
        shared = self.long_range.equilibration if self.long_range else None
        unknown = sorted(set(self.atomic_energies) - set(chemical_symbols[1:]))
        if unknown or not self.atomic_energies:
            raise ValueError(
                "`atomic_energies` needs an energy in eV for every element by its symbol, "
                f"got {dict(self.atomic_energies)}"
            )
        absent = sorted(set(shared.elements) - set(self.atomic_energies)) if shared else []
        if absent:
            raise ValueError(
                f"`equilibration` names {', '.join(absent)}, which the model does not cover; it "
                f"covers {', '.join(self.atomic_energies)}"
            )

    @property
    def elements(self) -> tuple[int, ...]:
        """Atomic numbers covered, in the order of the embedding rows."""
        return tuple(atomic_numbers[symbol] for symbol in self.atomic_energies)

    @property
    def cutoff(self) -> float:
        """Longest edge that any part of the model reads, in Å."""
        charges = self.long_range.representation if self.long_range else None
        return max(self.representation.cutoff, charges.cutoff if charges else 0.0)

    def to_dict(self) -> dict:
        """Plain containers, ready for JSON."""
        plain = asdict(self)
        # Models from before there were such parts keep their description, and so their hash.
        if self.long_range and self.long_range.equilibration is None:
            del plain["long_range"]["equilibration"]
        if self.core_repulsion is None:
            del plain["core_repulsion"]
        return plain

    @classmethod
    def from_dict(cls, given: Mapping) -> ModelConfig:
        """The inverse of `to_dict`.

        Raises
        ------
        ValueError
            If an entry is unknown or missing.
        """
        return from_mapping(cls, given)


class Prediction(NamedTuple):
    """What a model says about a graph; float64.

    ``energy`` (S,) in eV is the sum of ``short_range`` (N,) over the atoms and of
    ``long_range`` (S,); ``charges`` (N, n_q) in e and the ``latent`` numbers (N, n) they are made
    of (see `ase_les.charges`) have no columns for a short-range model. Where atoms share electrons
    (`ase_les.electrostatics.equilibration`), charges hold what has flowed and ``short_range`` what
    it costs each atom; the latent numbers know nothing of it.
    """

    energy: Tensor
    short_range: Tensor
    long_range: Tensor
    charges: Tensor
    latent: Tensor


class LESModel(nn.Module):
    r"""Energy of atoms,

    .. math::
        E = \sum_i E_0(Z_i) + \sum_i E_\theta(B_i) + E_\mathrm{lr}(\{q_i\}, \{\mathbf{r}_i\},
        \mathrm{cell}), \qquad q_i = q(B_i)

    and, where asked for, the repulsion of nuclei (`ase_les.core_repulsion`) and the charges that
    flow between atoms that share electrons (`ase_les.electrostatics.equilibration`). The model
    says the energy and nothing else: forces, stress and response are its derivatives
    (`ase_les.derivatives`).

    Parameters
    ----------
    config : ModelConfig
    seed : int or None
        Seed of the initial weights; None leaves them to torch's global generator.

    Attributes
    ----------
    card : dict
        What is known about the model beside its numbers: data, errors, licence, citation.

    References
    ----------
    .. [1] B. Cheng, npj Comput. Mater. 11, 80 (2025).
    """

    def __init__(self, config: ModelConfig, seed: int | None = None):
        super().__init__()
        self.config = config
        self.card: dict = {}
        with torch.random.fork_rng(devices=[], enabled=seed is not None):
            if seed is not None:
                torch.manual_seed(seed)
            self._build_parts()

    def _build_parts(self) -> None:
        config = self.config
        elements, total_charges = config.elements, config.total_charges
        self.representation = Cace(config.representation, elements, total_charges)
        n_features = self.representation.n_features
        short_range = config.short_range
        self.short_range = Readout(
            n_features, short_range.hidden, 1, short_range.bias, short_range.linear
        )
        self.core_repulsion = None
        if config.core_repulsion:
            self.core_repulsion = CoreRepulsion(config.core_repulsion, elements, config.cutoff)
        self.charge_representation = self.charges = self.electrostatics = None
        self.equilibration = None
        if config.long_range:
            own = config.long_range.representation
            if own:
                self.charge_representation = Cace(own, elements, total_charges)
                n_features = self.charge_representation.n_features
            cutoff = (own or config.representation).cutoff
            self.charges = LatentCharges(n_features, config.long_range.charges, elements, cutoff)
            self.electrostatics = Electrostatics(config.long_range.electrostatics)
            if config.long_range.equilibration:
                self.equilibration = Equilibration(config.long_range.equilibration)

    @property
    def precision(self) -> torch.dtype:
        """Precision of the network; sums of charges and energies are always float64."""
        return self.representation.mixing.dtype

    @property
    def device(self) -> torch.device:
        """Where the weights are, and structures have to be."""
        return self.representation.mixing.device

    def for_inference(
        self, device: str = "cpu", dtype: str = "float64", accuracy: float | None = 1e-4
    ) -> LESModel:
        """A frozen copy with gradients written out by hand: the same energy, faster.

        Parameters
        ----------
        device : str
            As torch names it: "cpu", "cuda", "cuda:1" …
        dtype : str
            Precision of the network, "float32" or "float64".
        accuracy : float or None
            Relative error of the long-range forces that is small enough. Structures of some
            hundreds of atoms and more are then summed on a mesh; None for the exact sum always.

        Raises
        ------
        ValueError
            If the precision is neither, the accuracy out of range, or there is no such device.
        """
        if dtype not in PRECISIONS:
            raise ValueError(f"`dtype` must be one of {sorted(PRECISIONS)}, got {dtype!r}")
        check_device(device)
        copy = LESModel(self.config, seed=0)
        # The precision comes first: weights pass into the copy without a rounding in between.
        copy.to(device=device, dtype=PRECISIONS[dtype]).requires_grad_(False).eval()
        copy.load_state_dict(self.state_dict())
        copy.card = self.card
        for part in (copy.representation, copy.charge_representation):
            if part is not None:
                part.use_analytic_gradients()
        if copy.electrostatics is not None:
            copy.electrostatics.use_analytic_gradients(accuracy)
        if copy.equilibration is not None:
            copy.equilibration = copy.equilibration.held().requires_grad_(False)
        return copy

    @torch.no_grad()
    def standardise_features(self, graphs: Sequence[Graph]) -> None:
        """Let the readouts see features in units of their spread over these graphs.

        Features differ in size by orders of magnitude, step sizes of the optimizer
        do not; done once before training, the spread stays part of the model.
        """
        readouts = [(self.representation, self.short_range)]
        if self.charges is not None:
            own = self.charge_representation or self.representation
            readouts.append((own, self.charges.readout))
        for representation, readout in readouts:
            spread = torch.cat([representation(graph) for graph in graphs]).std(0, correction=0)
            # A feature that hardly varies must not be blown up to the size of the others.
            readout.spread.copy_(spread + 1e-3 * spread.square().mean().sqrt().clamp_min(1e-12))

    def with_converged_ewald(self) -> LESModel:
        """A copy whose reciprocal sum is converged: E(V) is smooth, published numbers change.

        Raises
        ------
        ValueError
            If the model has no long-range part.
        """
        long_range = self.config.long_range
        if long_range is None:
            raise ValueError("a short-range model has no Ewald sum to converge")
        electrostatics = replace(long_range.electrostatics, k_cutoff=None)
        long_range = replace(long_range, electrostatics=electrostatics)
        copy = LESModel(replace(self.config, long_range=long_range), seed=0).to(self.precision)
        copy.load_state_dict(self.state_dict())
        copy.card = dict(self.card)
        return copy

    def check_coverage(self, numbers, total_charge: float = 0.0) -> None:
        """Refuse structures the model was not made for.

        Raises
        ------
        ValueError
            If an element or a total charge is not covered.
        """
        covered = list(self.config.atomic_energies)
        extra = sorted({chemical_symbols[int(z)] for z in numbers} - set(covered))
        if extra:
            raise ValueError(
                f"the model covers {', '.join(covered)}; the structure also has "
                f"{', '.join(extra)}. Use a model trained with these elements (`ase-les models`)"
            )
        states = self.config.total_charges
        if states and total_charge not in states:
            raise ValueError(
                f"the model knows structures of total charge {list(states)} e, got {total_charge}. "
                "Set atoms.info['charge'] to one of these (--charge on the command line)"
            )

    def forward(self, graph: Graph) -> Prediction:
        """Energy of every structure of a graph."""
        features = self.representation(graph)
        scale = self.config.short_range.scale
        short_range = scale * self.short_range(features).squeeze(1).double()
        short_range = short_range + self._atomic_energies(graph)
        if self.core_repulsion is not None:
            short_range = short_range + self.core_repulsion(graph)
        if self.charges is None:
            energy = sum_per_structure(short_range, graph)
            none = energy.new_zeros(graph.n_atoms, 0)
            return Prediction(energy, short_range, torch.zeros_like(energy), none, none)
        if self.charge_representation is not None:
            features = self.charge_representation(graph)
        latent = self.charges.latent(features)
        charges = self.charges.neutrality(latent, graph)
        if self.equilibration is not None:
            flow = self.equilibration(graph, charges, self.electrostatics)
            charges, short_range = charges + flow.charges, short_range + flow.cost
        long_range = self.electrostatics(graph, charges)
        energy = sum_per_structure(short_range, graph) + long_range
        return Prediction(energy, short_range, long_range, charges, latent)

    def _atomic_energies(self, graph: Graph) -> Tensor:
        # Kept out of the state dict: hundreds of eV per atom must not be rounded to float32.
        table = graph.positions.new_zeros(max(self.config.elements) + 1)
        for number, energy in zip(
            self.config.elements, self.config.atomic_energies.values(), strict=True
        ):
            table[number] = energy
        return table[graph.numbers]


def check_device(device: str) -> None:
    """Find out whether torch can compute there.

    Raises
    ------
    ValueError
        If it cannot; the message names what it can use instead.
    """
    try:
        torch.empty(0, device=device)
    # Of a torch that was built without it, a device is a failed assertion.
    except (RuntimeError, AssertionError) as error:
        there = ["cpu"]
        if torch.accelerator.is_available():
            kind = torch.accelerator.current_accelerator().type
            there += [f"{kind}:{index}" for index in range(torch.accelerator.device_count())]
        raise ValueError(
            f"`device` must be one that torch finds here, {', '.join(there)}; got {str(device)!r}. "
            "For a graphics card install a torch that was built for it (https://pytorch.org)"
        ) from error

"""The model: a sum of energy terms over one graph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple, cast

import torch
from ase.data import chemical_symbols
from torch import Tensor, nn

from ase_les.charges import LatentCharges
from ase_les.charges.readout import JointReadouts, Readout
from ase_les.electrostatics import Electrostatics, Equilibration
from ase_les.electrostatics.energy import Plan
from ase_les.electrostatics.equilibration import MetalBias
from ase_les.energy_terms import AtomicEnergies, Context, LatentElectrostatics, ShortRange
from ase_les.graph import Graph, sum_per_structure
from ase_les.kernels import use_kernels
from ase_les.mace_repulsion import build_repulsion
from ase_les.model_config import LongRangeConfig, ModelConfig, ShortRangeConfig
from ase_les.polarizability import AtomicPolarizabilities
from ase_les.representation import Cace, Mace, build_representation

__all__ = ["LESModel", "LongRangeConfig", "ModelConfig", "Prediction", "ShortRangeConfig"]

PRECISIONS = {"float32": torch.float32, "float64": torch.float64}


class Prediction(NamedTuple):
    """Energies and charges of a graph; float64.

    ``energy`` (S,) in eV is the sum of ``short_range`` (N,) over the atoms and of
    ``long_range`` (S,); ``charges`` (N, n_q) in e and the ``latent`` numbers (N, n) that define
    them (see `ase_les.charges`) have no columns for a short-range model. With charge equilibration
    (`ase_les.electrostatics.equilibration`), charges include the equilibrated part and
    ``short_range`` the energy of charging each atom; the latent numbers are the local ones, and
    ``metal`` (N,) the equilibrated part in e, None for models without it.
    """

    energy: Tensor
    short_range: Tensor
    long_range: Tensor
    charges: Tensor
    latent: Tensor
    metal: Tensor | None = None


class LESModel(nn.Module):
    r"""Energy of atoms.

    .. math::
        E = \sum_i E_0(Z_i) + \sum_i E_\theta(B_i) + E_\mathrm{lr}(\{q_i\}, \{\mathbf{r}_i\},
        \mathrm{cell}), \qquad q_i = q(B_i)

    and, if configured, the repulsion of nuclei (`ase_les.core_repulsion`) and charges that move
    between the atoms of a metal (`ase_les.electrostatics.equilibration`). Atomic polarizabilities
    (`ase_les.polarizability`) are a part of their own, without energy. Each part is a term of
    `ase_les.energy_terms`. The model returns only energies and charges; forces, stress and response
    are obtained by differentiation (`ase_les.derivatives`).

    Parameters
    ----------
    seed : int or None
        Seed of the initial weights; None uses torch's global generator.

    Attributes
    ----------
    card : dict
        Metadata of the model: data, errors, license, citation.

    References
    ----------
    .. [1] B. Cheng, npj Comput. Mater. 11, 80 (2025).
    """

    def __init__(self, config: ModelConfig, seed: int | None = None):
        super().__init__()
        self.config = config
        self.card: dict = {}
        self._joint_readouts: JointReadouts | None = None
        with torch.random.fork_rng(devices=[], enabled=seed is not None):
            if seed is not None:
                torch.manual_seed(seed)
            self._build_terms()

    def _build_terms(self) -> None:
        config, elements = self.config, self.config.elements
        self.representation = build_representation(
            config.representation, elements, config.total_charges
        )
        self.short_range = ShortRange(self.representation.n_features, config.short_range)
        self.atomic_energies = AtomicEnergies(
            dict(zip(elements, config.atomic_energies.values(), strict=True))
        )
        self.core_repulsion = self.long_range = None
        if config.core_repulsion:
            self.core_repulsion = build_repulsion(config.core_repulsion, elements, config.cutoff)
        if config.long_range:
            self.long_range = self._build_long_range(config.long_range)
        self.polarizability: AtomicPolarizabilities | None = None
        if config.polarizability:
            # Built last: the initial weights of the other parts do not depend on it.
            self.polarizability = AtomicPolarizabilities(
                self.representation.n_features,
                config.polarizability,
                elements,
                self.representation.cutoff,
            )

    def _build_long_range(self, config: LongRangeConfig) -> LatentElectrostatics:
        elements, read, own = self.config.elements, self.representation, None
        if config.representation:
            own = build_representation(config.representation, elements, self.config.total_charges)
            read = own
        return LatentElectrostatics(
            LatentCharges(read.n_features, config.charges, elements, read.cutoff),
            Electrostatics(config.electrostatics),
            own,
            Equilibration(config.equilibration) if config.equilibration else None,
        )

    @property
    def local_terms(self) -> tuple[nn.Module, ...]:
        """Terms of the energy that belong to atoms: (graph, context) → (N,) in eV."""
        terms: tuple[nn.Module, ...] = (self.short_range, self.atomic_energies)
        return terms if self.core_repulsion is None else (*terms, self.core_repulsion)

    @property
    def has_charges(self) -> bool:
        """Return whether there is one charge per atom; several channels are not charges."""
        return self.long_range is not None and self.long_range.charges.config.n_channels == 1

    @property
    def has_response(self) -> bool:
        """Return whether there is one charge per atom or a polarizability."""
        return self.has_charges or self.polarizability is not None

    @property
    def latent_electrostatics(self) -> LatentElectrostatics:
        """Long-range part of the model.

        Raises
        ------
        ValueError
            If this is a short-range model.
        """
        if self.long_range is None:
            raise ValueError("this model has no charges; use a model with a long-range part")
        return self.long_range

    @property
    def charge_representation(self) -> Cace | Mace:
        """Representation of the charges, either separate or shared with the energy."""
        own = self.latent_electrostatics.representation
        return self.representation if own is None else cast(Cace | Mace, own)

    @property
    def precision(self) -> torch.dtype:
        """Precision of the network; sums of charges and energies are always float64."""
        return self.short_range.readout.spread.dtype

    @property
    def device(self) -> torch.device:
        """Device of the weights, on which graphs must be."""
        return self.short_range.readout.spread.device

    def for_inference(
        self,
        device: str = "cpu",
        dtype: str = "float64",
        accuracy: float | None = 1e-4,
        kernels: bool = True,
    ) -> LESModel:
        """Return a frozen copy with hand-written gradients: the same energy, evaluated faster.

        Parameters
        ----------
        device : str
            As torch names it: "cpu", "cuda", "cuda:1" …
        dtype : str
            Precision of the network, "float32" or "float64".
        accuracy : float or None
            Relative error of the long-range forces. Structures of a few hundred atoms or more use
            a mesh with this accuracy; None always uses the exact sum.
        kernels : bool
            Whether to use compiled kernels (`ase_les.kernels`), on a CPU and if available.

        Raises
        ------
        ValueError
            If the precision is unknown, the accuracy out of range, or the device not available.
        """
        if dtype not in PRECISIONS:
            raise ValueError(f"`dtype` must be one of {sorted(PRECISIONS)}, got {dtype!r}")
        check_device(device)
        copy = LESModel(self.config, seed=0)
        # Set the precision first, so that weights are copied without intermediate rounding.
        copy.to(device=device, dtype=PRECISIONS[dtype]).requires_grad_(False).eval()
        copy.load_state_dict(self.state_dict())
        copy.card = self.card
        copy.representation.use_analytic_gradients()
        if copy.long_range is not None:
            copy.long_range.use_analytic_gradients(accuracy)
        for part in copy.modules():
            if isinstance(part, Readout):
                part.use_analytic_gradients()
        if kernels and copy.device.type == "cpu":
            use_kernels(copy)
            copy._joint_readouts = JointReadouts(copy._readouts_of_features())
        return copy

    @torch.no_grad()
    def standardize_features(self, graphs: Sequence[Graph]) -> None:
        """Divide features by their standard deviation over these graphs.

        Features differ in size by orders of magnitude, step sizes of the optimizer
        do not. Called once before training; the deviations are part of the model.
        """
        readouts = [(self.representation, self.short_range.readout)]
        if self.long_range is not None:
            readouts.append((self.charge_representation, self.long_range.charges.readout))
        if self.polarizability is not None:
            readouts.append((self.representation, self.polarizability.readout))
        for representation, readout in readouts:
            spread = torch.cat([representation(graph) for graph in graphs]).std(0, correction=0)
            # Do not amplify features that hardly vary.
            readout.spread.copy_(spread + 1e-3 * spread.square().mean().sqrt().clamp_min(1e-12))

    def with_converged_ewald(self) -> LESModel:
        """Return a copy with a converged reciprocal sum: E(V) is smooth, energies differ slightly.

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

    def check_coverage(self, numbers: Sequence[int], total_charge: float = 0.0) -> None:
        """Raise an error for elements or total charges that the model does not cover.

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
                f"the model covers structures of total charge {list(states)} e, got "
                f"{total_charge}. Set atoms.info['charge'] to one of these (--charge on the "
                "command line)"
            )

    def plan(self, graph: Graph, previous: Plan | None = None) -> Plan | None:
        """Return the plan of the long-range sums of a graph; None for a short-range model.

        Passing it to `forward` saves time for further structures with the same cell.

        Parameters
        ----------
        previous : Plan or None
            Returned unchanged if a new plan would be equal to it.
        """
        if self.long_range is None:
            return None
        plan = self.long_range.electrostatics.plan(graph, previous)
        if self.long_range.equilibration is not None and plan.metal is None:
            sums = self.long_range.electrostatics.config
            plan = plan._replace(metal=self.long_range.equilibration.warm_start(sums))
        return plan

    def forward(
        self, graph: Graph, plan: Plan | None = None, bias: MetalBias | None = None
    ) -> Prediction:
        """Return the energy of every structure of a graph.

        The model is not modified. The energy does not depend on whether a plan is passed.

        Parameters
        ----------
        plan : Plan or None
            Plan of this graph, from `plan`.
        bias : MetalBias or None
            Field and electrodes that act on the charges of metal atoms.
        """
        outputs = None
        if self._joint_readouts is not None:
            outputs = self.representation.read(graph, self._joint_readouts)
        if outputs is None:
            return self.predict(graph, Context(self.representation(graph), plan, bias))
        known = dict(zip(self._readouts_of_features(), outputs, strict=True))
        return self.predict(graph, Context(None, plan, bias, known))

    def _readouts_of_features(self) -> list[Readout]:
        """Return the readouts of the features of `representation` that enter the energy."""
        readouts = [self.short_range.readout]
        if self.long_range is not None and self.long_range.representation is None:
            readouts.append(self.long_range.charges.readout)
        return readouts

    def predict(self, graph: Graph, context: Context) -> Prediction:
        """Return the energies from precomputed features.

        Parameters
        ----------
        context : Context
            Features of this graph, from `representation`, and the plan of the sums.
        """
        first, *others = self.local_terms
        atomic = first(graph, context)
        for term in others:
            atomic = atomic + term(graph, context)
        if self.long_range is None:
            energy = sum_per_structure(atomic, graph)
            none = energy.new_zeros(graph.n_atoms, 0)
            return Prediction(energy, atomic, torch.zeros_like(energy), none, none)
        found = self.long_range(graph, context)
        if found.atomic is not None:
            atomic = atomic + found.atomic
        energy = sum_per_structure(atomic, graph) + found.energy
        return Prediction(energy, atomic, found.energy, found.charges, found.latent, found.metal)


def check_device(device: str) -> None:
    """Check that torch can compute on a device."""
    try:
        torch.empty(0, device=device)
    # Torch raises AssertionError for devices it was built without.
    except (RuntimeError, AssertionError) as error:
        there = ["cpu"]
        if torch.accelerator.is_available():
            found = torch.accelerator.current_accelerator()
            assert found is not None
            there += [f"{found.type}:{index}" for index in range(torch.accelerator.device_count())]
        raise ValueError(
            f"`device` must be one that torch finds here, {', '.join(there)}; got {str(device)!r}. "
            "For a graphics card install a torch that was built for it (https://pytorch.org)"
        ) from error

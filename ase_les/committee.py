"""Committees: several models of the same energy; their spread estimates the error of the mean."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ase_les.derivatives import Derivatives, differentiate_sharing
from ase_les.electrostatics.energy import Plan
from ase_les.energy_terms import Context
from ase_les.graph import Graph
from ase_les.model import LESModel, Prediction
from ase_les.model_config import ModelConfig
from ase_les.model_io import model_hash

Plans = tuple[Plan | None, ...]

# Minimum number of members for a spread.
_FEWEST = 2


class Committee:
    r"""Independently trained models of the same elements.

    .. math::
        \bar E = \frac1M \sum_m E_m, \qquad
        \sigma_E = \alpha \sqrt{\frac{1}{M - 1} \sum_m (E_m - \bar E)^2}

    and likewise for forces, stress, charges and Born charges. :math:`\alpha` is 1 unless the
    committee was calibrated on structures outside its training data
    (`ase_les.training.learning.calibration`).

    The members of a *last-layer committee* differ only in the last layers of their readouts.
    Energies and charges are linear in these weights, so the mean is a model with averaged
    weights, `central`; its long-range energy is computed from the mean charges.

    Parameters
    ----------
    members : sequence of LESModel
        At least two.
    card : mapping or None
        Metadata; None combines those of the members.

    Raises
    ------
    ValueError
        If there are fewer than two members, or they differ in elements, total charges, dielectric
        constant, or in whether they have charges.

    References
    ----------
    .. [1] F. Musil et al., J. Chem. Theory Comput. 15, 906 (2019).
    .. [2] M. Kellner, M. Ceriotti, Mach. Learn.: Sci. Technol. 5, 035006 (2024).
    """

    def __init__(self, members: Sequence[LESModel], card: Mapping[str, Any] | None = None):
        self.members = tuple(members)
        if len(self.members) < _FEWEST:
            raise ValueError(
                f"a committee needs at least {_FEWEST} models, got {len(self.members)}"
            )
        _check_alike(self.members)
        self.card: dict[str, Any] = _common_card(self.members) if card is None else dict(card)

    def __len__(self) -> int:
        return len(self.members)

    @property
    def config(self) -> ModelConfig:
        """Configuration of the member with the longest cutoff."""
        return max((member.config for member in self.members), key=lambda config: config.cutoff)

    @property
    def has_charges(self) -> bool:
        """Whether the models have one charge per atom."""
        return self.members[0].has_charges

    @property
    def central(self) -> LESModel | None:
        """Model with averaged last layers; None if the members differ in other weights."""
        return _with_mean_of_last_layers(self.members)

    def for_inference(
        self,
        device: str = "cpu",
        dtype: str = "float64",
        accuracy: float | None = 1e-4,
        kernels: bool = True,
    ) -> CommitteeEngine:
        """Return frozen copies of the members; see `LESModel.for_inference`."""
        settings = (device, dtype, accuracy, kernels)
        central = self.central
        return CommitteeEngine(
            [member.for_inference(*settings) for member in self.members],
            [representation_hash(member) for member in self.members],
            self.config,
            None if central is None else central.for_inference(*settings),
        )


class MemberResults(NamedTuple):
    """Predictions of all members in order, and their derivatives or None without forces."""

    predictions: list[Prediction]
    derivatives: list[Derivatives] | None


class CommitteeEngine:
    """Members ready for inference, grouped by representation.

    Parameters
    ----------
    members : sequence of LESModel
        From `LESModel.for_inference`.
    representations : sequence of str
        Equal for members whose features are equal.
    config : ModelConfig
        Configuration of the member with the longest cutoff.
    central : LESModel or None
        See `Committee.central`.
    """

    def __init__(
        self,
        members: Sequence[LESModel],
        representations: Sequence[str],
        config: ModelConfig,
        central: LESModel | None,
    ):
        self.members = tuple(members)
        self.config = config
        self.central = central
        groups: dict[str, list[int]] = {}
        for index, name in enumerate(representations):
            groups.setdefault(name, []).append(index)
        self.groups = tuple(map(tuple, groups.values()))
        # First member with the same sums; plans differ only in the warm start of metal charges.
        sums = [
            each.config.long_range and each.config.long_range.electrostatics for each in members
        ]
        self._sums_of = [sums.index(each) for each in sums]

    @property
    def device(self) -> torch.device:
        """Device of the weights."""
        return self.members[0].device

    def check_coverage(self, numbers: Sequence[int], total_charge: float = 0.0) -> None:
        """See `LESModel.check_coverage`."""
        self.members[0].check_coverage(numbers, total_charge)

    def plan(self, graph: Graph, previous: Plans | None = None) -> Plans:
        """Return the plans of all members; members with equal sums share one plan."""
        plans: list[Plan | None] = []
        for index, member in enumerate(self.members):
            known = None if previous is None else previous[index]
            first = self._sums_of[index]
            if first < index and (shared := plans[first]) is not None:
                known = shared._replace(metal=None if known is None else known.metal)
            plans.append(member.plan(graph, known))
        return tuple(plans)

    def evaluate(
        self, graph: Graph, plans: Plans, *, forces: bool, stress: bool, energies: bool
    ) -> MemberResults:
        """Evaluate all members; features are computed once for each representation.

        Parameters
        ----------
        graph : Graph
            One structure.
        plans : tuple of Plan or None
            From `plan`.
        forces, stress, energies : bool
            Results to compute besides energies and charges.
        """
        predictions: dict[int, Prediction] = {}
        derivatives: dict[int, Derivatives] = {}
        for group in self.groups:
            models, own = [self.members[k] for k in group], [plans[k] for k in group]
            if forces:
                with torch.enable_grad():
                    found = differentiate_sharing(
                        models, graph, own, stress=stress, energies=energies
                    )
                derivatives |= dict(zip(group, found, strict=True))
                continue
            with torch.no_grad():
                features = models[0].representation(graph)
                for k, model, plan in zip(group, models, own, strict=True):
                    predictions[k] = model.predict(graph, Context(features, plan))
        members = range(len(self.members))
        if forces:
            ordered = [derivatives[k] for k in members]
            return MemberResults([each.prediction for each in ordered], ordered)
        return MemberResults([predictions[k] for k in members], None)


def committee_hash(committee: Committee) -> str:
    """Hash (16 hexadecimal digits) of the members and of the scale of their spread."""
    names = [model_hash(member) for member in committee.members]
    names.append(str(sorted(spread_scales(committee).items())))
    return hashlib.sha256(" ".join(names).encode()).hexdigest()[:16]


def representation_hash(model: LESModel) -> str:
    """Return a hash of what determines the features of the atoms."""
    config = model.config
    digest = hashlib.sha256(
        f"{config.representation} {config.elements} {config.total_charges}".encode()
    )
    for name, weight in sorted(model.representation.state_dict().items()):
        digest.update(f"{name} {weight.dtype}".encode())
        digest.update(weight.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def spread_scales(committee: Committee) -> dict[str, float]:
    """Return the calibrated scale of the spread of energies and forces, 1 without calibration."""
    known = committee.card.get("calibration", {})
    return {name: float(known.get(f"{name}_scale", 1.0)) for name in ("energy", "forces")}


def last_layers(model: LESModel) -> frozenset[str]:
    """Return the names of the weights that energies and charges depend on linearly."""
    readouts = [("short_range.readout", model.short_range.readout)]
    if model.long_range is not None:
        readouts.append(("long_range.charges.readout", model.long_range.charges.readout))
    beginnings = ["long_range.charges.neutrality.pair_charges"]
    for name, readout in readouts:
        beginnings += [f"{name}.network.{len(readout.network) - 1}.", f"{name}.linear."]
    return frozenset(
        name for name, _ in model.named_parameters() if name.startswith(tuple(beginnings))
    )


def _with_mean_of_last_layers(members: Sequence[LESModel]) -> LESModel | None:
    first, *others = (member.state_dict() for member in members)
    if any(member.config != members[0].config for member in members):
        return None
    mean: dict[str, Tensor] = {}
    linear = last_layers(members[0])
    for name, weight in first.items():
        if name in linear:
            mean[name] = torch.stack([weight, *(other[name] for other in others)]).mean(0)
        elif all(torch.equal(weight, other[name]) for other in others):
            mean[name] = weight
        else:
            return None
    model = LESModel(members[0].config, seed=0).to(members[0].precision)
    model.load_state_dict(mean)
    model.card = members[0].card
    return model.eval()


def _check_alike(members: Sequence[LESModel]) -> None:
    first = members[0]
    for number, member in enumerate(members[1:], start=1):
        for what, given, needed in (
            ("elements", set(member.config.atomic_energies), set(first.config.atomic_energies)),
            ("total charges", set(member.config.total_charges), set(first.config.total_charges)),
            ("charges per atom", member.has_charges, first.has_charges),
            ("dielectric constant", _dielectric(member), _dielectric(first)),
        ):
            if given != needed:
                raise ValueError(
                    f"member {number} of the committee differs from member 0 in {what}: {given}, "
                    f"needed {needed}. Combine models trained for the same structures"
                )


def _dielectric(model: LESModel) -> object:
    return model.card.get("dielectric", 1.0)


def _common_card(members: Sequence[LESModel]) -> dict[str, Any]:
    """Return the entries that the cards share, the strictest limits, and hashes of the members.

    Charges are means over the members. The summary of the environments is that of the first
    member. Errors are left out, because those of the mean are different.
    """
    cards = [member.card for member in members if member.card] or [{}]
    of_one = ("_errors", "_response", "training", "hash", "parameters", "short_range")
    card = {
        name: value
        for name, value in cards[0].items()
        if all(each.get(name) == value for each in cards) and not name.endswith(of_one)
    }
    for name, combine in _COMBINED.items():
        known = [each[name] for each in cards if each.get(name)]
        if known:
            card[name] = combine(known)
    return {**card, "members": [model_hash(member) for member in members]}


def _named_limits(given: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    limits = {name: limit for each in reversed(given) for name, limit in each.items()}
    ranges = [each["temperatures_K"] for each in given if "temperatures_K" in each]
    if ranges:
        lowest, highest = zip(*ranges, strict=True)
        limits["temperatures_K"] = [max(lowest), min(highest)]
    return limits


def _closest_pairs(given: Sequence[Mapping[str, float]]) -> dict[str, float]:
    pairs = {pair for each in given for pair in each}
    return {pair: min(each[pair] for each in given if pair in each) for pair in sorted(pairs)}


def _in_all(given: Sequence[Sequence[Any]]) -> list[Any]:
    return [value for value in given[0] if all(value in each for each in given)]


def _texts(given: Sequence[str]) -> str:
    return "; ".join(dict.fromkeys(given))


def _mean_entries(given: Sequence[Any]) -> Any:
    """Return means of the numbers in nested mappings, and the first of other values."""
    first = given[0]
    if isinstance(first, Mapping):
        return {
            name: _mean_entries([each[name] for each in given])
            for name in first
            if all(isinstance(each, Mapping) and name in each for each in given)
        }
    is_number = isinstance(first, int | float) and not isinstance(first, bool)
    return float(f"{sum(given) / len(given):.4g}") if is_number else first


_COMBINED: dict[str, Callable[[Any], Any]] = {
    "closest_contact_A": min,
    "closest_contacts_A": _closest_pairs,
    "largest_force_eV_per_A": max,
    "periodic_directions": _in_all,
    "total_charges_e": _in_all,
    "named_limits": _named_limits,
    "limits": _texts,
    "citation": _texts,
    "charges": _mean_entries,
    "environments": lambda given: given[0],
}

"""Architecture of a model: everything that defines it but its weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from ase.data import atomic_numbers, chemical_symbols

from ase_les.charges import ChargesConfig
from ase_les.configuration import from_mapping
from ase_les.core_repulsion import CoreRepulsionConfig
from ase_les.electrostatics import ElectrostaticsConfig, EquilibrationConfig
from ase_les.mace_repulsion import MaceRepulsionConfig
from ase_les.representation import RepresentationConfig


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

    def __post_init__(self) -> None:
        object.__setattr__(self, "hidden", tuple(self.hidden))


@dataclass(frozen=True)
class LongRangeConfig:
    """Long-range part: charges and their electrostatics.

    Parameters
    ----------
    charges : ChargesConfig
    electrostatics : ElectrostaticsConfig
    representation : RepresentationConfig or None
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
    representation: RepresentationConfig | None = None
    equilibration: EquilibrationConfig | None = None

    def __post_init__(self) -> None:
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
    representation : RepresentationConfig
    short_range : ShortRangeConfig
    long_range : LongRangeConfig or None
        None for a short-range model.
    total_charges : tuple of int
        Total charges of structures the model tells apart; empty when it does not.
    core_repulsion : CoreRepulsionConfig, MaceRepulsionConfig or None
        Repulsion of nuclei nearer than bonds, which data seldom show; None for none.

    Raises
    ------
    ValueError
        If an element is unknown or none is given.
    """

    atomic_energies: Mapping[str, float]
    representation: RepresentationConfig
    short_range: ShortRangeConfig = field(default_factory=ShortRangeConfig)
    long_range: LongRangeConfig | None = field(default_factory=LongRangeConfig)
    total_charges: tuple[int, ...] = ()
    core_repulsion: CoreRepulsionConfig | MaceRepulsionConfig | None = None

    def __post_init__(self) -> None:
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
        """Read what `to_dict` has written.

        Raises
        ------
        ValueError
            If an entry is unknown or missing.
        """
        return from_mapping(cls, given)

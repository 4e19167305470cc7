"""Architecture of a model: everything that defines it except its weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, field, fields
from typing import Annotated

from ase.data import atomic_numbers

from ase_les.charges import ChargesConfig
from ase_les.configuration import (
    ByKind,
    Element,
    Interval,
    MaxLen,
    MinLen,
    Number,
    Unit,
    Widths,
    configuration,
    from_mapping,
)
from ase_les.core_repulsion import CoreRepulsionConfig
from ase_les.electrostatics import ElectrostaticsConfig, EquilibrationConfig
from ase_les.mace_repulsion import MaceRepulsionConfig
from ase_les.polarizability import PolarizabilityConfig
from ase_les.representation import RepresentationConfig

TotalCharge = Annotated[int, Interval(ge=-1000, le=1000), Unit("e")]
Energies = Annotated[Mapping[Element, Annotated[Number, Unit("eV")]], MinLen(1)]


@configuration
class ShortRangeConfig:
    """Short-range energy of an environment.

    Parameters
    ----------
    hidden : tuple of int
        Hidden widths of the readout.
    bias : bool
        Whether the readout has constant terms.
    linear : bool
        Whether the readout has a linear part besides its network.
    scale : float
        Factor between readout and energy.
    """

    hidden: Widths = (32, 16)
    bias: bool = True
    linear: bool = True
    scale: Annotated[Number, Unit("eV")] = 1.0


@configuration
class LongRangeConfig:
    """Long-range part: charges and their electrostatics.

    Parameters
    ----------
    charges : ChargesConfig
        Latent charges.
    electrostatics : ElectrostaticsConfig
        Sum of their interactions.
    representation : RepresentationConfig or None
        Separate representation for the charges; None uses that of the
        short-range energy.
    equilibration : EquilibrationConfig or None
        Elements whose atoms exchange charge as in a metal; None if all
        charges are local.

    Raises
    ------
    ValueError
        If charges with several channels are equilibrated.
    """

    charges: ChargesConfig = ChargesConfig()
    electrostatics: ElectrostaticsConfig = ElectrostaticsConfig()
    representation: RepresentationConfig | None = None
    equilibration: EquilibrationConfig | None = None

    def __post_init__(self) -> None:
        if self.equilibration and self.charges.n_channels > 1:
            raise ValueError(
                "`equilibration` needs charges with one channel; "
                f"got {self.charges.n_channels}. Set `n_channels: 1`"
            )


@configuration
class ArchitectureConfig:
    """Architecture of a model; entries that depend on data may be left out.

    Parameters
    ----------
    atomic_energies : mapping of str to float, or None
        Energy E0 of each element; its keys are the elements that the model covers, in the
        order of the embedding rows. None fits them to the data.
    representation : RepresentationConfig or None
        Features of environments. None uses those of the initial model (`start`), with its core
        repulsion and total charges.
    short_range : ShortRangeConfig or None
        Energy of environments. None uses the root-mean-square force of the data as scale, or the
        settings of the initial model.
    long_range : LongRangeConfig or None
        Charges and their energy. None for a short-range model.
    total_charges : tuple of int
        Total charges of structures to distinguish; empty if there is one charge state.
    core_repulsion : CoreRepulsionConfig, MaceRepulsionConfig or None
        Repulsion of nuclei at distances shorter than bonds, where there are no data. None for
        no repulsion.
    polarizability : PolarizabilityConfig or None
        Atomic polarizabilities, for Raman spectra and ε∞; they do not affect energies.

    Raises
    ------
    ValueError
        If an element of the equilibration is not covered.
    """

    atomic_energies: Energies | None = None
    representation: RepresentationConfig | None = None
    short_range: ShortRangeConfig | None = None
    long_range: LongRangeConfig | None = LongRangeConfig()
    total_charges: Annotated[tuple[TotalCharge, ...], MaxLen(100)] = ()
    core_repulsion: Annotated[CoreRepulsionConfig | MaceRepulsionConfig, ByKind()] | None = None
    polarizability: PolarizabilityConfig | None = None

    def __post_init__(self) -> None:
        shared = self.long_range.equilibration if self.long_range else None
        covered = self.atomic_energies or (shared.elements if shared else ())
        absent = sorted(set(shared.elements) - set(covered)) if shared else []
        if absent:
            raise ValueError(
                f"`equilibration` names {', '.join(absent)}, which the model does not cover; it "
                f"covers {', '.join(covered)}"
            )

    @property
    def cutoff(self) -> float:
        """Longest edge that any part of the model uses, in Å."""
        charges = self.long_range.representation if self.long_range else None
        return max(part.cutoff for part in (self.representation, charges) if part)

    def complete(
        self, atomic_energies: Mapping[str, float], short_range: ShortRangeConfig
    ) -> ModelConfig:
        """Return the complete configuration, with the entries that depend on data."""
        given = {entry.name: getattr(self, entry.name) for entry in fields(ArchitectureConfig)}
        given |= {"atomic_energies": atomic_energies, "short_range": short_range}
        return ModelConfig(**given)


@configuration
class ModelConfig(ArchitectureConfig):
    """Complete architecture: everything that defines a model except its weights.

    Parameters
    ----------
    atomic_energies : mapping of str to float
        Energy E0 of each element that the model covers.
    representation : RepresentationConfig
        Features of environments.
    short_range : ShortRangeConfig
        Energy of environments.
    """

    atomic_energies: Energies = field()
    representation: RepresentationConfig = field()
    short_range: ShortRangeConfig = ShortRangeConfig()

    @property
    def elements(self) -> tuple[int, ...]:
        """Atomic numbers covered, in the order of the embedding rows."""
        return tuple(atomic_numbers[symbol] for symbol in self.atomic_energies)

    def to_dict(self) -> dict:
        """Return plain containers that can be stored as JSON."""
        plain = asdict(self)
        # Keep the description, and so the hash, of models made before these entries existed.
        if self.long_range and self.long_range.equilibration is None:
            del plain["long_range"]["equilibration"]
        if self.core_repulsion is None:
            del plain["core_repulsion"]
        if self.polarizability is None:
            del plain["polarizability"]
        representation = plain["representation"]
        for name, absent in (("normalization", "mean"), ("distance_transform", None)):
            if name in representation and representation[name] == absent:
                del representation[name]
        return plain

    @classmethod
    def from_dict(cls, given: Mapping) -> ModelConfig:
        """Return the configuration from the containers of `to_dict`.

        Raises
        ------
        ValueError
            If an entry is unknown or missing.
        """
        return from_mapping(cls, given)

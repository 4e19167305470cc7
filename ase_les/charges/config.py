"""Settings of latent charges."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ase.data import atomic_numbers

#: Names of the neutrality rules, see `ase_les.charges.neutrality`.
NEUTRALITY = ("mean", "none", "split")


@dataclass(frozen=True)
class ChargesConfig:
    """Latent charges of a model.

    Parameters
    ----------
    n_channels : int
        Charges per atom; only a single channel has the meaning of charge.
    hidden : tuple of int
        Hidden widths of the readout.
    bias : bool
        Whether the readout has constant terms.
    linear : bool
        Whether the readout has a linear part beside its network.
    scale : float
        Factor between readout and charge, in e.
    neutrality : str
        "split": atoms exchange charge with their neighbours, so that charge is
        conserved exactly and locally. "mean": the excess over the total charge
        is taken evenly from all atoms of the structure. "none": charges are what
        the readout says.
    formal_charges : mapping of str to float
        Charges in e that elements have before any transfer ("split" only); 0 for
        elements not named: those of the ions, divided by √ε∞, as +0.75 and −0.75
        for Na and Cl in water. Needed where ions lie farther apart than the cutoff,
        and of use wherever ions are: structures as small as what the network sees
        leave charges nearly open, and where a training begins decides where it ends.
        Name the elements of the solvent as well: between two elements with formal
        charges nothing moves before training, between others electronegativity decides.

    Raises
    ------
    ValueError
        If a setting is unknown or not positive.
    """

    n_channels: int = 1
    hidden: tuple[int, ...] = (24, 12)
    bias: bool = False
    linear: bool = True
    scale: float = 0.1
    neutrality: str = "split"
    formal_charges: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "hidden", tuple(self.hidden))
        formal = {symbol: float(charge) for symbol, charge in self.formal_charges.items()}
        object.__setattr__(self, "formal_charges", formal)
        if self.n_channels < 1:
            raise ValueError(f"`n_channels` must be at least 1, got {self.n_channels}")
        if self.neutrality not in NEUTRALITY:
            raise ValueError(
                f"`neutrality` must be one of {sorted(NEUTRALITY)}, got {self.neutrality!r}"
            )
        unknown = sorted(set(formal) - set(atomic_numbers))
        if unknown:
            raise ValueError(f"`formal_charges` needs element symbols, got {unknown}")
        if formal and self.neutrality != "split":
            raise ValueError(
                f"`formal_charges` belong to neutrality 'split', got {self.neutrality!r}"
            )

"""Settings of latent charges."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Annotated, Literal

from ase_les.configuration import Element, Interval, Number, Unit, Widths, configuration


@configuration
class ChargesConfig:
    """Latent charges of a model.

    Parameters
    ----------
    n_channels : int
        Charges per atom; only a single channel is a physical charge.
    hidden : tuple of int
        Hidden widths of the readout.
    bias : bool
        Whether the readout has constant terms.
    linear : bool
        Whether the readout has a linear part besides its network.
    scale : float
        Factor between readout and charge, in e.
    neutrality : str
        "split": atoms exchange charge with their neighbors, so that charge is
        conserved exactly and locally. "mean": the excess over the total charge
        is subtracted evenly from all atoms of the structure. "none": charges are
        the output of the readout.
    formal_charges : mapping of str to float
        Charges in e of the elements before any transfer ("split" only); 0 for
        elements not listed. Use ionic charges divided by √ε∞, such as +0.75 and −0.75
        for Na and Cl in water. Required if ions are farther apart than the cutoff, and
        recommended for all ionic systems: structures not larger than the receptive
        field hardly determine the charges, so that the result depends on the start.
        List the elements of the solvent as well: before training no charge moves between two
        elements with formal charges, and between others according to electronegativity.

    Raises
    ------
    ValueError
        If formal charges are given with a rule other than "split".
    """

    n_channels: Annotated[int, Interval(ge=1, le=64)] = 1
    hidden: Widths = (24, 12)
    bias: bool = False
    linear: bool = True
    scale: Annotated[Number, Unit("e")] = 0.1
    neutrality: Literal["mean", "none", "split"] = "split"
    formal_charges: Mapping[Element, Annotated[Number, Unit("e")]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.formal_charges and self.neutrality != "split":
            raise ValueError(
                f"`formal_charges` belong to neutrality 'split', got {self.neutrality!r}"
            )

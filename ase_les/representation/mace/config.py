"""Settings of a MACE representation."""

from __future__ import annotations

from typing import Annotated, Literal

from ase_les.configuration import (
    Cutoff,
    Interval,
    MaxLen,
    MinLen,
    Positive,
    Width,
    Widths,
    configuration,
)
from ase_les.representation.mace.transform import AgnesiConfig

Paths = Annotated[tuple[Annotated[int, Interval(ge=0, le=10**4)], ...], MaxLen(10)]


@configuration
class MaceConfig:
    """Size and shape of a MACE representation.

    Parameters
    ----------
    cutoff : float
        Radius of an atom's environment in Å.
    kind : str
        "mace"; selects this representation in a configuration file.
    channels : int
        Channels C of the features of every degree.
    n_radial : int
        Bessel functions.
    l_max : int
        Largest degree of the spherical harmonics, 1 to 3.
    l_hidden : int
        Largest degree of the messages between layers: 0 for scalars ("0e"), 1
        for "0e + 1o", 2 for "0e + 1o + 2e".
    correlation : int
        Largest product of neighbor sums, 1 to 3.
    n_layers : int
        Number of interactions; each extends the environment by one cutoff.
    radial_hidden : tuple of int
        Hidden widths of the radial networks.
    cutoff_exponent : int
        Flatness of the cutoff function at r = 0.
    trainable_frequencies : bool
        Whether the radial frequencies are learned.
    mean_neighbors : float
        Neighbor sums are divided by this, unless `normalization` is "density".
    residual_first : bool
        Whether the first layer adds a linear function of the element to its
        features ("residual") or mixes its neighbor sums by element.
    cutoff_on_weights : bool
        Whether the cutoff function multiplies the output of the radial networks
        instead of their input.
    normalization : str
        "mean" divides neighbor sums by `mean_neighbors`, "density" by a learned
        density of the neighbors of each atom.
    distance_transform : AgnesiConfig or None
        Transform of distances before the radial functions; None for none.
    stored_paths : tuple of tuple of int
        Numbers of polynomials by degree of the result and by order, for models
        with a stored basis of polynomials in their weights (published
        models); empty for the basis computed here.

    Raises
    ------
    ValueError
        If `l_hidden` is larger than `l_max`.
    """

    cutoff: Cutoff
    kind: Literal["mace"] = "mace"
    channels: Width = 64
    n_radial: Width = 8
    l_max: Annotated[int, Interval(ge=1, le=3)] = 3
    l_hidden: Annotated[int, Interval(ge=0, le=2)] = 0
    correlation: Annotated[int, Interval(ge=1, le=3)] = 3
    n_layers: Annotated[int, Interval(ge=1, le=3)] = 2
    radial_hidden: Annotated[Widths, MinLen(1)] = (64, 64, 64)
    cutoff_exponent: Annotated[int, Interval(ge=2, le=20)] = 5
    trainable_frequencies: bool = False
    mean_neighbors: Positive = 10.0
    residual_first: bool = True
    cutoff_on_weights: bool = False
    normalization: Literal["mean", "density"] = "mean"
    distance_transform: AgnesiConfig | None = None
    stored_paths: Annotated[tuple[Paths, ...], MaxLen(10)] = ()

    def __post_init__(self) -> None:
        if self.l_hidden > self.l_max:
            raise ValueError(f"`l_hidden` must be at most `l_max`, {self.l_max}")

    @property
    def l_results(self) -> tuple[int, ...]:
        """Largest degree of the features after each layer: scalars after the last."""
        return (self.l_hidden,) * (self.n_layers - 1) + (0,)

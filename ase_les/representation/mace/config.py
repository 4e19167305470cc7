"""Settings of a MACE representation."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class MaceConfig:
    """Size and shape of a MACE representation.

    Parameters
    ----------
    cutoff : float
        Radius of an atom's environment in Å.
    kind : str
        "mace"; tells this representation from others in a configuration file.
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
        Interactions; every one lets atoms see one cutoff farther.
    radial_hidden : tuple of int
        Hidden widths of the radial networks.
    cutoff_exponent : int
        Flatness of the cutoff function at r = 0.
    trainable_frequencies : bool
        Whether the radial frequencies are learned.
    mean_neighbors : float
        Neighbor sums are divided by this.
    residual_first : bool
        Whether the first layer adds a linear function of the element to its
        features ("residual") or mixes its neighbor sums by element.
    cutoff_on_weights : bool
        Whether the cutoff function multiplies the output of the radial networks
        instead of their input.
    stored_paths : tuple of tuple of int
        Numbers of polynomials by degree of the result and by order, for models
        that bring their own basis of polynomials in their weights (published
        models); empty for the basis computed here.

    Raises
    ------
    ValueError
        If a value is outside its range.
    """

    cutoff: float
    kind: str = "mace"
    channels: int = 64
    n_radial: int = 8
    l_max: int = 3
    l_hidden: int = 0
    correlation: int = 3
    n_layers: int = 2
    radial_hidden: tuple[int, ...] = (64, 64, 64)
    cutoff_exponent: int = 5
    trainable_frequencies: bool = False
    mean_neighbors: float = 10.0
    residual_first: bool = True
    cutoff_on_weights: bool = False
    stored_paths: tuple[tuple[int, ...], ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "radial_hidden", tuple(self.radial_hidden))
        object.__setattr__(self, "stored_paths", tuple(tuple(row) for row in self.stored_paths))
        if self.kind != "mace":
            raise ValueError(f"`kind` of a MaceConfig is 'mace', got {self.kind!r}")
        for name in ("cutoff", "channels", "n_radial", "mean_neighbors"):
            if not getattr(self, name) > 0:
                raise ValueError(f"`{name}` must be positive, got {getattr(self, name)}")
        ranges = (
            ("l_max", 1, 3),
            ("l_hidden", 0, min(2, self.l_max)),
            ("correlation", 1, 3),
            ("n_layers", 1, 3),
            ("cutoff_exponent", 2, 20),
        )
        for name, low, high in ranges:
            if not low <= getattr(self, name) <= high:
                raise ValueError(f"`{name}` must be {low} to {high}, got {getattr(self, name)}")
        if not self.radial_hidden or min(self.radial_hidden) < 1:
            raise ValueError(
                f"`radial_hidden` needs at least one positive width, got {list(self.radial_hidden)}"
            )

    @property
    def l_results(self) -> tuple[int, ...]:
        """Largest degree of the features after each layer: scalars after the last."""
        return (self.l_hidden,) * (self.n_layers - 1) + (0,)

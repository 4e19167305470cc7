"""Interface of representations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from torch import Tensor

from ase_les.graph import Graph
from ase_les.representation.neighbor_sum import Neighborhoods

if TYPE_CHECKING:
    from ase_les.charges.readout import JointReadouts


@runtime_checkable
class Representation(Protocol):
    """Module from a graph to invariant features of each atom's environment.

    Attributes
    ----------
    n_features : int
        Features per atom.
    cutoff : float
        Longest edge that is used, in Å.
    n_layers : int
        Message-passing layers; a feature depends on atoms up to ``(1 + n_layers) * cutoff`` away.
    """

    n_features: int

    @property
    def cutoff(self) -> float: ...

    @property
    def n_layers(self) -> int: ...

    def __call__(self, graph: Graph) -> Tensor:
        """Return features (N, n_features) in the precision of the parameters."""

    def read(self, graph: Graph, readouts: JointReadouts) -> tuple[Tensor, ...] | None:
        """Return the outputs of frozen readouts (inference only); None if features are needed."""

    def neighborhoods(self, graph: Graph) -> Neighborhoods:
        """Return the edges that the representation uses, in the precision of the parameters."""

    def features(self, graph: Graph, edges_of_layers: Sequence[Neighborhoods]) -> Tensor:
        """Return features from edges, one set for the first sums and one for each layer.

        The sets may be equal. Born charges need separate sets: the range of a change of charge
        depends on the edges along which it was propagated (`ase_les.response.born_charges`).
        """

    def use_analytic_gradients(self) -> None:
        """Switch to hand-written gradients (inference only)."""

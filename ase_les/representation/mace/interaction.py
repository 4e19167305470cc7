r"""Neighbor sums of one layer.

.. math::
    A_{i l_3 m_3 c} = \frac{1}{\bar N} \sum_{p = (l_1, l_2, l_3)} \sum_{c'} L^p_{c' c}
        \sum_j R^p_{c'}(r_{ij}) \sum_{m_1 m_2} g^p_{m_1 m_2 m_3}
        Y_{l_2 m_2}(\hat{\mathbf{r}}_{ji})\, (h_j U)_{l_1 m_1 c'}

with :math:`g^p = \sqrt{2 l_3 + 1}` times the coupling of `ase_les.representation.mace.couplings`.
The harmonics belong to the vector from sender to receiver. In the first layer the features of a
neighbor depend on its element only, and the sum over neighbors precedes the mixing into channels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ase_les.kernels.library import Kernels
from ase_les.kernels.mace import FlatEdges
from ase_les.kernels.messages import MessageEdges, message_sums
from ase_les.representation.mace.couplings import coupled_degrees, gaunt
from ase_les.representation.mace.harmonics import SphericalHarmonics, constants, of_degree
from ase_les.representation.mace.radial import RadialFunctions, RadialNetwork
from ase_les.representation.neighbor_sum import Neighborhoods, lengths

#: Degrees of message, harmonics and sum.
Path = tuple[int, int, int]


class Interaction(nn.Module):
    """Weights of the neighbor sums of one layer.

    Parameters
    ----------
    l_input, l_max : int
        Largest degree of the features that neighbors send, and of the sums.
    """

    def __init__(
        self, l_input: int, l_max: int, channels: int, n_radial: int, radial_hidden: Sequence[int]
    ):
        super().__init__()
        self.l_max = l_max
        self.paths: list[Path] = coupled_degrees(l_max, l_input)
        n_paths, width = len(self.paths), radial_hidden[-1]
        self.radial = RadialNetwork(n_radial, radial_hidden)
        scale = 1.0 / width**0.5
        self.radial_weights = nn.Parameter(scale * torch.randn(width, n_paths, channels))
        self.up = nn.Parameter(torch.randn(l_input + 1, channels, channels) / channels**0.5)
        fan_in = [sum(path[2] == own[2] for path in self.paths) * channels for own in self.paths]
        scales = torch.tensor(fan_in, dtype=torch.get_default_dtype()).rsqrt()
        self.linear = nn.Parameter(scales[:, None, None] * torch.randn(n_paths, channels, channels))
        self.kernels: Kernels | None = None

    def first_mixing(self, embedding: Tensor) -> Tensor:
        """Matrices (l_max + 1, kinds · n_hidden, C) from sums per kind of sender to sums."""
        sent = embedding @ self.up[0]
        matrices = torch.einsum("klc,zc,lcd->lzkd", self.radial_weights, sent, self.linear)
        return matrices.flatten(1, 2)

    def raised(self, features: Sequence[Tensor]) -> Tensor:
        """Return messages (n_h, N, C) of features (2 l + 1, N, C) of every degree."""
        return torch.cat([values @ self.up[degree] for degree, values in enumerate(features)])

    def mixed(self, summed: Sequence[Tensor]) -> Tensor:
        """Return sums (n_lm, N, C) from those of every path, (2 l₃ + 1, N, C)."""
        sums: list[Tensor | None] = [None] * (self.l_max + 1)
        for number, ((_, _, degree), values) in enumerate(zip(self.paths, summed, strict=True)):
            mixed, before = values @ self.linear[number], sums[degree]
            sums[degree] = mixed if before is None else before + mixed
        return torch.cat([values for values in sums if values is not None])

    def forward_with_kernels(
        self,
        edges: FlatEdges,
        raised: Tensor,
        functions: RadialFunctions,
        harmonics: SphericalHarmonics,
    ) -> Tensor:
        """Return the result of `forward` from edges without slots, by compiled kernels.

        Parameters
        ----------
        raised : Tensor, shape (n_h, N, C)
        """
        assert self.kernels is not None
        distances = lengths(edges.vectors)
        radial = functions._replace(scales=edges.scales)(distances).T @ self.radial_weights.flatten(
            1
        )
        angles = harmonics(edges.vectors / distances).T @ self.coupling_matrix(radial)
        summed = message_sums(
            radial.view(len(radial), *self.radial_weights.shape[1:]),
            angles,
            raised.transpose(0, 1),
            MessageEdges(self.kernels, self.path_table, edges.starts, edges.senders),
        )
        sizes = [2 * third + 1 for _, _, third in self.paths]
        return self.mixed(summed.transpose(0, 1).split(sizes))

    def coupling_matrix(self, like: Tensor) -> Tensor:
        """Return the matrix (n_lm, n_angles) from harmonics to the angles of all paths."""
        return constants(coupling_matrix, self.l_max, len(self.up) - 1, like=like)

    @property
    def path_table(self) -> Tensor:
        """Paths as `ase_les.kernels.messages.MessageEdges` needs them."""
        return torch.tensor([[a * a, 2 * a + 1, 2 * c + 1] for a, _, c in self.paths])

    def forward(
        self, radial: Tensor, angular: Tensor, edges: Neighborhoods, raised: Tensor
    ) -> Tensor:
        """Return sums (n_lm, N, C) before division by the mean number of neighbors.

        Parameters
        ----------
        radial : Tensor, shape (n_hidden, N, K)
        angular : Tensor, shape (n_lm, N, K)
            Harmonics of sender → receiver.
        raised : Tensor, shape (n_h, N_senders, C)
        """
        sent = edges.of_senders(raised, 1)
        weights = torch.einsum("knj,kpc->pnjc", radial, self.radial_weights)
        # Split once: the gradient of indexing is as large as the indexed tensor.
        messages = sent.split([2 * degree + 1 for degree in range(len(self.up))])
        harmonics = angular.split([2 * degree + 1 for degree in range(self.l_max + 1)])
        summed = []
        for path_weights, (first, second, third) in zip(weights.unbind(), self.paths, strict=True):
            coupling = constants(scaled_coupling, first, second, third, like=radial)
            message = path_weights * messages[first]
            angles = torch.einsum("abc,bnj->anjc", coupling, harmonics[second])
            # (N, 2 l₃ + 1, m₁ K) · (N, m₁ K, C): one matrix product per atom.
            product = torch.bmm(
                angles.permute(1, 3, 0, 2).flatten(2), message.permute(1, 0, 2, 3).flatten(1, 2)
            )
            summed.append(product.transpose(0, 1))
        return self.mixed(summed)


def first_sums(
    vectors: Tensor,
    one_hot: Tensor,
    matrices: Tensor,
    functions: RadialFunctions,
    harmonics: SphericalHarmonics,
) -> Tensor:
    """Return sums (n_lm, N, C) of the first layer.

    Parameters
    ----------
    vectors : Tensor, shape (3, N, K)
        From sender to receiver, in Å.
    one_hot : Tensor, shape (kinds, N, K)
        Kind of every sender.
    matrices : Tensor, shape (l_max + 1, kinds · n_hidden, C)
        See `Interaction.first_mixing`.
    """
    distances = lengths(vectors)
    radial = functions(distances)
    angular = harmonics(vectors / distances)
    by_sender = angular[:, None] * one_hot
    # (N, n_lm · kinds, K) · (N, K, n_hidden): one matrix product per atom.
    summed = torch.bmm(by_sender.permute(2, 0, 1, 3).flatten(1, 2), radial.permute(1, 2, 0))
    summed = summed.view(len(summed), len(angular), -1).transpose(0, 1)
    return torch.cat(
        [
            summed[components] @ matrix
            for components, matrix in zip(harmonics.of_degree, matrices, strict=True)
        ]
    )


def coupling_matrix(l_max: int, l_input: int) -> Tensor:
    """Return the (n_lm, angles) matrix from harmonics to coupled angles (m₁, m₃); float64."""
    blocks = []
    for first, second, third in coupled_degrees(l_max, l_input):
        rows = torch.zeros((l_max + 1) ** 2, (2 * first + 1) * (2 * third + 1), dtype=torch.float64)
        coupling = scaled_coupling(first, second, third)
        rows[of_degree(l_max)[second]] = coupling.transpose(0, 1).flatten(1)
        blocks.append(rows)
    return torch.cat(blocks, dim=1)


def scaled_coupling(first: int, second: int, third: int) -> Tensor:
    """Coupling of a path, of norm √(2 l₃ + 1); float64."""
    return math.sqrt(2 * third + 1) * gaunt(first, second, third)

r"""Message sums and polynomials of MACE for inference, with hand-written gradients.

Radial functions are interpolated edge by edge, so that no array of edges times channels is stored.
Both functions are once differentiable; the weights are constants.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import accumulate, pairwise
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from ase_les.kernels.library import (
    Kernels,
    MessageArguments,
    PolynomialArguments,
    RadialArguments,
    in_ranges,
    pointer,
    ranges,
)

#: Channels are a multiple of this, the number of polynomial columns computed together.
COLUMNS = 16

# Atoms per block and thread.
_BLOCK = 256


class FlatEdges(NamedTuple):
    """Edges without slots: ``vectors`` (3, E) from sender to receiver in Å, ``senders`` (E,).

    The edges of atom i are ``starts[i]`` to ``starts[i + 1]``. ``scales`` (E,) are those of a
    transform of distances in Å, None without one.
    """

    vectors: Tensor
    senders: Tensor
    starts: Tensor
    scales: Tensor | None = None


class _Path(NamedTuple):
    """Mixing of one path: 2 l₃ + 1 rows of the sums, and the components of their degree.

    ``beta`` is 0 for the first path of a degree, whose result is not added to others.
    """

    size: int
    rows: slice
    components: slice
    matrix: Tensor
    beta: int


class TableSums(nn.Module):
    """Sums of the messages of one layer, mixed into channels.

    Atoms are worked on in blocks: angles of edges and sums of paths exist for one block at a time.
    Angles are computed again for the gradient if there are several blocks.

    Parameters
    ----------
    kernels : Kernels
    paths : Tensor, shape (n_paths, 3)
        First component of the message, 2 l₁ + 1 and 2 l₃ + 1; int64.
    couplings : Tensor, shape (n_lm, n_angles)
        From harmonics to the coupled angles of all paths.
    linear : Tensor, shape (n_paths, C, C)
        From the sums of every path to those of its degree l₃.
    rows : Tensor, shape (2 n_points, n_paths, C)
        Values of the radial functions, and slopes times the step, at the points of their table.
    step : float
        Step between points in Å.
    harmonics
        `ase_les.representation.mace.harmonics.SphericalHarmonics`.
    """

    def __init__(
        self,
        kernels: Kernels,
        paths: Tensor,
        couplings: Tensor,
        linear: Tensor,
        rows: Tensor,
        step: float,
        harmonics: Any,
    ):
        super().__init__()
        self.kernels, self.harmonics = kernels, harmonics
        self.paths: Tensor
        self.couplings: Tensor
        self.rows: Tensor
        self.register_buffer("paths", paths, persistent=False)
        self.register_buffer("couplings", couplings, persistent=False)
        self.register_buffer("rows", rows.contiguous(), persistent=False)
        sizes = paths[:, 2].tolist()
        self.mixing = [
            _Path(
                size,
                slice(end - size, end),
                harmonics.of_degree[size // 2],
                matrix,
                int(size in sizes[:number]),
            )
            for number, (size, end, matrix) in enumerate(
                zip(sizes, accumulate(sizes), linear.detach(), strict=True)
            )
        ]
        self.n_rows = sum(sizes)
        # The interval after the last point contains zeros.
        self.table = (len(rows) // 2 - 2, step)

    def forward(self, edges: FlatEdges, sent: Tensor) -> Tensor:
        """Return the sums (n_lm, N, C) from messages (N, n_h, C)."""
        return _TableSums.apply(edges.vectors, sent.contiguous(), edges.senders, edges.starts, self)


class _Block(NamedTuple):
    """Atoms of a block, its edges, and what belongs to them."""

    atoms: slice
    edges: slice
    distances: Tensor
    unit: Tensor
    angles: Tensor
    senders: Tensor
    starts: Tensor


def _blocks(layer: TableSums, vectors: Tensor, senders: Tensor, starts: Tensor) -> Iterator[_Block]:
    n_atoms, size = len(starts) - 1, _BLOCK * torch.get_num_threads()
    bounds = [*range(0, n_atoms, size), n_atoms]
    for (first, last), (begin, end) in zip(
        pairwise(bounds), pairwise(starts[bounds].tolist()), strict=True
    ):
        own = vectors[:, begin:end]
        # The first axis has the components of a vector: sums over it are three additions.
        distances = (own * own).sum(0).sqrt()
        unit = own / distances
        angles = (layer.couplings.T @ layer.harmonics(unit)).T.contiguous()
        yield _Block(
            slice(first, last),
            slice(begin, end),
            distances,
            unit,
            angles,
            senders[begin:end],
            starts[first : last + 1] - begin,
        )


class _TableSums(Function):
    @staticmethod
    def forward(
        ctx: Any, vectors: Tensor, sent: Tensor, senders: Tensor, starts: Tensor, layer: TableSums
    ) -> Tensor:
        ctx.layer = layer
        ctx.save_for_backward(vectors, sent, senders, starts)
        result = sent.new_empty(len(layer.couplings), len(starts) - 1, sent.shape[2])
        ctx.only_block = None
        for block in _blocks(layer, vectors, senders, starts):
            n_atoms = len(block.starts) - 1
            if n_atoms == len(starts) - 1:
                ctx.only_block = block
            sums = sent.new_empty(n_atoms, layer.n_rows, sent.shape[2])
            arguments = _arguments(layer, sent, block)
            arrays = [array.data_ptr() for array in (block.distances, block.angles, sent, sums)]
            call = partial(layer.kernels.call, "table_sum", sent.dtype, *arguments)
            in_ranges(ranges(n_atoms), lambda _, *bounds, run=call, of=arrays: run(*bounds, *of))
            for path in layer.mixing:
                matrices = path.matrix.expand(path.size, -1, -1)
                result[path.components, block.atoms].baddbmm_(
                    sums[:, path.rows].transpose(0, 1), matrices, beta=path.beta
                )
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None, None, None]:
        layer: TableSums = ctx.layer
        vectors, sent, senders, starts = ctx.saved_tensors
        by_vectors = torch.empty_like(vectors)
        # Atoms of different ranges send to each other.
        n_parts = len(ranges(min(len(starts) - 1, _BLOCK * torch.get_num_threads()))) - 1
        by_sent = sent.new_zeros(n_parts, *sent.shape)
        blocks = _blocks(layer, vectors, senders, starts)
        for block in blocks if ctx.only_block is None else [ctx.only_block]:
            n_atoms = len(block.starts) - 1
            by_sums = sent.new_empty(n_atoms, layer.n_rows, sent.shape[2])
            for path in layer.mixing:
                matrices = path.matrix.T.expand(path.size, -1, -1)
                by_sums[:, path.rows].transpose(0, 1).baddbmm_(
                    gradient[path.components, block.atoms], matrices, beta=0
                )
            by_distances = torch.empty_like(block.distances)
            by_angles = torch.empty_like(block.angles)
            arrays = [
                array.data_ptr()
                for array in (block.distances, block.angles, sent, by_sums, by_distances, by_angles)
            ]
            call = partial(
                layer.kernels.call, "table_gradient", sent.dtype, *_arguments(layer, sent, block)
            )
            in_ranges(
                ranges(n_atoms),
                lambda part, *bounds, run=call, of=arrays: run(
                    *bounds, *of, pointer(by_sent[part])
                ),
            )
            across = layer.harmonics.gradient(block.unit, layer.couplings @ by_angles.T)
            across /= block.distances
            along = by_distances - (across * block.unit).sum(0)
            by_vectors[:, block.edges] = across.addcmul_(along, block.unit)
        total = by_sent[0] if len(by_sent) == 1 else by_sent.sum(0)
        return by_vectors, total, None, None, None


def _arguments(
    layer: TableSums, sent: Tensor, block: _Block
) -> tuple[MessageArguments, RadialArguments]:
    messages = MessageArguments(
        len(block.starts) - 1,
        sent.shape[2],
        len(layer.paths),
        sent.shape[1],
        block.angles.shape[1],
        layer.n_rows,
        *(part.data_ptr() for part in (layer.paths, block.starts, block.senders)),
    )
    return messages, RadialArguments(*layer.table, layer.rows.data_ptr())


class Polynomials(nn.Module):
    """Weighted polynomials of one layer.

    Parameters
    ----------
    kernels : Kernels
    n_components : int
    pairs : list of (int, int)
        Rows whose products are further rows; a row of ones follows.
    terms : list of (int, int, int, float)
        Rows a and b, value and factor of every term.
    weights : list of Tensor, shape (n, elements, C)
        Of the polynomials of degree L = 0, 1, …; each degree has 2 L + 1 results of n values.
    """

    def __init__(
        self,
        kernels: Kernels,
        n_components: int,
        pairs: list[tuple[int, int]],
        terms: list[tuple[int, int, int, float]],
        weights: list[Tensor],
    ):
        super().__init__()
        self.kernels, self.n_components, self.n_pairs = kernels, n_components, len(pairs)
        self.weights: Tensor
        self.register_buffer(
            "weights", torch.cat(weights).transpose(0, 1).contiguous(), persistent=False
        )
        rows: list[int] = []
        counts: list[int] = []
        first = 0
        for degree, part in enumerate(weights):
            for _ in range(2 * degree + 1):
                rows += range(first, first + len(part))
                counts.append(len(part))
            first += len(part)
        self.n_results = len(counts)
        terms = sorted(terms, key=lambda term: term[2])
        per_value = torch.bincount(torch.tensor([term[2] for term in terms]), minlength=len(rows))
        # Kernels run on the CPU only: these are not moved.
        self.tables = [
            torch.tensor(pairs, dtype=torch.int64).reshape(-1, 2),
            torch.tensor([term[:2] for term in terms], dtype=torch.int64),
            _starts(per_value),
            _starts(torch.tensor(counts)),
            torch.tensor(rows),
        ]
        factors = torch.tensor([term[3] for term in terms], dtype=torch.float64)
        self.factors: Tensor
        self.register_buffer("factors", factors.to(self.weights.dtype), persistent=False)

    def forward(self, sums: Tensor, elements: Tensor) -> Tensor:
        """Return results (Σ (2 L + 1), N, C) from sums (n_lm, N, C) and elements (N,)."""
        return _Polynomials.apply(sums.contiguous(), elements, self)

    def call(self, name: str, sums: Tensor, elements: Tensor, *arrays: Tensor) -> None:
        """Call a kernel for all atoms."""
        n_atoms, channels = sums.shape[1:]
        given = PolynomialArguments(
            channels,
            self.n_components,
            self.n_pairs,
            self.n_results,
            self.weights.shape[1],
            n_atoms * channels,
            *(table.data_ptr() for table in self.tables),
            elements.data_ptr(),
            self.factors.data_ptr(),
            self.weights.data_ptr(),
        )
        places = [array.data_ptr() for array in (sums, *arrays)]
        in_ranges(
            ranges(n_atoms),
            lambda _, first, last: self.kernels.call(name, sums.dtype, given, first, last, *places),
        )


class _Polynomials(Function):
    @staticmethod
    def forward(ctx: Any, sums: Tensor, elements: Tensor, polynomials: Polynomials) -> Tensor:
        ctx.polynomials = polynomials
        ctx.save_for_backward(sums, elements)
        results = sums.new_empty(polynomials.n_results, *sums.shape[1:])
        polynomials.call("polynomials_values", sums, elements, results)
        return results

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        sums, elements = ctx.saved_tensors
        by_sums = torch.empty_like(sums)
        arrays = gradient.contiguous(), by_sums
        ctx.polynomials.call("polynomials_gradients", sums, elements, *arrays)
        return by_sums, None, None


def _starts(counts: Tensor) -> Tensor:
    """Return the starts of consecutive parts, and the end of the last part."""
    return nn.functional.pad(counts.cumsum(0), (1, 0))

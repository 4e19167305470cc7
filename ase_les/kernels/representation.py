"""Features by the fused kernels: edge basis, sums over neighbors, mixing, products per atom."""

from __future__ import annotations

import copy
import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from numpy.polynomial import chebyshev
from torch import Tensor
from torch.autograd.function import once_differentiable

from ase_les.graph import Graph
from ase_les.kernels.library import (
    Kernels,
    ModelArguments,
    PreparedGraph,
    in_ranges,
    padded_length,
    pointer,
    ranges,
    total,
)

if TYPE_CHECKING:
    from ase_les.charges.readout import JointReadouts
    from ase_les.representation.cace import Cace
    from ase_les.representation.radial import BesselBasis

# Coefficients of the radial polynomials as in generate.py, and the length of an interval in units
# of the inverse of the largest frequency: errors of the slopes are then below round-off.
_POLYNOMIALS = {torch.float32: (8, 0.5), torch.float64: (12, 0.7)}

# Atoms per thread and block when features are not kept, and atoms from which on they are not.
_BLOCK, _MOST_KEPT = 1024, 4096


class FusedRepresentation:
    """Features of a representation without message passing, computed by the compiled kernels.

    Parameters
    ----------
    cace : Cace
        Its parameters are copied and must not change afterwards.
    kernels : Kernels
    """

    def __init__(self, cace: Cace, kernels: Kernels):
        config = cace.config
        self.kernels = kernels
        self.dtype = cace.mixing.dtype
        self._embedding = cace.embedding
        self._config = config
        sender, receiver = (table.detach().to(self.dtype) for table in cace.embedding.tables())
        self._sender = sender.contiguous()
        self._receiver = _padded(receiver.repeat(1, config.n_mixed))
        self._radial = radial_polynomials(cace.neighbor_sum.radial, self.dtype)
        mixing = cace.mixing.detach()
        self._mixing, self._unmixing = _padded(mixing), _padded(mixing.transpose(2, 3))
        n_angular = len(cace.neighbor_sum.angular.triples)
        self._n_raw = config.n_embedding * n_angular * padded_length(config.n_radial)
        self._n_features = cace.n_features

    def __call__(self, graph: Graph, atoms: range | None = None) -> Tensor:
        """Return the features (n, n_features) of all atoms, or of a range of them."""
        kinds = self._embedding.kinds(graph)
        atoms = range(graph.n_atoms) if atoms is None else atoms
        return _Features.apply(graph.positions, graph.cell, graph, kinds, self, atoms)

    def read(self, graph: Graph, readouts: JointReadouts) -> tuple[Tensor, ...]:
        """Return the outputs of readouts.

        The features of many atoms are not kept, but computed twice in blocks of atoms that fit
        into the cache of a core: memory hardly grows with the structure.
        """
        kinds = self._embedding.kinds(graph)
        return _Readings.apply(graph.positions, graph.cell, graph, kinds, self, readouts)

    def forward(
        self, graph: PreparedGraph, atoms: range, keep: bool
    ) -> tuple[Tensor, Tensor | None]:
        """Return features of some atoms and, for the gradient, the raw sums it needs."""
        values = torch.empty(len(atoms), self._n_features, dtype=self.dtype)
        raw = torch.empty(len(atoms), self._n_raw, dtype=self.dtype) if keep else None
        model = self._arguments()
        in_ranges(
            _ranges_within(atoms),
            lambda _, first, last: self.kernels.call(
                "forward",
                self.dtype,
                model,
                graph.arguments,
                first,
                last,
                _address(raw, atoms),
                _address(values, atoms),
            ),
        )
        return values, raw

    def backward(
        self, graph: PreparedGraph, atoms: range, raw: Tensor, gradient: Tensor, to: _Gradients
    ) -> None:
        """Add gradients by positions and, if requested, by cells."""
        positions, cells = to
        gradient = gradient.contiguous()
        model = self._arguments()
        in_ranges(
            _ranges_within(atoms),
            lambda part, first, last: self.kernels.call(
                "backward",
                self.dtype,
                model,
                graph.arguments,
                first,
                last,
                _address(raw, atoms),
                _address(gradient, atoms),
                pointer(positions[part]),
                None if cells is None else pointer(cells[part]),
            ),
        )

    def _arguments(self) -> ModelArguments:
        config = self._config
        return ModelArguments(
            config.l_max,
            config.nu_max,
            config.n_embedding,
            config.n_radial,
            config.n_mixed * config.n_embedding,
            len(self._sender),
            len(self._radial),
            config.cutoff,
            *map(
                pointer, (self._radial, self._sender, self._receiver, self._mixing, self._unmixing)
            ),
        )


class _Features(torch.autograd.Function):
    @staticmethod
    def forward(ctx, positions, cell, graph, kinds, representation, atoms):
        prepared = PreparedGraph(graph, positions, cell, kinds)
        keep = any(ctx.needs_input_grad)
        values, raw = representation.forward(prepared, atoms, keep)
        ctx.prepared, ctx.raw, ctx.representation = prepared, raw, representation
        ctx.atoms = atoms
        return values

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient):
        found = _Gradients.zeros(ctx.prepared, ctx.atoms, ctx.needs_input_grad[1])
        ctx.representation.backward(ctx.prepared, ctx.atoms, ctx.raw, gradient, found)
        return *found.total(), None, None, None, None


class _Readings(torch.autograd.Function):
    """Outputs of readouts; the features of blocks of atoms are computed again for gradients."""

    @staticmethod
    def forward(ctx, positions, cell, graph, kinds, representation, readouts):
        prepared = PreparedGraph(graph, positions, cell, kinds)
        ctx.prepared, ctx.representation, ctx.readouts = prepared, representation, readouts
        blocks = _blocks(prepared.n_atoms)
        if len(blocks) == 1:
            keep = any(ctx.needs_input_grad)
            features, ctx.raw = representation.forward(prepared, blocks[0], keep)
            outputs, ctx.kept = readouts.evaluate(features)
            return tuple(outputs)
        parts = []
        for atoms in blocks:
            features, _ = representation.forward(prepared, atoms, keep=False)
            parts.append(readouts.evaluate(features)[0])
        return tuple(torch.cat(outputs) for outputs in zip(*parts, strict=True))

    @staticmethod
    @once_differentiable
    def backward(ctx, *gradients):
        representation, readouts = ctx.representation, ctx.readouts
        blocks = _blocks(ctx.prepared.n_atoms)
        found = _Gradients.zeros(ctx.prepared, blocks[0], ctx.needs_input_grad[1])
        for atoms in blocks:
            if len(blocks) == 1:
                raw, kept = ctx.raw, ctx.kept
            else:
                features, raw = representation.forward(ctx.prepared, atoms, keep=True)
                _, kept = readouts.evaluate(features)
            own = [gradient[atoms.start : atoms.stop] for gradient in gradients]
            by_features = readouts.gradient(own, kept)
            representation.backward(ctx.prepared, atoms, raw, by_features, found)
        return *found.total(), None, None, None, None


class _Gradients(NamedTuple):
    """Gradients of every thread by positions (T, N, 3) and cells (T, S, 3, 3) or None."""

    positions: Tensor
    cells: Tensor | None

    @classmethod
    def zeros(cls, graph: PreparedGraph, atoms: range, by_cell: bool) -> _Gradients:
        positions = torch.zeros(len(ranges(len(atoms))) - 1, graph.n_atoms, 3, dtype=torch.float64)
        cells = positions.new_zeros(len(positions), graph.n_structures, 3, 3) if by_cell else None
        return cls(positions, cells)

    def total(self) -> tuple[Tensor, Tensor | None]:
        """Return the gradients by positions and by cells."""
        return total(self.positions), None if self.cells is None else total(self.cells)


def _blocks(n_atoms: int) -> list[range]:
    """Return blocks of atoms, a single one if features are kept; the first one is the largest."""
    size = n_atoms if n_atoms < _MOST_KEPT else _BLOCK * torch.get_num_threads()
    return [range(start, min(start + size, n_atoms)) for start in range(0, n_atoms, size)]


def _ranges_within(atoms: range) -> list[int]:
    """Return the bounds of the atom ranges of the threads."""
    return [atoms.start + bound for bound in ranges(len(atoms))]


def _address(rows: Tensor | None, atoms: range) -> int | None:
    """Return the address that the row of atom 0 would have; kernels use absolute atom indices."""
    if rows is None:
        return None
    return rows.data_ptr() - atoms.start * rows.shape[1] * rows.element_size()


def radial_polynomials(radial: BesselBasis, dtype: torch.dtype) -> Tensor:
    """Return polynomials of the radial functions, (n_intervals, n_powers, n_radial padded).

    Each interval has coefficients for powers of the position within it, -1 to 1. They interpolate
    the functions at Chebyshev points, computed in float64 from the definition.
    """
    n_powers, longest = _POLYNOMIALS[dtype]
    basis = copy.deepcopy(radial).double()
    steepest = float(basis.frequencies.abs().max()) + (radial.exponent + 2) / radial.cutoff
    n_intervals = max(math.ceil(radial.cutoff * steepest / longest), 1)
    places = chebyshev.chebpts1(n_powers)
    starts = np.arange(n_intervals)[:, None]
    distances = (starts + (places + 1) / 2) * radial.cutoff / n_intervals
    with torch.no_grad():
        values = basis(torch.from_numpy(distances)).numpy()
    coefficients = np.linalg.solve(chebyshev.chebvander(places, n_powers - 1), values[..., None])
    to_powers = np.zeros((n_powers, n_powers))
    for k in range(n_powers):
        to_powers[k, : k + 1] = chebyshev.cheb2poly(np.eye(k + 1)[k])
    powers = np.einsum("kp,rik->ipr", to_powers, coefficients[..., 0])
    return _padded(torch.from_numpy(powers)).to(dtype).contiguous()


def _padded(table: Tensor) -> Tensor:
    """Return a contiguous copy whose last axis is filled with zeros to a multiple of the pad."""
    length = table.shape[-1]
    return torch.nn.functional.pad(table, (0, padded_length(length) - length)).contiguous()

r"""Features of CACE for training: compiled, with first and second derivatives.

Training needs the features :math:`B(\mathbf d, \theta)` of edge vectors and parameters, their
gradient, and the gradient of

.. math::
    S = \mathbf u \cdot \frac{\partial (\mathbf b \cdot B)}{\partial \mathbf d}
      = \mathbf b \cdot \dot B, \qquad \dot{\mathbf d} = \mathbf u

by vectors, parameters and :math:`\mathbf b`. All are evaluated atom by atom from the same
quantities and their rates along :math:`\mathbf u`; no array of edges and channels is created.
"""

from __future__ import annotations

import ctypes
from ctypes import c_int64, c_void_p
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable
from torch.nn.functional import pad

from ase_les.kernels.library import Kernels, ModelArguments, in_ranges, padded_length, ranges
from ase_les.representation.neighbor_sum import Neighborhoods, lengths

if TYPE_CHECKING:
    from ase_les.graph import Graph
    from ase_les.representation.cace import Cace


class CaceArguments(ctypes.Structure):
    """``fused_cace``: a representation in training, with its edges."""

    _fields_ = [
        ("model", ModelArguments),
        *((name, c_int64) for name in ("exponent", "n_atoms", "n_slots")),
        *(
            (name, c_void_p)
            for name in ("frequencies", "vectors", "sines", "cosines", "kinds", "sender_kinds")
        ),
    ]


class CaceResults(ctypes.Structure):
    """``fused_cace_results``: where gradients go."""

    _fields_ = [
        (name, c_void_p)
        for name in ("features", "vectors", "sender", "receiver", "mixing", "frequencies")
    ]


class _Inputs(NamedTuple):
    """Variables of the features.

    ``vectors`` (3, N·K); ``sender`` (n_kinds, s), ``receiver`` (n_kinds, m r, padded), ``mixing``
    (degree, s, n, m r, padded), ``frequencies`` (n,).
    """

    vectors: Tensor
    sender: Tensor
    receiver: Tensor
    mixing: Tensor
    frequencies: Tensor


class _Edges(NamedTuple):
    """What does not change in the derivatives: kinds of atoms and of senders, sin and cos.

    ``shape``: l_max, nu_max, mixed functions times receiver channels, cutoff exponent.
    """

    kernels: Kernels
    shape: tuple[int, int, int, int]
    cutoff: float
    n_features: int
    kinds: Tensor
    sender_kinds: Tensor
    sines: Tensor
    cosines: Tensor

    def arguments(self, inputs: _Inputs, unmixing: Tensor) -> CaceArguments:
        """Return the arguments in C; the tensors must outlive the call."""
        l_max, nu_max, n_mixed, exponent = self.shape
        model = ModelArguments(
            l_max,
            nu_max,
            inputs.sender.shape[1],
            len(inputs.frequencies),
            n_mixed,
            len(inputs.sender),
            0,
            self.cutoff,
            None,
            *(part.data_ptr() for part in (inputs.sender, inputs.receiver, inputs.mixing)),
            unmixing.data_ptr(),
        )
        parts = (inputs.frequencies, inputs.vectors, self.sines, self.cosines)
        return CaceArguments(
            model,
            exponent,
            *self.sender_kinds.shape,
            *(part.data_ptr() for part in (*parts, self.kinds, self.sender_kinds)),
        )


def trained_features(cace: Cace, kernels: Kernels, graph: Graph, edges: Neighborhoods) -> Tensor:
    """Return features (N, n_features), twice differentiable.

    Derivatives exist by vectors and parameters; second ones of the features by vectors and by one
    of both.

    Parameters
    ----------
    cace : Cace
        Without message passing.
    kernels : Kernels
    graph : Graph
    edges : Neighborhoods
        Edges that end at all atoms of the graph.

    Raises
    ------
    IndexError
        If the graph has elements that the model does not cover.
    """
    config, radial = cace.config, cace.neighbor_sum.radial
    kinds = cace.embedding.kinds(graph)
    sender, receiver = cace.embedding.tables()
    if len(kinds) and int(kinds.max()) >= len(sender):
        raise IndexError("the graph has elements that the model does not cover")
    n_mixed = config.n_mixed * config.n_embedding
    filling = (0, padded_length(n_mixed) - n_mixed)
    # Views, so that no variable is a leaf: see `_wanted`.
    inputs = _Inputs(
        edges.vectors.flatten(1),
        sender,
        pad(receiver.repeat(1, config.n_mixed), filling),
        pad(cace.mixing, filling),
        radial.frequencies.view(-1),
    )
    with torch.no_grad():
        angles = radial.frequencies[:, None] * lengths(edges.vectors)[:, None]
        fixed = _Edges(
            kernels,
            (config.l_max, config.nu_max, n_mixed, config.cutoff_exponent),
            config.cutoff,
            cace.n_features,
            kinds,
            kinds[edges.senders],
            torch.sin(angles),
            torch.cos(angles),
        )
    return _Features.apply(fixed, *(part.contiguous() for part in inputs))


class _Features(Function):
    @staticmethod
    def forward(ctx: Any, edges: _Edges, *given: Tensor) -> Tensor:
        inputs = _Inputs(*given)
        ctx.edges = edges
        ctx.save_for_backward(*inputs)
        features = inputs.vectors.new_empty(len(edges.kinds), edges.n_features)
        unmixing = _unmixing(inputs, edges.shape[2])
        arguments = edges.arguments(inputs, unmixing)
        in_ranges(
            ranges(len(features)),
            lambda _, first, last: edges.kernels.call(
                "cace_values", features.dtype, arguments, first, last, features.data_ptr()
            ),
        )
        return features

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        wanted = _wanted(ctx, 1)
        found = _Gradients.apply(ctx.edges, wanted, gradient.contiguous(), *ctx.saved_tensors)
        return None, *(part if wants else None for part, wants in zip(found, wanted, strict=True))


class _Gradients(Function):
    @staticmethod
    def forward(
        ctx: Any, edges: _Edges, wanted: tuple[bool, ...], by_features: Tensor, *given: Tensor
    ) -> tuple[Tensor, ...]:
        ctx.edges = edges
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(by_features, *given)
        return tuple(_gradients(edges, _Inputs(*given), by_features, None, (False, *wanted))[1:])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, change: Tensor | None, *others: Tensor | None) -> tuple:
        if any(other is not None for other in others):
            raise RuntimeError(
                "second derivatives by two parameters are not available with training kernels; "
                "switch them off by model.representation.use_training_kernels(None)"
            )
        by_features, *given = ctx.saved_tensors
        if change is None:
            return (None,) * (3 + len(given))
        wanted = _wanted(ctx, 2)
        found = _gradients(ctx.edges, _Inputs(*given), by_features, change.contiguous(), wanted)
        return (
            None,
            None,
            *(part if wants else None for part, wants in zip(found, wanted, strict=True)),
        )


def _wanted(ctx: Any, n_others: int) -> tuple[bool, ...]:
    """Return which input gradients the current backward pass needs.

    ``n_others``: inputs before the tensors.
    """
    return tuple(
        needed and torch._C._will_engine_execute_node(node)
        for needed, (node, _) in zip(
            ctx.needs_input_grad[n_others:], ctx.next_functions, strict=True
        )
    )


def _unmixing(inputs: _Inputs, n_mixed: int) -> Tensor:
    """Return the mixing weights (degree, s, m r, n), the radial functions padded."""
    n_radial = len(inputs.frequencies)
    swapped = inputs.mixing[..., :n_mixed].transpose(2, 3)
    return pad(swapped, (0, padded_length(n_radial) - n_radial)).contiguous()


def _gradients(
    edges: _Edges,
    inputs: _Inputs,
    by_features: Tensor,
    change: Tensor | None,
    wanted: tuple[bool, ...],
) -> list[Tensor]:
    """Return gradients by features and inputs of b·B, or of b·Ḃ with a change of the vectors.

    Those that are not wanted are empty.
    """
    bounds = ranges(len(edges.kinds))
    n_parts = len(bounds) - 1
    # The threads write to different atoms, and add to parameters of their own.
    of_atoms = [
        torch.zeros_like(part) if wants else part.new_empty(0)
        for part, wants in zip((by_features, inputs.vectors), wanted, strict=False)
    ]
    of_parts = [
        part.new_zeros(n_parts if wants else 0, *part.shape)
        for part, wants in zip(inputs[1:], wanted[2:], strict=True)
    ]
    unmixing = _unmixing(inputs, edges.shape[2])
    arguments = edges.arguments(inputs, unmixing)

    def work(part: int, first: int, last: int) -> None:
        results = CaceResults(
            *(tensor.data_ptr() or None for tensor in of_atoms),
            *(tensor[part].data_ptr() if len(tensor) else None for tensor in of_parts),
        )
        edges.kernels.call(
            "cace_gradients",
            by_features.dtype,
            arguments,
            first,
            last,
            by_features.data_ptr(),
            None if change is None else change.data_ptr(),
            results,
        )

    in_ranges(bounds, work)
    return [
        *of_atoms,
        *(tensor[0] if len(tensor) == 1 else tensor.sum(0) for tensor in of_parts),
    ]

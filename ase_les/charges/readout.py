"""Readout from features to a few numbers per atom: a linear map plus a small network."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable


class Readout(nn.Module):
    r"""Per-atom outputs :math:`\mathrm{linear}(B) + \mathrm{MLP}(B)`, SiLU between layers.

    Features are first divided by their ``spread``, a constant of the model, which
    is 1 unless measured by `LESModel.standardize_features`.

    Parameters
    ----------
    hidden : sequence of int
        Widths of the hidden layers.
    bias : bool
        Whether the layers have constant terms.
    linear : bool
        Whether there is a linear part besides the network.
    """

    spread: Tensor

    def __init__(
        self,
        n_features: int,
        hidden: Sequence[int],
        n_outputs: int,
        bias: bool,
        linear: bool = True,
    ):
        super().__init__()
        self.register_buffer("spread", torch.ones(n_features))
        self._frozen: _Frozen | None = None
        self.linear = nn.Linear(n_features, n_outputs, bias=bias) if linear else None
        widths = [n_features, *hidden, n_outputs]
        layers: list[nn.Module] = []
        for width, next_width in pairwise(widths):
            layers += [nn.Linear(width, next_width, bias=bias), nn.SiLU()]
        self.network = nn.Sequential(*layers[:-1])

    def use_analytic_gradients(self) -> None:
        """Switch to hand-written derivatives (inference only).

        Parameters are copied and must not change afterwards.
        """
        self._frozen = _Frozen.of(self)

    def forward(self, features: Tensor) -> Tensor:
        """Return outputs (N, n_outputs) of features (N, n_features)."""
        if self._frozen is not None:
            return _AnalyticReadout.apply(features, self._frozen)
        features = features / self.spread
        outputs = self.network(features)
        return outputs if self.linear is None else outputs + self.linear(features)


class _Frozen(NamedTuple):
    """Readout with the spread included in the first weights.

    ``first`` and ``bias`` are those of the first layer and, below them, of the linear part;
    ``n_first`` is the width of the first layer. ``layers``: weight and bias of the others.
    """

    first: Tensor
    bias: Tensor
    n_first: int
    layers: tuple[tuple[Tensor, Tensor | None], ...]

    @classmethod
    def of(cls, readout: Readout) -> _Frozen:
        layers = [layer for layer in readout.network if isinstance(layer, nn.Linear)]
        first = [layers[0]] if readout.linear is None else [layers[0], readout.linear]
        weight = torch.cat([layer.weight.detach() for layer in first]) / readout.spread
        biases = [
            weight.new_zeros(layer.out_features) if layer.bias is None else layer.bias.detach()
            for layer in first
        ]
        return cls(
            weight.contiguous(),
            torch.cat(biases),
            layers[0].out_features,
            tuple((layer.weight, layer.bias) for layer in layers[1:]),
        )


class JointReadouts:
    """Frozen readouts of the same features, with their first layers in one matrix."""

    def __init__(self, readouts: Sequence[Readout]):
        parts = [readout._frozen or _Frozen.of(readout) for readout in readouts]
        self._first = torch.cat([part.first for part in parts])
        self._bias = torch.cat([part.bias for part in parts])
        self._sizes = [len(part.first) for part in parts]
        self._parts = parts

    def evaluate(self, features: Tensor) -> tuple[list[Tensor], list[list[Tensor]]]:
        """Return the outputs (N, n_outputs) of each readout, and what `gradient` needs."""
        first = nn.functional.linear(features, self._first, self._bias)
        found = [
            _after_first(part, columns)
            for part, columns in zip(self._parts, first.split(self._sizes, 1), strict=True)
        ]
        return [outputs for outputs, _ in found], [before for _, before in found]

    def gradient(self, by_outputs: Sequence[Tensor], kept: Sequence[Sequence[Tensor]]) -> Tensor:
        """Return the gradient with respect to features (N, n_features) from that of the outputs."""
        by_first = [_by_first(*given) for given in zip(self._parts, by_outputs, kept, strict=True)]
        return torch.cat(by_first, dim=1) @ self._first


def _after_first(frozen: _Frozen, first: Tensor) -> tuple[Tensor, list[Tensor]]:
    """Return outputs from those of the first layer, and the arguments of the activations."""
    hidden, before = first[:, : frozen.n_first], []
    for weight, bias in frozen.layers:
        before.append(hidden)
        hidden = nn.functional.linear(nn.functional.silu(hidden), weight, bias)
    if first.shape[1] > frozen.n_first:
        return hidden + first[:, frozen.n_first :], before
    return hidden.clone() if not before else hidden, before


def _by_first(frozen: _Frozen, gradient: Tensor, before: Sequence[Tensor]) -> Tensor:
    """Return the gradient with respect to the outputs of the first layer from that of all."""
    hidden = gradient
    for (weight, _), argument in zip(reversed(frozen.layers), reversed(before), strict=True):
        hidden = torch.ops.aten.silu_backward(hidden @ weight, argument)
    if len(frozen.first) > frozen.n_first:
        hidden = torch.cat([hidden, gradient], dim=1)
    return hidden


class _AnalyticReadout(torch.autograd.Function):
    """Once differentiable, in both directions."""

    @staticmethod
    def forward(ctx: Any, features: Tensor, frozen: _Frozen) -> Tensor:
        first = nn.functional.linear(features, frozen.first, frozen.bias)
        outputs, before = _after_first(frozen, first)
        ctx.frozen = frozen
        ctx.save_for_backward(*before)
        ctx.save_for_forward(*before)
        return outputs

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return _by_first(ctx.frozen, gradient, ctx.saved_tensors) @ ctx.frozen.first, None

    @staticmethod
    def jvp(ctx: Any, rate: Tensor, _: None) -> Tensor:
        frozen = ctx.frozen
        first = rate @ frozen.first.T
        hidden = first[:, : frozen.n_first]
        for (weight, _), before in zip(frozen.layers, ctx.saved_tensors, strict=True):
            hidden = torch.ops.aten.silu_backward(hidden, before) @ weight.T
        if first.shape[1] > frozen.n_first:
            hidden = hidden + first[:, frozen.n_first :]
        return hidden

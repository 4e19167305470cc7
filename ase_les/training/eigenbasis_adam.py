"""Adam in the eigenbasis of the gradients' covariance: fewer steps to the same error."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor


class EigenbasisAdam(torch.optim.Optimizer):
    r"""Adam whose coordinates are the principal axes of the gradients of each weight matrix.

    Invariants of an environment are strongly correlated, and steps along their common directions
    are far too large or far too small when every weight has a step size of its own. For a weight
    with axes d (rows, columns, …) and gradient G,

    .. math::
        C_d &\leftarrow \beta_2 C_d + (1 - \beta_2)\, G_{(d)} G_{(d)}^T
            = Q_d \Lambda_d Q_d^T, \qquad G' = G \times_1 Q_1^T \times_2 Q_2^T \dots \\
        M &\leftarrow \beta_1 M + (1 - \beta_1)\, G, \qquad
        V \leftarrow \beta_2 V + (1 - \beta_2)\, G'^2 \\
        W &\leftarrow (1 - \eta \lambda)\, W
            - \eta\, \big(M' / \sqrt{V}\big) \times_1 Q_1 \times_2 Q_2 \dots

    with the usual corrections for the young averages M and V. The bases are followed by one
    orthogonal iteration now and then, the more rarely the larger they are.

    ======================  =============================================
    Symbol                  Code
    ======================  =============================================
    :math:`\eta`            ``lr``
    :math:`\beta`           ``betas``
    :math:`\lambda`         ``weight_decay``
    :math:`C_d, Q_d`        ``covariance_d``, ``basis_d``
    :math:`M, V`            ``mean``, ``square``
    ======================  =============================================

    Parameters
    ----------
    parameters : iterable of Tensor
    lr : float
    betas : pair of float
        Memories of the mean, and of squares and covariances.
    weight_decay : float

    References
    ----------
    .. [1] N. Vyas et al., SOAP: Improving and Stabilizing Shampoo using Adam, arXiv 2409.11321
       (nothing to do with the descriptor of that name).
    """

    _SMALLEST = 1e-8
    # Longer axes keep their own coordinates: a basis costs the third power of its length.
    _LONGEST_AXIS = 4096

    def __init__(
        self,
        parameters: Iterable[Tensor],
        lr: float,
        betas: tuple[float, float] = (0.95, 0.95),
        weight_decay: float = 0.0,
    ):
        defaults = {"lr": lr, "betas": betas, "weight_decay": weight_decay}
        super().__init__(list(parameters), defaults)

    @torch.no_grad()
    def step(self) -> None:
        """One step along the gradients; the first one only learns how large they are."""
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is not None:
                    self._step(weight, weight.grad, group)

    def _step(self, weight: Tensor, gradient: Tensor, group: dict) -> None:
        state, (memory, long_memory) = self.state[weight], group["betas"]
        axes = _turned_axes(weight, self._LONGEST_AXIS)
        if not state:
            state["step"] = torch.tensor(0.0)
            state["mean"], state["square"] = torch.zeros_like(weight), torch.zeros_like(weight)
            for axis in axes:
                rows = _rows(gradient, axis)
                covariance = (1 - long_memory) * (rows @ rows.T)
                state[f"covariance_{axis}"] = covariance
                state[f"basis_{axis}"] = torch.linalg.eigh(covariance)[1].flip(1).contiguous()
            return
        state["step"] += 1
        n_steps = int(state["step"])
        bases = {axis: state[f"basis_{axis}"] for axis in axes}
        state["mean"].lerp_(gradient, 1 - memory)
        # Together, so that large bases are read once.
        turned, mean = _turned(torch.stack([gradient, state["mean"]]), bases)
        state["square"].lerp_(turned.square_(), 1 - long_memory)
        mean = mean / (1 - memory**n_steps)
        root = (state["square"] / (1 - long_memory**n_steps)).sqrt_()
        update = _turned_back((mean / root.add_(self._SMALLEST))[None], bases)[0]
        weight.mul_(1 - group["lr"] * group["weight_decay"]).add_(update, alpha=-group["lr"])
        for axis in axes:
            rows = _rows(gradient, axis)
            state[f"covariance_{axis}"].addmm_(
                rows, rows.T, beta=long_memory, alpha=1 - long_memory
            )
            if _is_due(n_steps, weight.shape[axis]):
                self._follow(state, axis)

    @staticmethod
    def _follow(state: dict[str, Tensor], axis: int) -> None:
        """Bring a basis closer to the eigenvectors, the largest eigenvalues first."""
        covariance, basis = state[f"covariance_{axis}"], state[f"basis_{axis}"]
        image = covariance @ basis
        order = (basis * image).sum(0).argsort(descending=True)
        state["square"] = state["square"].index_select(axis, order)
        # In the layout it will have when read from a checkpoint: rounding depends on it.
        state[f"basis_{axis}"] = torch.linalg.qr(image[:, order])[0].contiguous()


def _turned_axes(weight: Tensor, longest: int) -> list[int]:
    """Axes with a basis of their own; vectors have none, Adam is enough for them."""
    if weight.dim() < 2:
        return []
    return [axis for axis, length in enumerate(weight.shape) if 1 < length <= longest]


def _is_due(n_steps: int, length: int) -> bool:
    """Whether a basis is followed: at powers of two while young, then at even intervals."""
    interval = max(10, length // 8)
    if n_steps < interval:
        return n_steps & (n_steps - 1) == 0
    return n_steps % interval == 0


def _rows(gradient: Tensor, axis: int) -> Tensor:
    """The gradient as a matrix whose rows are the places along an axis."""
    return gradient.movedim(axis, 0).reshape(gradient.shape[axis], -1)


def _turned(tensors: Tensor, bases: dict[int, Tensor]) -> Tensor:
    """Tensors, stacked along a first axis, in the coordinates of bases of their own axes."""
    for axis, basis in bases.items():
        tensors = torch.tensordot(tensors, basis, dims=([axis + 1], [0])).movedim(-1, axis + 1)
    return tensors


def _turned_back(tensors: Tensor, bases: dict[int, Tensor]) -> Tensor:
    return _turned(tensors, {axis: basis.T for axis, basis in bases.items()})

"""Last-layer committees of trained models: spread without another training."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from ase_les.committee import Committee, last_layers
from ase_les.derivatives import differentiate
from ase_les.model import LESModel
from ase_les.training.learning.dataset import Sample


def last_layer_committee(
    model: LESModel,
    samples: Sequence[Sample],
    members: int = 16,
    *,
    projections: int = 16,
    regularization: float = 3e-3,
    seed: int = 0,
    on_structure: Callable[[], None] = lambda: None,
) -> Committee:
    r"""Return a committee around a trained model whose members agree near training data.

    Energies and forces are, to first order, linear in the last layers :math:`w` of the readouts.
    Members are drawn from the posterior of a linear regression on the training structures,

    .. math::
        w_m \sim \mathcal{N}\Big(w, \big(J^T J + \lambda\, \tau\, 1\big)^{-1}\Big), \qquad
        \tau = \frac{\operatorname{tr} J J^T}{R}

    with R rows of J: derivatives of energies per atom, and of forces projected on random
    directions. The mean over the members is :math:`w`, and the spread of the rows is scaled to the
    errors on these structures. Errors on other structures are larger: calibrate on structures not
    used for training (`ase_les.training.learning.calibration`).

    =================  ====================================================
    Symbol             Code
    =================  ====================================================
    :math:`J`          ``rows``, float64, derivatives with respect to `last_layers`
    :math:`\lambda`    ``regularization``
    =================  ====================================================

    Parameters
    ----------
    samples : sequence of Sample
        Training structures; some tens are enough.
    members : int
        The cost of the mean forces does not depend on it. The spread of few members is noisy.
    projections : int
        Random directions per structure.
    on_structure : callable
        Called after every structure.

    Raises
    ------
    ValueError
        If there are no structures or labels, or fewer than two members are requested.

    References
    ----------
    .. [1] F. Bigi, S. Chong, M. Ceriotti, F. Grasselli, Mach. Learn.: Sci. Technol. 5, 045018
       (2024).
    .. [2] M. Kellner, M. Ceriotti, Mach. Learn.: Sci. Technol. 5, 035006 (2024).
    """
    if not samples:
        raise ValueError("no structures; pass the training structures of the model")
    if members < 2:
        raise ValueError(f"`members` must be at least 2, got {members}")
    random = torch.Generator().manual_seed(seed)
    names = sorted(last_layers(model))
    rows, residuals = _rows(model, names, samples, projections, random, on_structure)
    steps = _posterior(rows, members, regularization, random)
    # Exactly centered: the mean model is the model.
    steps = steps - steps.mean(0)
    error = residuals[residuals.isfinite()].square().mean().sqrt()
    if not error > 0:
        raise ValueError("the structures have no energy or force labels that differ from the model")
    steps = steps * error / (rows @ steps.T).square().mean().sqrt()
    return Committee([_shifted(model, names, step) for step in steps])


def _rows(
    model: LESModel,
    names: Sequence[str],
    samples: Sequence[Sample],
    projections: int,
    random: torch.Generator,
    on_structure: Callable[[], None],
) -> tuple[Tensor, Tensor]:
    """Return derivatives (R, P) with respect to the last layers, and errors (R,).

    Rows are energies per atom in eV and projected forces in eV/Å.
    """
    plain = copy.deepcopy(model).double()
    parameters = dict(plain.named_parameters())
    for name, parameter in parameters.items():
        parameter.requires_grad_(name in names)
    weights = [parameters[name] for name in names]
    rows, residuals = [], []
    for sample in samples:
        derived = differentiate(plain, sample.graph, create_graph=True)
        size = sample.graph.n_atoms
        values = [derived.prediction.energy.sum() / size]
        residuals.append(sample.energy.sum() / size - values[0].detach())
        for _ in range(projections):
            direction = torch.randn(size, 3, generator=random, dtype=torch.float64)
            direction /= direction.norm()
            values.append((derived.forces * direction).sum())
            residuals.append((sample.forces * direction).sum() - values[-1].detach())
        for number, value in enumerate(values, start=1):
            found = torch.autograd.grad(
                value, weights, retain_graph=number < len(values), allow_unused=True
            )
            rows.append(
                torch.cat(
                    [
                        torch.zeros(parameter.numel(), dtype=torch.float64)
                        if each is None
                        else each.flatten()
                        for each, parameter in zip(found, weights, strict=True)
                    ]
                )
            )
        on_structure()
    return torch.stack(rows), torch.stack(residuals)


def _posterior(
    rows: Tensor, members: int, regularization: float, random: torch.Generator
) -> Tensor:
    r"""Draw (M, P) from the posterior by Matheron's rule, in the space of the rows.

    .. math::
        \theta = \theta_0 - J^T (J J^T + \sigma^2 1)^{-1} (J \theta_0 + \epsilon), \qquad
        \theta_0 \sim \mathcal{N}(0, 1),\ \epsilon \sim \mathcal{N}(0, \sigma^2)
    """
    gram = rows @ rows.T
    variance = regularization * float(gram.diagonal().mean())
    start = torch.randn(members, rows.shape[1], generator=random, dtype=torch.float64)
    noise = torch.randn(members, len(rows), generator=random, dtype=torch.float64)
    gram.diagonal().add_(variance)
    solved = torch.linalg.solve(gram, (start @ rows.T + variance**0.5 * noise).T)
    return start - (rows.T @ solved).T


def _shifted(model: LESModel, names: Sequence[str], step: Tensor) -> LESModel:
    """Return a copy of the model with shifted last layers."""
    member = copy.deepcopy(model)
    parameters, first = dict(member.named_parameters()), 0
    with torch.no_grad():
        for name in names:
            parameter = parameters[name]
            part = step[first : first + parameter.numel()]
            parameter.add_(part.view_as(parameter).to(parameter))
            first += parameter.numel()
    return member.eval()

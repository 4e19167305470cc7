"""Compiled kernels for inference and training on a CPU.

The torch modules are the reference definition: they are used for all cases that the kernels do not
cover, and tests compare both.

=====================  ====================================================================
Kernel                 Instead of
=====================  ====================================================================
``edges.py``           selection of edges within the cutoff
``representation.py``  `Cace` without message passing: features
``training.py``        `Cace` without message passing in training: features
``messages.py``        `Interaction` of `Mace` in training: sums of messages, twice differentiable
``mace.py``            `Interaction` and `Products` of `Mace`: sums of messages, polynomials
``split.py``           `SplitCharges`: exchange between neighbors
``ewald.py``           `AnalyticEwaldSum`: structure factors, potentials and forces
``mesh.py``            `AnalyticParticleMesh`: charges to the mesh, potentials back
=====================  ====================================================================

``library.py`` finds the shared object and describes the C interface; ``fused.c`` is written by
``generate.py`` from the other C files.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

from ase_les.kernels.library import compiled_kernels

if TYPE_CHECKING:
    from ase_les.kernels.library import Kernels
    from ase_les.model import LESModel


@runtime_checkable
class UsesKernels(Protocol):
    """A module with a part that compiled kernels can compute."""

    def use_kernels(self, kernels: Kernels) -> None:
        """Switch to kernels, as far as they cover this module."""


@runtime_checkable
class TrainsWithKernels(Protocol):
    """A module with a part whose first and second derivatives compiled kernels can compute."""

    def use_training_kernels(self, kernels: Kernels | None) -> None:
        """Switch to kernels, or to torch if None."""


def covers(model: LESModel) -> bool:
    """Return whether compiled kernels compute all features of a frozen model.

    False for representations with message passing, or if `compiled_kernels` returns None.
    """
    parts = [model.representation]
    if model.long_range is not None:
        parts.append(model.charge_representation)
    return all(getattr(part, "has_kernels", False) for part in parts)


def use_kernels(model: LESModel) -> None:
    """Switch a frozen model to compiled kernels where possible; no effect without kernels.

    Parameters
    ----------
    model : LESModel
        Prepared for inference on a CPU; its parameters must not change afterwards.
    """
    kernels = compiled_kernels()
    if kernels is None:
        return
    for part in model.modules():
        if isinstance(part, UsesKernels):
            part.use_kernels(kernels)


def use_training_kernels(model: LESModel) -> None:
    """Switch a model in training to compiled kernels where possible, on a CPU only.

    Parameters
    ----------
    model : LESModel
    """
    kernels = compiled_kernels() if model.device.type == "cpu" else None
    for part in model.modules():
        if isinstance(part, TrainsWithKernels):
            part.use_training_kernels(kernels)

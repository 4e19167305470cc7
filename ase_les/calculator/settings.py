"""Settings of the calculator: checked values, and their description for the user."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ase_les.model import LESModel
from ase_les.model_io import shipped_models


def dielectric_tensor(given: float | Sequence | np.ndarray) -> np.ndarray:
    """Return the dielectric tensor (3, 3) for a number or a tensor, relative to vacuum.

    Raises
    ------
    ValueError
        If it is not a positive number or a symmetric positive tensor.
    """
    tensor = np.asarray(given, dtype=float)
    tensor = tensor * np.eye(3) if tensor.ndim == 0 else tensor
    symmetric = tensor.shape == (3, 3) and np.allclose(tensor, tensor.T, rtol=1e-6)
    if not symmetric or not np.linalg.eigvalsh(tensor).min() > 0:
        raise ValueError(
            "`dielectric` must be a positive number or a symmetric positive 3×3 tensor (relative "
            f"to vacuum), got {given!r}"
        )
    return tensor


def origin(model: str | Path | LESModel, hash_: str) -> str:
    """Return the name of the model, its absolute path, or its hash if it was made in memory."""
    if isinstance(model, LESModel):
        return f"LESModel {hash_}"
    if str(model) in shipped_models():
        return str(model)
    return str(Path(model).expanduser().resolve())


def sign_remedy(model: str | Path | LESModel, name: str) -> str:
    """Return how to flip the sign of the charges of a model with this name (see `origin`)."""
    if isinstance(model, LESModel):
        return "`model.long_range.charges.flip_sign()` before the calculator is made"
    return f"`ase-les convert {name} --output model.safetensors --sign auto --structure FILE`"


def described(model: LESModel, parameters: Mapping[str, object]) -> str:
    """Return one line with a model, its elements and stated limits, and the settings."""
    elements = " ".join(model.config.atomic_energies)
    limits = str(model.card.get("limits") or "none stated in the model card")
    settings = ", ".join(
        f"{name}={value!r}" for name, value in parameters.items() if name != "model"
    )
    return (
        f"LESCalculator({str(parameters['model'])!r}, {settings}; elements: {elements}; "
        f"cutoff: {model.config.cutoff:g} Å; limits: {limits})"
    )

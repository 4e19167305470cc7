"""Settings of the calculator: checked values, and their description for the user."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ase_les.committee import Committee
from ase_les.committee_io import is_committee
from ase_les.model import LESModel
from ase_les.model_io import load_model, model_hash, shipped_models
from ase_les.model_limits import stated_limits

Member = str | Path | LESModel
Source = Member | Committee | Sequence[Member]
"""Names, files or models, one or several."""


def names_committee(model: Source | None) -> bool:
    """Return whether this is a committee, several models or the file of a committee."""
    if isinstance(model, str | Path):
        return is_committee(shipped_models().get(str(model), Path(model).expanduser()))
    return model is not None and not isinstance(model, LESModel)


def load_committee(model: Source) -> Committee:
    """Return a committee made from a file, from several models, or from a committee.

    Raises
    ------
    ValueError
        If the models cannot form a committee.
    """
    if isinstance(model, Committee):
        return model
    if isinstance(model, str | Path):
        loaded = load_model(model)
        return loaded if isinstance(loaded, Committee) else Committee([loaded])
    assert isinstance(model, Sequence)
    each: list[LESModel | Committee] = [
        item if isinstance(item, LESModel) else load_model(item) for item in model
    ]
    members: list[LESModel] = []
    for item in each:
        # Committees among several models contribute all of their members.
        members += [item] if isinstance(item, LESModel) else item.members
    return Committee(members)


#: Largest plausible ε∞; narrow-gap semiconductors have 16 (Ge) to 33 (PbTe).
LARGEST_DIELECTRIC = 50.0
#: Largest plausible field in V/Å; molecules ionize at 1 to 4.
LARGEST_FIELD_V_PER_A = 10.0


def field_vector(field: Sequence[float]) -> np.ndarray:
    """Return a field as an array (3,), in V/Å.

    Raises
    ------
    ValueError
        If it is not three finite numbers of plausible size.
    """
    given = np.array(field, dtype=float)
    if given.shape != (3,) or not np.isfinite(given).all():
        raise ValueError(f"`field_V_per_A` must be three finite numbers, got {field!r}")
    if np.linalg.norm(given) > LARGEST_FIELD_V_PER_A:
        raise ValueError(
            f"`field_V_per_A` must be at most {LARGEST_FIELD_V_PER_A:g} V/Å, where every molecule "
            f"ionizes, got {field!r}; 1 V/m is 1e-10 V/Å"
        )
    return given


def dielectric_tensor(given: float | Sequence | np.ndarray) -> np.ndarray:
    """Return the dielectric tensor (3, 3) for a number or a tensor, relative to vacuum.

    Raises
    ------
    ValueError
        If it is not a number of at least 1 or a symmetric tensor with such eigenvalues.
    """
    tensor = np.asarray(given, dtype=float)
    tensor = tensor * np.eye(3) if tensor.ndim == 0 else tensor
    symmetric = tensor.shape == (3, 3) and np.allclose(tensor, tensor.T, rtol=1e-6)
    if not symmetric or not np.linalg.eigvalsh(tensor).min() >= 1 - 1e-6:
        raise ValueError(
            "`dielectric` must be 1 or larger, or a symmetric positive 3×3 tensor with such "
            f"eigenvalues (ε∞ relative to vacuum), got {given!r}"
        )
    if np.linalg.eigvalsh(tensor).max() > LARGEST_DIELECTRIC:
        raise ValueError(
            f"`dielectric` is ε∞ of the electrons alone, 1.78 for water, at most "
            f"{LARGEST_DIELECTRIC:g}; got {given!r}. The static constant includes the "
            "nuclei, which move here"
        )
    return tensor


def origin(model: Source, hash_: str) -> str:
    """Return the name of the model, its absolute path, or its hash if it is only in memory."""
    if isinstance(model, LESModel | Committee):
        return f"{type(model).__name__} {hash_}"
    if not isinstance(model, str | Path):
        hashes = (model_hash(each) if isinstance(each, LESModel) else "" for each in model)
        return ", ".join(origin(*pair) for pair in zip(model, hashes, strict=True))
    if str(model) in shipped_models():
        return str(model)
    return str(Path(model).expanduser().resolve())


def sign_remedy(model: Source, name: str) -> str:
    """Return an instruction to flip the sign of the charges of a model (name: see `origin`)."""
    if isinstance(model, LESModel):
        return "`model.long_range.charges.flip_sign()` before the calculator is created"
    if not isinstance(model, str | Path) or names_committee(model):
        return "`ase-les convert MEMBER --output FILE --sign flip`, and combine the members again"
    return f"`ase-les convert {name} --output model.safetensors --sign auto --structure FILE`"


def described(model: LESModel | Committee, parameters: Mapping[str, object]) -> str:
    """Return a line with the model, its elements and limits, and the settings."""
    elements = " ".join(model.config.atomic_energies)
    limits = stated_limits(model.card) or "none stated in the model card"
    settings = ", ".join(
        f"{name}={value!r}" for name, value in parameters.items() if name != "model"
    )
    return (
        f"LESCalculator({str(parameters['model'])!r}, {settings}; elements: {elements}; "
        f"cutoff: {model.config.cutoff:g} Å; limits: {limits})"
    )

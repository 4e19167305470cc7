"""Conversion of published checkpoints to models."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ase_les.interop.cace import cace_model
from ase_les.interop.mace import is_mace, mace_model
from ase_les.interop.torch_archive import read_archive
from ase_les.messages import one_line
from ase_les.model import LESModel


def read_checkpoint(
    path: str | Path,
    atomic_energies: Mapping[str, float] | None = None,
    *,
    converged_ewald: bool = False,
    head: str | None = None,
) -> LESModel:
    """Return a published checkpoint as a model in float64, without executing code of the file.

    Parameters
    ----------
    path : str or Path
        Checkpoint of a whole CACE or MACE network, written by ``torch.save``.
    atomic_energies : mapping of str to float or None
        Energies of the elements in eV. CACE checkpoints do not contain them: None sets
        all to zero. MACE checkpoints do: None keeps those of the file.
    converged_ewald : bool
        Whether to converge the reciprocal sum, which makes the energy a smooth
        function of the cell, instead of using the authors' cutoff.
    head : str or None
        Name of the head, for MACE models with several heads.

    Raises
    ------
    FileNotFoundError
        If the file does not exist.
    ValueError
        If the file is not a checkpoint, its network has unsupported parts,
        or an element has no energy.
    """
    path = Path(path)
    root = read_archive(path)
    try:
        if is_mace(root):
            return mace_model(
                root, path, atomic_energies, converged_ewald=converged_ewald, head=head
            )
        if head is not None:
            raise ValueError(f"it has no heads, `head` is {head!r}; leave it out")
        return cace_model(root, path, atomic_energies, converged_ewald)
    except ValueError as error:
        raise ValueError(f"'{path}' cannot be converted: {one_line(error, 600)}") from None
    except Exception as error:
        # A damaged or hostile file can make the conversion fail in any way.
        what = one_line(f"{type(error).__name__}: {error}")
        raise ValueError(f"'{path}' has an unknown layout: {what}") from error

"""Configuration of a training: data, model, fit, output and card."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from ase import Atoms

from ase_les.configuration import from_mapping, read_yaml
from ase_les.reading import read_file
from ase_les.training.dataset import LabelNames, split
from ase_les.training.fit_settings import FitSettings
from ase_les.training.initial_model import ArchitectureConfig
from ase_les.training.labelled_files import chosen_frames

T = TypeVar("T")


@dataclass(frozen=True)
class DataConfig:
    """Files with labelled structures; paths are relative to the configuration file.

    Parameters
    ----------
    training : tuple of str
        Extended XYZ files, or a part of one such as ``data.extxyz@:20``; or a single name.
    validation : str or float
        A file, or the fraction of the structures of each training file to hold back (evenly
        spaced, to cover the whole length of a trajectory).
    test : str, float or None
        Test set, evaluated once after training: a file, or the fraction of the structures of each
        training file to hold back.
    labels : LabelNames
    shortest_A : mapping of str to float
        Minimum distances in Å by pair of elements, such as ``{Na-H: 2.0}``; structures with
        shorter distances are excluded.
    dielectric : float
        Electronic dielectric constant of periodic structures; labels of Born charges are divided by
        its square root.
    format : str or None
        Format of all files: a name of ASE (``vasp-out``, ``espresso-out`` …), or ``dpdata:NAME`` to
        read them with dpdata (``dpdata:cp2k/output``). By default it is determined from name and
        content.
    """

    training: tuple[str, ...]
    validation: str | float = 0.1
    test: str | float | None = None
    labels: LabelNames = field(default_factory=LabelNames)
    shortest_A: Mapping[str, float] = field(default_factory=dict)
    dielectric: float = 1.0
    format: str | None = None

    def __post_init__(self):
        files = (self.training,) if isinstance(self.training, str) else tuple(self.training)
        if not files:
            raise ValueError("`training` needs at least one file")
        object.__setattr__(self, "training", files)

    def frames(self, path: Path) -> list[Atoms]:
        """Return the structures of a file without excluded ones.

        Raises
        ------
        FileNotFoundError
            If the file does not exist.
        ValueError
            If all structures are excluded.
        """
        return chosen_frames(read_file(path, self.format).frames, self.shortest_A)


@dataclass(frozen=True)
class TrainingConfig:
    """Configuration of a training.

    Parameters
    ----------
    data : DataConfig
    model : ArchitectureConfig
    fit : FitSettings
    start : str or None
        Trained model of the same architecture that provides the initial weights: a file or the name
        of a shipped model. By default weights are random.
    teachers : tuple of str
        Trained models, as for `start`, whose mean dipoles and Born charges serve as labels of the
        training structures, with the weights of the loss (`ase_les.training.teachers`).
    output : str
        Stem of the output files.
    card : mapping
        Entries of the model card written by a person: summary, data with citation and license.
    """

    data: DataConfig
    model: ArchitectureConfig
    fit: FitSettings = field(default_factory=FitSettings)
    start: str | None = None
    teachers: tuple[str, ...] = ()
    output: str = "model"
    card: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self):
        object.__setattr__(self, "teachers", tuple(self.teachers))
        if self.start and self.fit.bond_polarity:
            raise ValueError(
                "`bond_polarity` would replace the charges of `start`: leave out one of them"
            )
        if self.teachers and not self.fit.needs_response:
            raise ValueError(
                "`teachers` provide dipoles and Born charges, whose weights are zero: set "
                "`born_charges` or `dipole` in `fit: loss:` and `final_loss:`, or leave out "
                "`teachers`"
            )


def read_training_config(path: str | Path) -> tuple[TrainingConfig, Path]:
    """Read a configuration from YAML; return it with the folder that its paths refer to.

    Raises
    ------
    FileNotFoundError
        If the file does not exist.
    ValueError
        If it is not YAML, or an entry is unknown, missing or invalid.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no configuration at '{path}'")
    return from_mapping(TrainingConfig, read_yaml(path)), path.parent


def divided(data: DataConfig, read: Callable[[str], list[T]]) -> dict[str, list[T]]:
    """Divide the contents of files into training, validation and test.

    Parameters
    ----------
    data : DataConfig
    read : callable
        Returns the contents of the file of a given name.
    """
    parts: dict[str, list[T]] = {"training": [], "test": [], "validation": []}
    given = {"test": data.test or 0, "validation": data.validation}
    for file in data.training:
        kept = read(file)
        for name, fraction in given.items():
            if not isinstance(fraction, str):
                kept, apart = split(kept, fraction, name)
                parts[name] += apart
        parts["training"] += kept
    for name, path in given.items():
        if isinstance(path, str):
            parts[name] = read(path)
    return parts

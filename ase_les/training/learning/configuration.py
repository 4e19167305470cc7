"""Configuration of a training: data, model, fit, output and card."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, field
from pathlib import Path
from typing import Annotated, TypeVar

from ase import Atoms

from ase_les.configuration import (
    File,
    Files,
    Fraction,
    Interval,
    Len,
    MinLen,
    Name,
    NotNegative,
    Number,
    Pair,
    Positive,
    Text,
    Unit,
    configuration,
    read_configuration,
    renamed,
)
from ase_les.messages import short_text
from ase_les.model_config import ArchitectureConfig
from ase_les.model_limits import TEMPERATURES
from ase_les.reading import read_file
from ase_les.reading.labels import LabelNames
from ase_les.training.learning.fit_settings import FitSettings
from ase_les.training.learning.labeled_files import chosen_frames
from ase_les.training.structures.selection import split

T = TypeVar("T")


@configuration
class DataConfig:
    """Files with labeled structures; paths are relative to the configuration file.

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
        Names of the labels in the files, and their conventions.
    shortest_A : mapping of str to float
        Minimum distances by pair of elements, such as ``{Na-H: 2.0}``; structures with
        shorter distances are excluded.
    dielectric : float
        Electronic dielectric constant of periodic structures; labels of Born charges are divided by
        its square root.
    format : str or None
        Format of all files: an ASE format name (``vasp-out``, ``espresso-out`` …), or
        ``dpdata:NAME`` to read them with dpdata (``dpdata:cp2k/output``). By default it is
        determined from name and content.
    without_energy : tuple of str
        Those of the files above whose energies are not used, because they have another zero or
        another level of theory than the energies of the other files. Forces and other labels are
        used. Elements that occur only in such files have the atomic energy 0.
    """

    training: Annotated[Files, MinLen(1)]
    validation: File | Fraction = 0.1
    test: File | Fraction | None = None
    labels: LabelNames = LabelNames()
    shortest_A: Mapping[Pair, Annotated[Positive, Unit("Å")]] = field(default_factory=dict)
    dielectric: Annotated[float, Interval(ge=1, le=1e4)] = 1.0
    format: Name | None = None
    without_energy: Files = ()

    def __post_init__(self) -> None:
        parts = (part for part in (self.validation, self.test) if isinstance(part, str))
        read = (*self.training, *parts)
        for name in self.without_energy:
            if name not in read:
                raise ValueError(
                    f"`without_energy` names {short_text(name)}, which is no file of the data; "
                    f"those are {', '.join(map(short_text, read))}"
                )

    def frames(self, path: Path) -> list[Atoms]:
        """Return the structures of a file without excluded ones."""
        return chosen_frames(read_file(path, self.format).frames, self.shortest_A)


@configuration
class DataSource:
    """Origin of the data of a model.

    Parameters
    ----------
    name, level, source : str or None
        Description of the structures, their level of theory, and where to obtain them.
    citation, license : str or None
        How to cite the data, and their license.
    """

    name: Text | None = None
    level: Text | None = None
    source: Text | None = None
    citation: Text | None = None
    license: Text | None = None

    _earlier = renamed(licence="license")


@configuration
class PublishedErrors:
    """Published errors of comparable models.

    Parameters
    ----------
    short_range, les : mapping of str to float
        Errors of a model without and with charges, such as ``forces_rmse_meV_per_A``.
    other : str or None
        Remarks.
    """

    short_range: Mapping[Name, Number] = field(default_factory=dict)
    les: Mapping[Name, Number] = field(default_factory=dict)
    other: Text | None = None


#: Reason for each limit, or two temperatures.
NamedLimits = Mapping[Name, Text | Annotated[tuple[NotNegative, ...], Len(2, 2)]]


@configuration
class CardConfig:
    """Entries of the model card written by hand.

    Parameters
    ----------
    name : str or None
        Name of the model.
    summary : str or None
        One-line description of the purpose of the model.
    data : DataSource or None
        Origin of the data.
    limits : str or None
        Known limitations of the model; shown with results.
    named_limits : mapping
        Limits that calculations are checked against, each with a reason
        (`ase_les.model_limits`): ``surfaces``, ``slabs``, ``constant-pressure``; and
        ``temperatures_K``, the lowest and the highest.
    published : PublishedErrors or None
        Published errors, for comparison.
    history : str or None
        How the model was made.
    license, citation : str or None
        License of the model, and how to cite it.
    notes : mapping
        Additional entries by name.
    """

    name: Text | None = None
    summary: Text | None = None
    data: DataSource | None = None
    limits: Text | None = None
    named_limits: NamedLimits = field(default_factory=dict)
    published: PublishedErrors | None = None
    history: Text | None = None
    license: Text | None = None
    citation: Text | None = None
    notes: Mapping[Name, Text | Number | bool] = field(default_factory=dict)

    _earlier = renamed(licence="license")

    def __post_init__(self) -> None:
        for name, limit in (self.named_limits or {}).items():
            if isinstance(limit, str) == (name == TEMPERATURES):
                needed = "two temperatures" if name == TEMPERATURES else "a reason in words"
                raise ValueError(f"`named_limits.{name}`: given {limit!r}, needed: {needed}")

    def entries(self) -> dict[str, object]:
        """Return the entries that are set, as plain containers."""

        def given(entries: dict) -> dict:
            plain = {k: given(v) if isinstance(v, dict) else v for k, v in entries.items()}
            return {key: value for key, value in plain.items() if value not in (None, {})}

        return given(asdict(self))


@configuration
class TrainingConfig:
    """Configuration of a training.

    Parameters
    ----------
    data : DataConfig
        Labeled structures.
    model : ArchitectureConfig
        Architecture of the model; by default that of `start`.
    fit : FitSettings
        Settings of the fit.
    start : str or None
        Trained model that provides the initial weights: a file or the name of a shipped model.
        By default weights are random.
    teachers : tuple of str
        Trained models, as for `start`, whose mean dipoles and Born charges serve as labels of the
        training structures, with the weights of the loss (`ase_les.training.learning.teachers`).
    output : str
        Stem of the output files.
    card : CardConfig
        Entries of the model card written by hand.
    """

    data: DataConfig
    model: ArchitectureConfig = ArchitectureConfig()
    fit: FitSettings = FitSettings()
    start: File | None = None
    teachers: Files = ()
    output: File = "model"
    card: CardConfig = CardConfig()

    def __post_init__(self) -> None:
        if not self.start and self.model.representation is None:
            raise ValueError(
                "`model` lacks `representation`; add it, or set `start` to a trained model"
            )
        if self.start and self.fit.bond_polarity:
            raise ValueError(
                "`bond_polarity` would replace the charges of `start`: remove one of them"
            )
        if self.teachers and not self.fit.needs_response:
            raise ValueError(
                "`teachers` provide dipoles and Born charges, whose weights are zero: set "
                "`born_charges` or `dipole` in `fit: loss:` and `final_loss:`, or remove "
                "`teachers`"
            )


def read_training_config(path: str | Path) -> tuple[TrainingConfig, Path]:
    """Read a configuration from YAML; return it with the folder that its paths refer to."""
    return read_configuration(TrainingConfig, path), Path(path).expanduser().parent


def divided(data: DataConfig, read: Callable[[str], list[T]]) -> dict[str, list[T]]:
    """Divide the contents of files into training, validation and test.

    Parameters
    ----------
    read : callable
        Returns the contents of the file of a given name.
    """
    parts: dict[str, list[T]] = {"training": [], "test": [], "validation": []}
    given = {"test": data.test or 0, "validation": data.validation}
    for file in data.training:
        kept = read(file)
        for name, fraction in given.items():
            if not isinstance(fraction, str):
                kept, held_back = split(kept, fraction, name)
                parts[name] += held_back
        parts["training"] += kept
    for name, path in given.items():
        if isinstance(path, str):
            parts[name] = read(path)
    return parts

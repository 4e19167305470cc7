"""Generate and label training structures as listed in label.yml."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import Annotated

from ase import Atoms

from ase_les.configuration import (
    Count,
    File,
    Interval,
    MinLen,
    Name,
    configuration,
    read_configuration,
)
from ase_les.reading import all_frames
from ase_les.reading.extended_xyz import write_labeled
from ase_les.runs.progress import NO_PROGRESS, Progress
from ase_les.training.engines.programs import EngineName, checked_settings
from ase_les.training.labeling.reference import label_structures
from ase_les.training.structures.moves import Ratio, repeated
from ase_les.training.structures.sampling import SamplingRecipe, sample_by_recipe
from ase_les.training.structures.selection import split

BORN_CHARGES = "REF_born_effective_charges"


@configuration
class StructureSet:
    """Structures generated from one file and labeled with the same settings.

    Parameters
    ----------
    start : str
        File of initial structures, relative to the folder of the plan.
    sample : SamplingRecipe or None
        Moves that generate structures; None uses the structures of the file, including their
        Born charges.
    repeat : tuple of 3 int
        Repetitions of periodic structures along the lattice vectors.
    volume : float
        Volume relative to that in the file, for periodic structures.
    settings : mapping
        Settings of the engine in addition to those of the plan, such as k-points.
    test : float
        Fraction of the structures held back for the test, evenly spaced.
    """

    start: File
    sample: SamplingRecipe | None = None
    repeat: tuple[Count, Count, Count] = (1, 1, 1)
    volume: Ratio = 1.0
    settings: Mapping[Name, object] = field(default_factory=dict)
    test: Annotated[float, Interval(ge=0, le=1)] = 0.15

    def structures(self, folder: Path) -> tuple[Atoms, ...]:
        """Return the structures to label; deterministic."""
        starts = []
        for atoms in all_frames(folder / self.start):
            start = repeated(atoms, self.repeat)
            start.set_cell(start.cell * self.volume ** (1 / 3), scale_atoms=True)
            starts.append(start)
        if self.sample is None:
            return tuple(starts)
        return sample_by_recipe(starts, self.sample).frames


@configuration
class LabelingPlan:
    """The contents of a ``label.yml``.

    Parameters
    ----------
    engine : str
        Labeling program, or ``package.module:function`` of a function that returns a calculator.
    sets : mapping of str to StructureSet
        Sets by name.
    settings : mapping
        Settings of the engine for all sets.
    stress : bool
        Whether to calculate stresses.
    """

    engine: EngineName
    sets: Annotated[Mapping[Name, StructureSet], MinLen(1)]
    settings: Mapping[Name, object] = field(default_factory=dict)
    stress: bool = True

    def __post_init__(self) -> None:
        for name, each in self.sets.items():
            try:
                checked_settings(self.engine, {**self.settings, **each.settings})
            except ValueError as error:
                raise ValueError(f"`sets.{name}`: {error}") from None

    def carry_out(
        self, folder: Path, work: Path, progress: Progress = NO_PROGRESS
    ) -> tuple[list[Atoms], list[Atoms]]:
        """Label all sets, continuing with the labels in ``work``.

        Parameters
        ----------
        folder : Path
            Folder of the plan.
        work : Path
            Folder where labels are stored as soon as they are calculated.

        Returns
        -------
        (list of Atoms, list of Atoms)
            Training and test structures.

        Raises
        ------
        ModuleNotFoundError
            If the engine is not installed.
        KeyboardInterrupt
            If labeling was interrupted; calling this again continues it.
        """
        training, test = [], []
        for name, each in self.sets.items():
            structures = each.structures(folder)
            result = label_structures(
                structures,
                self.engine,
                settings={**self.settings, **each.settings},
                stress=self.stress,
                output=work / name,
                resume=True,
                progress=progress,
            )
            if result.stopped:
                raise KeyboardInterrupt(
                    f"interrupted labeling of '{name}'; start again to continue"
                )
            frames = all_frames(result.files.frames)
            labeled = [structures[i] for i in result.labels if i not in result.failures]
            for atoms, structure in zip(frames, labeled, strict=True):
                atoms.info["set"] = name
                if BORN_CHARGES in structure.arrays:
                    atoms.arrays[BORN_CHARGES] = structure.arrays[BORN_CHARGES]
            kept, held_back = split(frames, each.test)
            training += kept
            test += held_back
        return training, test


def read_labeling_plan(path: Path) -> LabelingPlan:
    """Read a plan from a YAML file.

    Raises
    ------
    ValueError
        If an entry is unknown, missing or invalid.
    """
    return read_configuration(LabelingPlan, path)


def make_data(folder: Path, work: Path, *, progress: Progress = NO_PROGRESS) -> None:
    """Label structures as listed in ``label.yml``; write ``data.extxyz`` and ``test.extxyz``.

    Parameters
    ----------
    work : Path
        Folder where labels are stored as soon as they are calculated.
    """
    training, test = read_labeling_plan(folder / "label.yml").carry_out(folder, work, progress)
    write_labeled(folder / "data.extxyz", training)
    write_labeled(folder / "test.extxyz", test)

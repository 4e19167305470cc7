"""Reference data of one's own: which structures to make, and which engine labels them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ase import Atoms

from ase_les.configuration import from_mapping, read_yaml
from ase_les.reading import all_frames
from ase_les.runs.progress import NO_PROGRESS, Progress
from ase_les.training.dataset import split
from ase_les.training.labelled_frames import write_labelled
from ase_les.training.reference import label_structures
from ase_les.training.sampling import SamplingRecipe, sample_by_recipe

BORN_CHARGES = "REF_born_effective_charges"


@dataclass(frozen=True)
class StructureSet:
    """Structures made from one kind of start, labelled with the same settings.

    Parameters
    ----------
    start : str
        File of the structures to start from; relative to the folder of the plan.
    sample : mapping or None
        A sampling recipe (`ase_les.training.sampling.SamplingRecipe`); None takes the structures
        as they are, with the Born charges that the file has.
    repeat : tuple of 3 int
        Of the start, along its lattice vectors.
    volume : float
        Of the start relative to what the file says, for periodic structures.
    settings : mapping
        Of the engine, on top of those of the plan: k-points change with the cell.
    test : float
        Fraction of the structures held back for the test, evenly spaced.
    """

    start: str
    sample: Mapping[str, object] | None = None
    repeat: tuple[int, int, int] = (1, 1, 1)
    volume: float = 1.0
    settings: Mapping[str, object] = field(default_factory=dict)
    test: float = 0.15

    def structures(self, folder: Path) -> tuple[Atoms, ...]:
        """What there is to label, the same every time."""
        starts = []
        for atoms in all_frames(folder / self.start):
            start = atoms.repeat(self.repeat) if atoms.pbc.any() else atoms
            start.info = dict(atoms.info)
            start.set_cell(start.cell * self.volume ** (1 / 3), scale_atoms=True)
            starts.append(start)
        if self.sample is None:
            return tuple(starts)
        return sample_by_recipe(starts, SamplingRecipe.from_dict(self.sample)).frames


@dataclass(frozen=True)
class LabellingPlan:
    """The contents of a ``label.yml``.

    Parameters
    ----------
    engine : str
        See `ase_les.training.engines.ENGINES`.
    sets : mapping of str to StructureSet
        By name.
    settings : mapping
        Of the engine, for all sets.
    stress : bool
        Whether stresses are worth their time.
    """

    engine: str
    sets: Mapping[str, StructureSet]
    settings: Mapping[str, object] = field(default_factory=dict)
    stress: bool = True

    def carry_out(
        self, folder: Path, work: Path, progress: Progress = NO_PROGRESS
    ) -> tuple[list[Atoms], list[Atoms]]:
        """Label all sets, continuing with the labels in ``work``.

        Parameters
        ----------
        folder : Path
            Folder of the plan.
        work : Path
            Where labels are stored as soon as they are calculated.
        progress : Progress

        Returns
        -------
        (list of Atoms, list of Atoms)
            To train on, and to test with.

        Raises
        ------
        ModuleNotFoundError
            If the engine is not installed.
        RuntimeError
            If labelling was interrupted; started again it goes on.
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
                raise RuntimeError(f"labelling of '{name}' was interrupted; start again to go on")
            frames = all_frames(result.files.frames)
            labelled = [structures[i] for i in result.labels if i not in result.failures]
            for atoms, structure in zip(frames, labelled, strict=True):
                atoms.info["set"] = name
                if BORN_CHARGES in structure.arrays:
                    atoms.arrays[BORN_CHARGES] = structure.arrays[BORN_CHARGES]
            kept, held_back = split(frames, each.test)
            training += kept
            test += held_back
        return training, test


def read_plan(path: Path) -> LabellingPlan:
    """A plan from its YAML file.

    Raises
    ------
    ValueError
        If an entry is unknown or missing.
    """
    given = dict(read_yaml(path))
    given["sets"] = {
        name: from_mapping(StructureSet, each) for name, each in given.get("sets", {}).items()
    }
    return from_mapping(LabellingPlan, given)


def make_data(folder: Path, work: Path, *, progress: Progress = NO_PROGRESS) -> None:
    """Label what ``<folder>/label.yml`` says; write ``data.extxyz`` and ``test.extxyz`` there.

    Parameters
    ----------
    folder : Path
    work : Path
        Where labels are stored as soon as they are calculated.
    progress : Progress
    """
    training, test = read_plan(folder / "label.yml").carry_out(folder, work, progress)
    write_labelled(folder / "data.extxyz", training)
    write_labelled(folder / "test.extxyz", test)

"""Reference data of one's own: which structures to make, and which engine labels them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml
from ase import Atoms
from ase.io import read

from ase_les.configuration import from_mapping
from ase_les.training.labelled_frames import write_labelled
from ase_les.training.reference import label_structures
from ase_les.training.sampling import SamplingRecipe, sample_by_recipe


@dataclass(frozen=True)
class StructureSet:
    """Structures made from one kind of start, labelled with the same settings.

    Parameters
    ----------
    start : str
        File of the structures to start from; relative to the folder of the plan.
    sample : mapping
        A sampling recipe (`ase_les.training.sampling.SamplingRecipe`).
    repeat : tuple of 3 int
        Of the start, along its lattice vectors.
    volume : float
        Of the start relative to what the file says, for periodic structures.
    settings : mapping
        Of the engine, on top of those of the plan: k-points change with the cell.
    """

    start: str
    sample: Mapping[str, object]
    repeat: tuple[int, int, int] = (1, 1, 1)
    volume: float = 1.0
    settings: Mapping[str, object] = field(default_factory=dict)

    def structures(self, folder: Path) -> tuple[Atoms, ...]:
        """What there is to label, the same every time."""
        starts = []
        for atoms in read(folder / self.start, ":"):
            start = atoms.repeat(self.repeat) if atoms.pbc.any() else atoms
            start.info = dict(atoms.info)
            start.set_cell(start.cell * self.volume ** (1 / 3), scale_atoms=True)
            starts.append(start)
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

    def carry_out(self, folder: Path, work: Path, only: str | None = None) -> list[Atoms]:
        """Label all sets, going on with what is in ``work``.

        Parameters
        ----------
        folder : Path
            Of the plan.
        work : Path
            Where every label is written as soon as it is known.
        only : str, optional
            One set instead of all.

        Raises
        ------
        ModuleNotFoundError
            If the engine is not installed.
        RuntimeError
            If labelling was interrupted; started again it goes on.
        """
        frames = []
        for name, each in self.sets.items():
            if only is not None and name != only:
                continue
            result = label_structures(
                each.structures(folder),
                self.engine,
                settings={**self.settings, **each.settings},
                stress=self.stress,
                output=work / name,
                resume=True,
            )
            if result.stopped:
                raise RuntimeError(f"labelling of '{name}' was interrupted; start again to go on")
            for atoms in read(result.files.frames, ":"):
                atoms.info["set"] = name
                frames.append(atoms)
        return frames


def read_plan(path: Path) -> LabellingPlan:
    """A plan from its YAML file.

    Raises
    ------
    ValueError
        If an entry is unknown or missing.
    """
    given = dict(yaml.safe_load(path.read_text(encoding="utf-8")))
    given["sets"] = {
        name: from_mapping(StructureSet, each) for name, each in given.get("sets", {}).items()
    }
    return from_mapping(LabellingPlan, given)


def make_data(folder: Path, work: Path) -> Path:
    """Label what ``<folder>/label.yml`` says and write ``<folder>/data.extxyz``.

    Parameters
    ----------
    folder : Path
    work : Path
    """
    path = folder / "data.extxyz"
    write_labelled(path, read_plan(folder / "label.yml").carry_out(folder, work))
    return path

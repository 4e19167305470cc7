"""Sample structures to label by a list of moves and an optional selection.

Results are determined by recipe and seed (`ase_les.training.structures.moves`,
`ase_les.training.structures.motion`).
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import numpy as np
from ase import Atoms
from ase.calculators.abc import GetPropertiesMixin

from ase_les.configuration import (
    ByKind,
    Count,
    Files,
    MinLen,
    Seed,
    configuration,
    read_configuration,
)
from ase_les.runs.progress import NO_PROGRESS, Progress, task
from ase_les.training.engines.programs import EngineConfig, make_reference
from ase_les.training.structures.motion import CommitteeMD, Dynamics
from ase_les.training.structures.moves import (
    DisplaceIon,
    Dissociate,
    Move,
    MoveFragment,
    Rattle,
    RigidBodies,
    Strain,
    bare,
    collision,
)

AnyMove = Annotated[
    Rattle
    | Strain
    | DisplaceIon
    | Dissociate
    | MoveFragment
    | RigidBodies
    | Dynamics
    | CommitteeMD,
    ByKind(),
]


@configuration
class Selection:
    """Selection of structures to label.

    Parameters
    ----------
    structures : int
        Number of structures to keep.
    models : tuple of str
        One model: farthest-point sampling of its features. Several models: largest disagreement of
        their forces.
    """

    structures: Count
    models: Annotated[Files, MinLen(1)]


@configuration
class SamplingRecipe:
    """Moves and selection, as written in a YAML file.

    Parameters
    ----------
    moves : tuple of moves
        Moves that generate structures, each with its `kind`.
    seed : int
        Seed of the random numbers.
    calculator : EngineConfig or None
        Calculator for dynamics.
    select : Selection or None
        Selection among the structures; None keeps all.
    include_start : bool
        Whether to include the initial structures.
    """

    moves: Annotated[tuple[AnyMove, ...], MinLen(1)]
    seed: Seed = 0
    calculator: EngineConfig | None = None
    select: Selection | None = None
    include_start: bool = True


def read_sampling_recipe(path: str | Path) -> SamplingRecipe:
    """Read a recipe from a YAML file.

    Raises
    ------
    ValueError
        If the file is not YAML or an entry is unknown, missing or invalid.
    """
    return read_configuration(SamplingRecipe, path)


@dataclass(frozen=True)
class Samples:
    """Sampled structures with their origin.

    Attributes
    ----------
    frames : tuple of Atoms
        ``info["sampled"]`` names the move, ``info["start"]`` the structure started from.
    made : mapping of str to int
        Number of structures by kind of move.
    """

    frames: tuple[Atoms, ...]
    made: Mapping[str, int] = field(default_factory=dict)

    def summary(self) -> dict[str, object]:
        """Return plain containers."""
        return {"structures": len(self.frames), "made": dict(self.made)}


def sample_structures(
    starts: Sequence[Atoms],
    moves: Sequence[Move],
    *,
    seed: int = 0,
    calculator: GetPropertiesMixin | None = None,
    include_start: bool = True,
    progress: Progress = NO_PROGRESS,
) -> Samples:
    """Apply all moves to all initial structures.

    Parameters
    ----------
    starts : sequence of Atoms
        Charge and spin in ``info`` are passed on to the samples.
    moves : sequence of moves
        Such as ``Rattle(20, stdev_A=0.1)``.
    seed : int
        Every pair of structure and move has its own random stream, determined by seed, index of
        the structure, and index and kind of the move.
    calculator : ASE calculator, optional
        Calculator for dynamics: a cheap one, or a preliminary model.

    Raises
    ------
    ValueError
        If there is no structure, its atoms collide, or a move does not apply to it.
    """
    if len(starts) == 0:
        raise ValueError("no structures to start from")
    for index, atoms in enumerate(starts):
        if (contact := collision(atoms)) is not None:
            raise ValueError(f"initial structure {index}: {contact}")
    frames: list[Atoms] = []
    made: dict[str, int] = {}

    def keep(found: Sequence[Atoms], kind: str, start: int) -> None:
        for each in found:
            each.info |= {"sampled": kind, "start": start}
        frames.extend(found)
        made[kind] = made.get(kind, 0) + len(found)

    with task(progress, len(starts) * len(moves), "moves"):
        for start, atoms in enumerate(starts):
            if include_start:
                keep([bare(atoms)], "start", start)
            for place, move in enumerate(moves):
                rng = np.random.default_rng([seed, start, place, zlib.crc32(move.kind.encode())])
                keep(move.sampled(atoms, rng, calculator), move.kind, start)
                progress.advance(status=f"{len(frames)} structures")
    return Samples(tuple(frames), made)


def sample_by_recipe(
    starts: Sequence[Atoms], recipe: SamplingRecipe, *, progress: Progress = NO_PROGRESS
) -> Samples:
    """Sample structures by a recipe, including the selection.

    Raises
    ------
    ValueError
        See `sample_structures`.
    """
    calculator = None
    if recipe.calculator is not None:
        engine = make_reference(recipe.calculator.engine, recipe.calculator.settings)
        calculator = engine.calculator(starts[0])
    samples = sample_structures(
        starts,
        recipe.moves,
        seed=recipe.seed,
        calculator=calculator,
        include_start=recipe.include_start,
        progress=progress,
    )
    if recipe.select is None:
        return samples
    from ase_les.training.structures.selection import informative

    chosen = informative(samples.frames, recipe.select.models, recipe.select.structures)
    return Samples(tuple(samples.frames[index] for index in chosen), samples.made)

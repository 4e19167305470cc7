"""Sample structures to label by a list of moves and an optional selection.

Results are determined by recipe and seed (`ase_les.training.moves`, `ase_les.training.motion`).
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
from ase import Atoms
from ase.calculators.abc import GetPropertiesMixin

from ase_les.configuration import from_mapping, read_yaml
from ase_les.runs.output import accept_quiet
from ase_les.runs.progress import NO_PROGRESS, Progress, task
from ase_les.training.motion import CommitteeMD, Dynamics
from ase_les.training.moves import (
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

MOVES: dict[str, type] = {
    each.kind: each
    for each in (
        Rattle,
        Strain,
        DisplaceIon,
        Dissociate,
        MoveFragment,
        RigidBodies,
        Dynamics,
        CommitteeMD,
    )
}


@dataclass(frozen=True)
class Selection:
    """Selection of structures to label.

    Parameters
    ----------
    structures : int
        How many to keep.
    models : tuple of str
        One model: farthest points of its features. Several: where their forces differ most.
    """

    structures: int
    models: tuple[str, ...]

    def __post_init__(self):
        given = [self.models] if isinstance(self.models, str) else self.models
        object.__setattr__(self, "models", tuple(given))
        if not self.models:
            raise ValueError("`select` needs `models`: one for its features, several to compare")
        if self.structures < 1:
            raise ValueError(f"`structures` must be at least 1, got {self.structures}")


@dataclass(frozen=True)
class SamplingRecipe:
    """Moves and selection, as written in a YAML file.

    Parameters
    ----------
    moves : tuple of moves
    seed : int
    calculator : mapping or None
        ``engine`` and ``settings`` of the calculator that dynamics use.
    select : Selection or None
        None keeps all.
    include_start : bool
        Whether to include the initial structures.
    """

    moves: tuple[Move, ...]
    seed: int = 0
    calculator: Mapping[str, object] | None = None
    select: Selection | None = None
    include_start: bool = True

    @classmethod
    def from_dict(cls, given: object) -> SamplingRecipe:
        """Build a recipe from plain containers; every move is a mapping with its `kind`.

        Raises
        ------
        ValueError
            If an entry is unknown or missing.
        """
        if not isinstance(given, Mapping) or not given.get("moves"):
            raise ValueError("a sampling recipe needs `moves`, a list of mappings with a `kind`")
        known = {"moves", "seed", "calculator", "select", "include_start"}
        if unknown := sorted(set(given) - known):
            raise ValueError(f"unknown entries {unknown} of a recipe; known are {sorted(known)}")
        entries = dict(given)
        entries["moves"] = tuple(map(_move, given["moves"]))
        if entries.get("select") is not None:
            entries["select"] = from_mapping(Selection, entries["select"])
        return cls(**entries)

    def to_dict(self) -> dict:
        """Return plain containers for summaries."""
        return {
            "moves": [{"kind": each.kind, **asdict(cast(Any, each))} for each in self.moves],
            "seed": self.seed,
            "calculator": self.calculator,
            "select": None if self.select is None else asdict(self.select),
            "include_start": self.include_start,
        }


def read_sampling_recipe(path: str | Path) -> SamplingRecipe:
    """Read a recipe from a YAML file.

    Raises
    ------
    ValueError
        If the file is not YAML or an entry is unknown or missing.
    """
    given = read_yaml(path)
    try:
        return SamplingRecipe.from_dict(given)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


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


@accept_quiet
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
    include_start : bool
    progress : Progress

    Raises
    ------
    ValueError
        If there is no structure, its atoms collide, or a move does not apply to it.
    """
    if len(starts) == 0:
        raise ValueError("no structures to start from")
    for index, atoms in enumerate(starts):
        if (contact := collision(atoms)) is not None:
            raise ValueError(f"structure {index} to start from: {contact}")
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


@accept_quiet
def sample_by_recipe(
    starts: Sequence[Atoms], recipe: SamplingRecipe, *, progress: Progress = NO_PROGRESS
) -> Samples:
    """Sample structures by a recipe, including the selection.

    Parameters
    ----------
    starts : sequence of Atoms
    recipe : SamplingRecipe
    progress : Progress

    Raises
    ------
    ValueError
        See `sample_structures`.
    """
    from ase_les.training.engines import make_reference

    calculator = None
    if recipe.calculator is not None:
        given: dict[str, Any] = dict(recipe.calculator)
        if "engine" not in given or set(given) - {"engine", "settings"}:
            raise ValueError(f"`calculator` needs `engine` and may have `settings`, got {given}")
        calculator = make_reference(given["engine"], given.get("settings")).calculator(starts[0])
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
    from ase_les.training.selection import informative

    chosen = informative(samples.frames, recipe.select.models, recipe.select.structures)
    return Samples(tuple(samples.frames[index] for index in chosen), samples.made)


def _move(given: object) -> Move:
    if not isinstance(given, Mapping) or given.get("kind") not in MOVES:
        raise ValueError(f"every move needs a `kind`, one of {', '.join(MOVES)}; got {given!r}")
    entries = {name: value for name, value in given.items() if name != "kind"}
    return from_mapping(MOVES[given["kind"]], entries)

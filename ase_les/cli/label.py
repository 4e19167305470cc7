"""``ase-les label``: energies, forces and stresses of structures from any ASE calculator."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ase_les.cli._configuration import printed, sampling_example, sampling_keys
from ase_les.cli._groups import Common, with_groups
from ase_les.cli._options import Output, Resume, Scheduler, Threads

if TYPE_CHECKING:
    from ase import Atoms


@with_groups
def label(
    common: Common,
    structures: Annotated[
        list[Path] | None, typer.Argument(help="Files that ASE reads; all frames of each.")
    ] = None,
    engine: Annotated[
        str | None,
        typer.Option(
            help="gpaw, tblite, pyscf, abinit, les, ions, emt, lj, or package.module:function."
        ),
    ] = None,
    settings: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="YAML mapping of the engine's settings."),
    ] = None,
    sample: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            help="YAML recipe: first make diverse structures from the given ones; without --engine "
            "only write them.",
        ),
    ] = None,
    stress: Annotated[
        bool, typer.Option("--stress/--no-stress", help="Whether to compute stresses.")
    ] = True,
    output: Output = "labeled",
    jobs: Annotated[
        int, typer.Option(min=1, help="Worker processes, which share structures and threads.")
    ] = 1,
    threads: Threads = 1,
    scheduler: Scheduler = None,
    resume: Resume = False,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="With --resume: repeat failed structures.")
    ] = False,
    example: Annotated[
        bool,
        printed("--example", sampling_example, "Print a commented recipe for --sample and exit."),
    ] = False,
    keys: Annotated[
        bool,
        printed("--keys", sampling_keys, "Print all keys of --sample and --settings and exit."),
    ] = False,
) -> None:
    """Label structures; each is written to disk as soon as it is done.

    Exit code 1 if no structure was labeled, 130 after Ctrl-C.
    """
    from ase_les.reports.terminal import console
    from ase_les.reports.training import show_labels
    from ase_les.training.engines.programs import make_reference
    from ase_les.training.labeling.reference import label_structures

    if engine is None and sample is None:
        raise ValueError(
            "nothing to do: give --engine to label, --sample to make structures, or both"
        )
    if settings is not None and engine is None:
        raise ValueError(
            "--settings are those of --engine, which is missing; settings of the calculator that "
            "samples belong into the recipe"
        )
    given = {} if settings is None else _settings(settings, str(engine))
    # Check before sampling, which may take an hour.
    reference = None if engine is None else make_reference(engine, given)
    frames = _frames(structures, sample, Path(f"{output}-sampled.extxyz"), resume, common)
    if reference is not None:
        vacuum = reference.settings.get("vacuum_A")
        if vacuum is not None and any(0 < atoms.pbc.sum() < 3 for atoms in frames):
            console(common.quiet).print(
                f"{engine} is periodic in three directions: slabs and wires get {vacuum:g} "
                "Å of vacuum on each side (setting vacuum_A)",
                markup=False,
                highlight=False,
                soft_wrap=True,
            )
    if engine is None:
        console(common.quiet).print(f"{len(frames)} structures in {output}-sampled.extxyz")
        return
    result = label_structures(
        frames,
        engine,
        settings=given,
        stress=stress,
        output=output,
        jobs=jobs,
        threads=threads,
        scheduler=scheduler,
        resume=resume,
        retry_failed=retry_failed,
        overwrite=common.overwrite,
        progress=common.progress,
    )
    show_labels(result, common.quiet)
    common.print_json(result)
    if result.stopped:
        raise typer.Exit(130)
    if result.labeled == 0:
        raise typer.Exit(1)


def _frames(
    paths: list[Path] | None,
    sample: Path | None,
    sampled: Path,
    resume: bool,
    common: Common,
) -> list[Atoms]:
    from ase_les.cli._reading import read
    from ase_les.reading import read_file
    from ase_les.reading.extended_xyz import write_labeled
    from ase_les.reports.terminal import console
    from ase_les.training.structures.sampling import read_sampling_recipe, sample_by_recipe

    if sample is not None and resume and sampled.exists():
        # Resumed labeling continues with the same structures.
        return list(read_file(sampled).frames)
    if not paths:
        raise ValueError("no structures given: name files that ASE can read")
    frames = [atoms for path in paths for atoms in read(path, used=("spin",)).frames]
    if sample is None:
        return frames
    recipe = read_sampling_recipe(sample)
    if sampled.exists() and not common.overwrite:
        raise FileExistsError(
            f"'{sampled}' exists; continue with --resume, or sample again with --overwrite"
        )
    samples = sample_by_recipe(frames, recipe, progress=common.progress)
    made = ", ".join(f"{count} {kind}" for kind, count in samples.made.items())
    console(common.quiet).print(f"sampled: {made}; {len(samples.frames)} kept", highlight=False)
    write_labeled(sampled, samples.frames)
    return list(read_file(sampled).frames)


def _settings(path: Path, engine: str) -> Mapping[str, object]:
    from ase_les.configuration import Name, read_configuration
    from ase_les.training.engines.programs import checked_settings

    given = read_configuration(dict[Name, object], path)
    checked_settings(engine, given, path)
    return given

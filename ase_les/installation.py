"""Check the installation (``ase-les doctor``): libraries, kernels, devices and shipped models.

Versions of libraries are compared with the requirements, model files with their hashes, and results
on this machine with the reference definition of the energy.
"""

from __future__ import annotations

import platform
import statistics
import time
from collections.abc import Iterable, Iterator
from functools import partial
from importlib import metadata
from typing import Literal, NamedTuple

from ase.build import bulk
from packaging.requirements import Requirement

from ase_les.reports.terminal import console, progress_bar

PACKAGE = "ase_les"

_SIZE = 3
"""Cubic cells along each side of the crystal used for timing: 216 ions."""
_CALLS = 5


_DEVELOPMENT = ("test", "mace", "exam")
"""Extras that only tests and benchmarks use; MACE files are read without mace-torch."""

State = Literal["fine", "absent", "broken"]


class CheckResult(NamedTuple):
    """Result of one check of the installation.

    ``absent`` parts are optional; ``broken`` ones are required or give wrong results. ``remedy``
    describes how to fix either.
    """

    subject: str
    state: State
    found: str
    remedy: str = ""


def examine_installation(
    device: str = "cpu", models: Iterable[str] | None = None, quiet: bool = True
) -> tuple[CheckResult, ...]:
    """Check libraries, device and shipped models.

    Parameters
    ----------
    device : str
        Device for models, as named by torch.
    models : iterable of str or None
        Names of shipped models, or model files; None for all shipped models.
    quiet : bool
        Whether to hide the progress bar.

    Returns
    -------
    tuple of CheckResult
        A broken library or device ends the checks, because later results could not be trusted.
        Models are compared with the reference definition of the energy on a few random structures.
    """
    found: list[CheckResult] = []
    for part in (
        _libraries,
        _kernels,
        partial(_device, device),
        partial(_models, device, models, quiet),
    ):
        found += part()
        if not is_sound(found):
            break
    return tuple(found)


def is_sound(examined: Iterable[CheckResult]) -> bool:
    """Return whether no check is broken."""
    return all(each.state != "broken" for each in examined)


def _libraries() -> Iterator[CheckResult]:
    """Compare every requirement of the package with the installed version."""
    yield CheckResult("python", "fine", platform.python_version())
    yield CheckResult(PACKAGE, "fine", metadata.version(PACKAGE))
    needed = [Requirement(line) for line in metadata.requires(PACKAGE) or ()]
    for each in needed:
        extra = _extra(each)
        if extra in _DEVELOPMENT:
            continue
        try:
            version = metadata.version(each.name)
        except metadata.PackageNotFoundError:
            missing: State = "absent" if extra else "broken"
            install = f"{PACKAGE}[{extra}]" if extra else str(each)
            yield CheckResult(each.name, missing, "not installed", f"pip install '{install}'")
            continue
        if each.specifier.contains(version, prereleases=True):
            yield CheckResult(each.name, "fine", version)
        else:
            remedy = f"pip install '{each.name}{each.specifier}'"
            yield CheckResult(each.name, "broken", f"{version}, needed {each.specifier}", remedy)


def _extra(requirement: Requirement) -> str | None:
    """Return the extra that an optional requirement belongs to, or None."""
    if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
        return None
    extras = metadata.metadata(PACKAGE).get_all("Provides-Extra") or ()
    return next(name for name in extras if requirement.marker.evaluate({"extra": name}))


def _kernels() -> Iterator[CheckResult]:
    """Report whether the C kernels were compiled, and for which instructions they are used."""
    from ase_les.kernels.library import INSTRUCTIONS, compiled_kernels

    kernels = compiled_kernels()
    if kernels is None:
        remedy = (
            f"install a C compiler (gcc, clang), then reinstall {PACKAGE}: force calls take a third"
        )
        yield CheckResult("kernels", "absent", "not compiled; torch computes instead", remedy)
    else:
        yield CheckResult("kernels", "fine", f"compiled, {INSTRUCTIONS[kernels.level]} in use")


def _device(device: str) -> Iterator[CheckResult]:
    import torch

    from ase_les.model import check_device
    from ase_les.process_settings import available_cores

    yield CheckResult(
        "processor",
        "fine",
        f"{available_cores()} cores for this process, {torch.get_num_threads()} in use",
    )
    n_gpus = torch.cuda.device_count()
    names = ", ".join(torch.cuda.get_device_name(each) for each in range(n_gpus))
    state: State = "fine" if n_gpus else "absent"
    yield CheckResult("CUDA", state, names or "no device available to torch")
    try:
        check_device(device)
    except ValueError as error:
        yield CheckResult(f"device {device}", "broken", "torch cannot use it", str(error))


def _models(device: str, names: Iterable[str] | None, quiet: bool) -> list[CheckResult]:
    from ase_les.model_io import shipped_models

    shipped = shipped_models()
    chosen = list(shipped if names is None else names)
    if not chosen:
        remedy = f"reinstall {PACKAGE}, or give --model a model file"
        return [CheckResult("models", "broken", "none are shipped", remedy)]
    found = []
    with progress_bar(console(quiet)) as bar:
        for name in bar.track(chosen, description="models"):
            found.append(_model(name, device, name in shipped))
    if "nacl" in shipped and is_sound(found):
        found.append(_speed(device))
    return found


def _model(name: str, device: str, shipped: bool) -> CheckResult:
    """Compare the hash with that of the card, and results with the definition."""
    from ase_les.kernels import covers
    from ase_les.kernels.library import compiled_kernels
    from ase_les.model_io import load_single_model, model_hash
    from ase_les.representation.mace import Mace
    from ase_les.testing import check_calculator

    subject = f"model {name}"
    again = f"reinstall {PACKAGE}: the file differs from the shipped one"
    try:
        model = load_single_model(name)
    except (OSError, ValueError) as error:
        return CheckResult(subject, "broken", str(error), again if shipped else "")
    stated, measured = model.card.get("hash"), model_hash(model)
    if shipped and stated != measured:
        return CheckResult(subject, "broken", f"hash {measured}, its card says {stated}", again)
    try:
        report = check_calculator(model, device)
    except (AssertionError, RuntimeError) as error:
        # Wrong numbers, or a device that torch finds but cannot compute on.
        remedy = "do not use it on this device: try another version of torch, or --device cpu"
        return CheckResult(subject, "broken", str(error), remedy)
    double, single = (f.deviation for f in report.findings if f.quantity == "forces")
    found = f"forces within {double:.0e} eV/Å in float64, {single:.0e} in float32"
    if device == "cpu" and compiled_kernels() and not covers(model.for_inference(device)):
        found += (
            "; kernels for messages in float32"
            if isinstance(model.representation, Mace)
            else "; without kernels, which do not cover CACE message passing"
        )
    return CheckResult(subject, "fine", found)


def _speed(device: str) -> CheckResult:
    """Measure the wall time of a force call, with positions that change between calls."""
    import torch

    from ase_les.calculator import LESCalculator

    atoms = bulk("NaCl", "rocksalt", a=5.64, cubic=True).repeat(_SIZE)
    atoms.calc = LESCalculator("nacl", device=device)
    seconds = []
    # The first call sets up the mesh and the neighbor list.
    for call in range(_CALLS + 1):
        atoms.rattle(0.001, seed=call)
        start = time.perf_counter()
        atoms.get_forces()
        seconds.append(time.perf_counter() - start)
    typical = statistics.median(seconds[1:])
    place = f"{device}, threads: {torch.get_num_threads()}" if device == "cpu" else device
    found = f"{1000 * typical:.0f} ms per force call of {len(atoms)} ions (nacl, {place})"
    return CheckResult("speed", "fine", found)

"""Programs that label structures, by name, with requirements and default settings.

The programs are optional; each is imported when it calculates its first structure.
"""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any

from ase import Atoms
from ase.calculators.abc import GetPropertiesMixin
from pydantic import AfterValidator

from ase_les.configuration import Means, Name, configuration, from_mapping
from ase_les.training.engines.calculators import (
    make_abinit,
    make_emt,
    make_gpaw,
    make_ions,
    make_les,
    make_lj,
    make_pyscf,
    make_tblite,
    total_charge,
)
from ase_les.training.engines.settings import (
    AbinitSettings,
    EMTSettings,
    GPAWSettings,
    IonsSettings,
    LESSettings,
    LJSettings,
    PySCFSettings,
    TBLiteSettings,
)

Build = Callable[..., GetPropertiesMixin]


@dataclass(frozen=True)
class Engine:
    """Program that labels structures.

    Parameters
    ----------
    build : callable
        ``build(atoms, **settings)`` returns a calculator for that structure.
    settings : type
        Configuration of its settings.
    module : str or None
        Module that must be importable.
    program : str or None
        Executable that must be on the PATH.
    package : str or None
        Distribution whose version is recorded.
    install : str
        Installation instructions.
    charged : bool
        Whether total charges are supported; otherwise charged structures are rejected.
    """

    build: Build
    settings: type
    module: str | None = None
    program: str | None = None
    package: str | None = None
    install: str = ""
    charged: bool = True


@dataclass(frozen=True)
class Reference:
    """Engine with settings that builds a calculator for any structure.

    Every structure gets a new calculator, so that labels do not depend on earlier calculations or
    the process.

    Parameters
    ----------
    name : str
        Name of the engine, or ``package.module:function``.
    build : callable
        ``build(atoms, **settings)``.
    settings : mapping
    charged : bool
    package : str or None
        Distribution whose version is recorded.
    stress : bool
        Whether stresses are calculated.
    """

    name: str
    build: Build
    settings: Mapping[str, object]
    charged: bool = True
    package: str | None = None
    stress: bool = True

    def calculator(self, atoms: Atoms) -> GetPropertiesMixin:
        """Return a new calculator for a structure.

        Raises
        ------
        ValueError
            If the engine does not support charged structures, or a setting is unknown.
        """
        if not self.charged and total_charge(atoms) != 0:
            raise ValueError(
                f"'{self.name}' does not support total charges, and atoms.info['charge'] is "
                f"{total_charge(atoms)}; use an engine that supports charged structures"
            )
        try:
            return self.build(atoms, **self.settings)
        except TypeError as error:
            raise ValueError(
                f"'{self.name}' does not accept the settings {dict(self.settings)}: {error}"
            ) from error

    @property
    def version(self) -> str | None:
        """Return the version of the package of the engine, if any."""
        if self.package is None:
            return None
        try:
            return metadata.version(self.package)
        except metadata.PackageNotFoundError:
            return None


def make_reference(
    engine: str | Build,
    settings: Mapping[str, object] | None = None,
    *,
    stress: bool = True,
) -> Reference:
    """Return an engine by name, ``package.module:function``, or function.

    Parameters
    ----------
    engine : str or callable
        A function is called as ``function(atoms, **settings)`` and returns an ASE calculator for
        this structure; it should read ``atoms.info["charge"]`` and ``atoms.info["spin"]`` (2S + 1).
    settings : mapping, optional
    stress : bool
        Whether stresses are calculated.

    Raises
    ------
    ValueError
        If the name is unknown or does not refer to a function.
    ModuleNotFoundError
        If the engine is not installed; the message contains instructions.
    """
    given = dict(settings or {})
    if not isinstance(engine, str):
        name = f"{engine.__module__}:{engine.__qualname__}"
        return _of_function(engine, name, given, stress)
    if ":" in engine:
        return _of_function(_imported(engine), engine, given, stress)
    if engine not in ENGINES:
        raise ValueError(
            f"no engine '{engine}'; available are {', '.join(ENGINES)}, and any Python function as "
            "package.module:function"
        )
    known = ENGINES[engine]
    missing_module = known.module and importlib.util.find_spec(known.module) is None
    missing_program = known.program and shutil.which(known.program) is None
    if missing_module or missing_program:
        raise ModuleNotFoundError(f"the engine '{engine}' is not installed; {known.install}")
    settings = checked_settings(engine, given)
    return Reference(engine, known.build, settings, known.charged, known.package, stress)


def _of_function(
    function: Build, name: str, settings: Mapping[str, object], stress: bool
) -> Reference:
    if isinstance(function, type) or not callable(function):
        raise ValueError(
            f"'{name}' must be a function(atoms, **settings) that returns an ASE calculator, "
            f"got a {type(function).__name__}: wrap it in such a function, which also passes "
            "atoms.info['charge'] to the calculator if needed"
        )
    return Reference(name, function, settings, stress=stress)


def _imported(entry: str) -> Build:
    module, _, name = entry.partition(":")
    try:
        return getattr(importlib.import_module(module), name)
    except ModuleNotFoundError as error:
        raise ValueError(
            f"cannot import '{module}' of '{entry}' ({error}); it must be installed or on "
            "PYTHONPATH"
        ) from error
    except AttributeError:
        raise ValueError(f"'{module}' has no '{name}', requested by '{entry}'") from None


ENGINES: dict[str, Engine] = {
    "gpaw": Engine(
        make_gpaw,
        GPAWSettings,
        module="gpaw",
        package="gpaw",
        install="pip install gpaw gpaw-data (it compiles against libxc and BLAS: apt-get install "
        "libxc-dev libopenblas-dev)",
    ),
    "tblite": Engine(
        make_tblite,
        TBLiteSettings,
        module="tblite",
        package="tblite",
        install="pip install tblite",
    ),
    "pyscf": Engine(
        make_pyscf, PySCFSettings, module="pyscf", package="pyscf", install="pip install pyscf"
    ),
    "abinit": Engine(
        make_abinit,
        AbinitSettings,
        program="abinit",
        install="apt-get install abinit abinit-data; the settings `pps` and `pp_paths` name the "
        "pseudopotentials",
    ),
    "les": Engine(make_les, LESSettings, package="ase_les"),
    "ions": Engine(make_ions, IonsSettings, package="ase_les"),
    "emt": Engine(make_emt, EMTSettings, package="ase", charged=False),
    "lj": Engine(make_lj, LJSettings, package="ase", charged=False),
}
"""Engines by name; `ase_les.training.engines.settings` describes their settings."""


def checked_settings(
    engine: str, given: Mapping[str, object], file: str | Path | None = None
) -> dict[str, object]:
    """Return the settings of an engine, completed with defaults.

    Settings of functions (``package.module:function``) are returned unchanged.

    Parameters
    ----------
    engine : str
    given : mapping
    file : str or Path, optional
        YAML file with this content, for messages.

    Raises
    ------
    ValueError
        If a setting is unknown, missing or invalid.
    """
    if engine not in ENGINES:
        return dict(given)
    settings: Any = ENGINES[engine].settings
    known = [entry.name for entry in fields(settings)]
    others = {name: value for name, value in given.items() if name not in known}
    for name in others if getattr(settings, "OPEN", False) else ():
        if close := difflib.get_close_matches(name, known, 1, 0.85):
            raise ValueError(f"`settings`: unknown key `{name}`, did you mean `{close[0]}`?")
    if getattr(settings, "OPEN", False):
        given = {name: value for name, value in given.items() if name in known}
    else:
        others = {}
    return {**vars(from_mapping(settings, given, "settings", file)), **others}


def _engine_name(name: str) -> str:
    if name not in ENGINES and ":" not in name:
        raise ValueError(f"no engine {name!r}")
    return name


EngineName = Annotated[
    str,
    AfterValidator(_engine_name),
    Means(f"engine ({', '.join(ENGINES)}, or package.module:function)"),
]


@configuration
class EngineConfig:
    """Calculator of a labeling program.

    Parameters
    ----------
    engine : str
        Name of the engine, or ``package.module:function`` of a function that returns a calculator.
    settings : mapping
        Settings of the engine.
    """

    engine: EngineName
    settings: Mapping[Name, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        checked_settings(self.engine, self.settings)

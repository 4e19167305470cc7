"""Programs that label structures, by name, with requirements and default settings.

They are optional and imported when their first structure is calculated.
"""

from __future__ import annotations

import importlib
import importlib.util
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import metadata

from ase import Atoms, units
from ase.calculators.abc import GetPropertiesMixin

from ase_les.training.engine_calculators import (
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

Build = Callable[..., GetPropertiesMixin]


@dataclass(frozen=True)
class Engine:
    """Program for labeling structures.

    Parameters
    ----------
    build : callable
        ``build(atoms, **settings)`` returns a calculator for that structure.
    settings : mapping
        Default settings; entries of the user replace them.
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
    settings: Mapping[str, object] = field(default_factory=dict)
    module: str | None = None
    program: str | None = None
    package: str | None = None
    install: str = ""
    charged: bool = True


@dataclass(frozen=True)
class Reference:
    """Engine with settings that builds a calculator for any structure.

    Every structure has its own calculator, so that labels do not depend on earlier calculations or
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
        Whose version is recorded.
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
                f"'{self.name}' knows no total charge, atoms.info['charge'] is "
                f"{total_charge(atoms)}; label charged structures with an engine that does"
            )
        try:
            return self.build(atoms, **self.settings)
        except TypeError as error:
            raise ValueError(
                f"'{self.name}' does not take the settings {dict(self.settings)}: {error}"
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
        this structure; ``atoms.info["charge"]`` and ``atoms.info["spin"]`` (2S + 1) are for it to
        read.
    settings : mapping, optional
    stress : bool
        Whether stresses are calculated.

    Raises
    ------
    ValueError
        If the name is unknown or names no function.
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
            f"no engine '{engine}'; known are {', '.join(ENGINES)}, and any Python function as "
            "package.module:function"
        )
    known = ENGINES[engine]
    missing_module = known.module and importlib.util.find_spec(known.module) is None
    missing_program = known.program and shutil.which(known.program) is None
    if missing_module or missing_program:
        raise ModuleNotFoundError(f"the engine '{engine}' is not installed; {known.install}")
    settings = {**known.settings, **given}
    return Reference(engine, known.build, settings, known.charged, known.package, stress)


def _of_function(
    function: Build, name: str, settings: Mapping[str, object], stress: bool
) -> Reference:
    if isinstance(function, type) or not callable(function):
        raise ValueError(
            f"'{name}' must be a function(atoms, **settings) that returns an ASE calculator, "
            f"and is a {type(function).__name__}: wrap it in one, which also hands over "
            "atoms.info['charge'] where the calculator needs it"
        )
    return Reference(name, function, settings, stress=stress)


def _imported(entry: str) -> Build:
    module, _, name = entry.partition(":")
    try:
        return getattr(importlib.import_module(module), name)
    except ModuleNotFoundError as error:
        raise ValueError(
            f"cannot import '{module}' of '{entry}' ({error}); it must be installed, or lie where "
            "PYTHONPATH points"
        ) from error
    except AttributeError:
        raise ValueError(f"'{module}' has no '{name}', asked for by '{entry}'") from None


ENGINES: dict[str, Engine] = {
    "gpaw": Engine(
        make_gpaw,
        {
            "mode": {"name": "pw", "ecut": 600.0},
            "xc": "PBE",
            "kpts": {"density": 2.5, "gamma": True},
            "occupations": {"name": "fermi-dirac", "width": 0.05},
            "convergence": {"density": 1e-5, "energy": 1e-6},
            # Time reversal still halves the k-points; distorted structures have no more than that.
            "symmetry": {"point_group": False},
            "txt": None,
            "vacuum_A": 5.0,
        },
        module="gpaw",
        package="gpaw",
        install="pip install gpaw gpaw-data (it compiles against libxc and BLAS: apt-get install "
        "libxc-dev libopenblas-dev)",
    ),
    "tblite": Engine(
        make_tblite,
        {
            "method": "GFN1-xTB",
            "accuracy": 0.1,
            "max_iterations": 250,
            "verbosity": 0,
            "vacuum_A": 15.0,
        },
        module="tblite",
        package="tblite",
        install="pip install tblite",
    ),
    "pyscf": Engine(
        make_pyscf,
        {
            "xc": "PBE",
            "basis": "def2-svp",
            "max_cycle": 100,
            "conv_tol": 1e-9,
            "grid_level": 3,
            "smearing_eV": 0.0,
        },
        module="pyscf",
        package="pyscf",
        install="pip install pyscf",
    ),
    "abinit": Engine(
        make_abinit,
        {
            "command": "abinit",
            "xc": "PBE",
            "ecut": 30 * units.Hartree,
            "tolvrs": 1e-10,
            "nstep": 60,
            "kpts": (1, 1, 1),
            "vacuum_A": 5.0,
        },
        program="abinit",
        install="apt-get install abinit abinit-data; the settings `pps` and `pp_paths` name the "
        "pseudopotentials",
    ),
    "les": Engine(make_les, {"accuracy": 1e-7, "dtype": "float64"}, package="ase_les"),
    "ions": Engine(make_ions, package="ase_les"),
    "emt": Engine(make_emt, package="ase", charged=False),
    "lj": Engine(make_lj, package="ase", charged=False),
}
r"""Engines by name.

==========  ===========================================================================
Name        Defaults
==========  ===========================================================================
``gpaw``    plane waves to 600 eV, PBE, k-points at 2.5 per Å⁻¹ with Γ, Fermi–Dirac 0.05 eV;
            ``vacuum_A`` around directions that are not periodic. Charged molecules stand in
            open boundaries, charged cells in a uniform background. Semi-core shells need the
            600 eV and stress labels more: against 800 eV, a rattled MgO pair is 2 meV/Å off in
            its forces and 0.03 eV/Å³ in its stress (at 400 eV: 0.03 eV/Å and 0.38 eV/Å³).
            Other entries are GPAW's own
``tblite``  GFN1-xTB, SCF accuracy 0.1, 250 iterations; entries of ``tblite.ase.TBLite``.
            It repeats slabs and wires in all directions: ``vacuum_A`` is put on either side of
            the directions that are not periodic
``pyscf``   molecules only: PBE/def2-SVP with density fitting, grid level 3, energy to 1e-9 Eh.
            ``smearing_eV`` (Fermi–Dirac, at fixed spin) helps where levels nearly coincide
``abinit``  PBE to 30 Ha, Γ only; ``pps`` and ``pp_paths`` must be given; entries of
            ``ase.calculators.abinit.Abinit`` (energies there in eV)
``les``     a LES model as teacher: ``model`` by name or path; entries of ``LESCalculator``
``ions``    rigid ions: point charges and Born–Mayer repulsion, to move ionic crystals and melts
``emt``     effective-medium theory of ASE, for trials; no charge
``lj``      Lennard-Jones of ASE, for trials; no charge
==========  ===========================================================================
"""

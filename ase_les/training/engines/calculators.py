"""ASE calculators of the labeling programs, each built for one structure.

The programs are imported when they are used.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from ase import Atoms, units
from ase.calculators.abc import GetPropertiesMixin
from ase.calculators.calculator import Calculator, PropertyNotImplementedError, all_changes
from ase.data import atomic_numbers


def total_charge(atoms: Atoms) -> int:
    """Return ``atoms.info["charge"]`` in e, 0 if absent.

    Raises
    ------
    ValueError
        If it is not a whole number.
    """
    given = atoms.info.get("charge", 0)
    is_number = not isinstance(given, str | bool | np.bool_)
    if not (is_number and np.ndim(given) == 0 and np.isreal(given) and float(given).is_integer()):
        raise ValueError(
            f"the total charge must be a whole number of e, atoms.info['charge'] is {given!r}"
        )
    return int(given)


def multiplicity(atoms: Atoms) -> int | None:
    """Return ``atoms.info["spin"]``, 2S + 1, if present."""
    given = atoms.info.get("spin")
    return None if given is None else int(given)


def _in_vacuum(atoms: Atoms, vacuum_A: float) -> tuple[np.ndarray, np.ndarray]:
    """Return cell and positions with vacuum along the directions that are not periodic."""
    boxed = atoms.copy()
    boxed.set_constraint()
    for axis in np.flatnonzero(~boxed.pbc):
        boxed.center(vacuum=vacuum_A, axis=int(axis))
    return boxed.cell.array, boxed.positions


class InVacuum(Calculator):
    """Wrap a calculator; add vacuum along the directions that are not periodic.

    Translations do not change the forces, so that labels apply to the original structure.
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
            # Initial values; only their sum matters.
            boxed.set_initial_magnetic_moments([(self.multiplicity - 1) / len(boxed)] * len(boxed))
        for name in properties:
            self.results[name] = self._property(name, boxed)
        self.results["free_energy"] = self._property("free_energy", boxed)

    def _property(self, name: str, boxed: Atoms) -> object:
        """Return a property; raise PropertyNotImplementedError for an unavailable stress.

        GPAW raises AttributeError for it in LCAO and finite-difference mode. Programs without a
        free energy have no smearing, and their energy is used.
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


def make_gpaw(atoms: Atoms, *, vacuum_A: float, **settings) -> Calculator:
    """Return a GPAW calculator; vacuum is added along non-periodic directions."""
    from gpaw import GPAW

    charge = total_charge(atoms)
    spin = multiplicity(atoms)
    if spin is not None:
        settings["spinpol"] = spin > 1
    return InVacuum(GPAW(charge=charge, **settings), vacuum_A, spin)


def make_tblite(atoms: Atoms, *, vacuum_A: float, **settings: object) -> Calculator:
    """Return a tblite calculator; vacuum is added around slabs and wires."""
    from tblite.ase import TBLite

    made = TBLite(charge=total_charge(atoms), multiplicity=multiplicity(atoms), **settings)
    if atoms.pbc.all() or not atoms.pbc.any():
        return made
    # With one periodic direction, tblite repeats all three lattice vectors.
    return InVacuum(made, vacuum_A, None)


class PySCF(Calculator):
    """Kohn–Sham DFT of molecules in Gaussian basis sets, with density fitting."""

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
                f"the engine pyscf is for molecules, but pbc is {self.atoms.pbc.tolist()}; use gpaw"
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
        # Otherwise forces do not sum to zero on a finite grid.
        gradients.grid_response = True
        free_energy = method.e_free if self.smearing_eV > 0 else energy
        self.results = {
            "energy": energy * units.Hartree,
            "free_energy": free_energy * units.Hartree,
            "forces": -gradients.kernel() * units.Hartree / units.Bohr,
        }

    def _core_potentials(self) -> dict[str, str]:
        """Return core potentials by element, which def2 basis sets need from Rb on."""
        heavy = {str(s) for s in self.atoms.symbols if atomic_numbers[s] >= atomic_numbers["Rb"]}
        return dict.fromkeys(heavy, self.basis) if self.basis.startswith("def2") else {}


def make_pyscf(atoms: Atoms, **settings) -> Calculator:
    """Return a PySCF calculator for a molecule."""
    return PySCF(total_charge(atoms), multiplicity(atoms), **settings)


def make_abinit(atoms: Atoms, *, command: str, vacuum_A: float, **settings) -> Calculator:
    """Return an Abinit calculator; vacuum is added along non-periodic directions."""
    from ase.calculators.abinit import Abinit, AbinitProfile, AbinitTemplate
    from ase.calculators.genericfileio import GenericFileIOCalculator

    class Converged(AbinitTemplate):
        """Template that rejects calculations that did not converge."""

        def read_results(self, directory):
            if "ScfConvergenceWarning" in (Path(directory) / self.outputname).read_text():
                raise RuntimeError("the density did not converge in `nstep` cycles")
            return super().read_results(directory)

    class InTemporaryFolder(Abinit):
        """Calculator with a temporary directory of the same lifetime."""

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
    return InVacuum(InTemporaryFolder({**charge, **settings}), vacuum_A, None)


def make_emt(atoms: Atoms) -> Calculator:  # noqa: ARG001
    """Return ASE's effective-medium calculator."""
    from ase.calculators.emt import EMT

    return EMT()


def make_lj(atoms: Atoms, **settings) -> Calculator:  # noqa: ARG001
    """Return ASE's Lennard-Jones calculator."""
    from ase.calculators.lj import LennardJones

    return LennardJones(**settings)


def make_ions(atoms: Atoms, **settings) -> Calculator:  # noqa: ARG001
    """Return a calculator of rigid ions."""
    from ase_les.training.engines.rigid_ions import RigidIons

    return RigidIons(**settings)


def make_les(atoms: Atoms, *, model: str, **settings) -> Calculator:  # noqa: ARG001
    """Return a calculator with a trained model."""
    from ase_les import LESCalculator

    return LESCalculator(model, **settings)

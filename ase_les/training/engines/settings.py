"""Settings of the labeling programs, with defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Annotated, ClassVar, Literal

from ase import units

from ase_les.configuration import (
    Count,
    Element,
    File,
    Interval,
    Name,
    NotNegative,
    Number,
    Pair,
    Positive,
    Unit,
    configuration,
)

Vacuum = Annotated[float, Interval(gt=0, le=1000), Unit("Å")]


@configuration
class GPAWSettings:
    """Settings of GPAW; others are passed on to it.

    Charged molecules have open boundary conditions, charged cells a uniform background. Semi-core
    shells need 600 eV, and stress labels more: relative to 800 eV, a rattled MgO pair is 2 meV/Å
    off in its forces and 0.03 eV/Å³ in its stress (at 400 eV: 0.03 eV/Å and 0.38 eV/Å³).

    Parameters
    ----------
    mode : str or mapping
        Basis: plane waves to 600 eV.
    xc : str or mapping
        Density functional.
    kpts : mapping or list
        Points in the Brillouin zone: 2.5 per Å⁻¹ with Γ.
    occupations : mapping
        Occupation numbers: Fermi–Dirac at 0.05 eV.
    convergence : mapping
        Thresholds of the self-consistent field.
    symmetry : mapping or str
        Symmetry. Time reversal halves the k-points; distorted structures have no other symmetry.
    txt : str or None
        Output file of GPAW; None writes no output.
    vacuum_A : float
        Vacuum around directions that are not periodic.
    """

    OPEN: ClassVar[bool] = True

    mode: Name | Mapping[Name, object] = field(
        default_factory=lambda: {"name": "pw", "ecut": 600.0}
    )
    xc: Name | Mapping[Name, object] = "PBE"
    kpts: Mapping[Name, object] | tuple[object, ...] = field(
        default_factory=lambda: {"density": 2.5, "gamma": True}
    )
    occupations: Mapping[Name, object] = field(
        default_factory=lambda: {"name": "fermi-dirac", "width": 0.05}
    )
    convergence: Mapping[Name, object] = field(
        default_factory=lambda: {"density": 1e-5, "energy": 1e-6}
    )
    symmetry: Mapping[Name, object] | Literal["off"] = field(
        default_factory=lambda: {"point_group": False}
    )
    txt: File | None = None
    vacuum_A: Vacuum = 5.0


@configuration
class TBLiteSettings:
    """Settings of tblite; others are passed on to ``tblite.ase.TBLite``.

    Parameters
    ----------
    method : str
        Tight-binding Hamiltonian.
    accuracy : float
        Accuracy of the self-consistent charges.
    max_iterations : int
        Iterations of the self-consistent charges.
    verbosity : int
        Output of the program.
    vacuum_A : float
        Vacuum on either side of slabs and wires; the program repeats them in all directions.
        Results converge slowly with it: two layers of NaCl(001), 8 atoms, change by 0.08 eV from 10
        to 15 Å and 0.05 eV from 15 to 20 Å, forces by up to 0.03 eV/Å (GFN1-xTB, tblite 0.8.0).
    """

    OPEN: ClassVar[bool] = True

    method: Name = "GFN1-xTB"
    accuracy: Positive = 0.1
    max_iterations: Count = 250
    verbosity: Annotated[int, Interval(ge=0, le=10)] = 0
    vacuum_A: Vacuum = 15.0


@configuration
class PySCFSettings:
    """Settings of PySCF, for molecules: Kohn–Sham DFT with density fitting.

    Parameters
    ----------
    xc : str
        Density functional.
    basis : str
        Basis set.
    max_cycle : int
        Iterations of the self-consistent field.
    conv_tol : float
        Convergence of the energy.
    grid_level : int
        Fineness of the grid.
    smearing_eV : float
        Fermi–Dirac smearing at fixed spin, for nearly degenerate levels.
    """

    xc: Name = "PBE"
    basis: Name = "def2-svp"
    max_cycle: Count = 100
    conv_tol: Annotated[float, Interval(gt=0, le=1), Unit("Hartree")] = 1e-9
    grid_level: Annotated[int, Interval(ge=0, le=9)] = 3
    smearing_eV: Annotated[float, Interval(ge=0, le=10), Unit("eV")] = 0.0


@configuration
class AbinitSettings:
    """Settings of Abinit; others are passed on to ``ase.calculators.abinit.Abinit``.

    ``pps`` and ``pp_paths`` must be given.

    Parameters
    ----------
    command : str
        Command that starts the program.
    xc : str
        Density functional.
    ecut : float
        Cutoff of plane waves.
    tolvrs : float
        Convergence of the potential.
    nstep : int
        Iterations of the self-consistent field.
    kpts : tuple of 3 int
        Points in the Brillouin zone.
    vacuum_A : float
        Vacuum around directions that are not periodic.
    """

    OPEN: ClassVar[bool] = True

    command: Name = "abinit"
    xc: Name = "PBE"
    ecut: Annotated[Positive, Unit("eV")] = 30 * units.Hartree
    tolvrs: Positive = 1e-10
    nstep: Count = 60
    kpts: tuple[Count, Count, Count] = (1, 1, 1)
    vacuum_A: Vacuum = 5.0


@configuration
class LESSettings:
    """Settings of a LES model as labeling program; see `ase_les.LESCalculator`.

    Parameters
    ----------
    model : str
        Shipped model by name, or model file.
    accuracy : float or None
        Relative error of long-range forces; None for exact sums.
    dtype : str
        Precision of the network.
    device : str
        Device in the notation of torch.
    field_V_per_A : tuple of 3 float
        Uniform electric field.
    """

    model: File
    accuracy: Annotated[float, Interval(gt=0, le=1)] | None = 1e-7
    dtype: Literal["float32", "float64"] = "float64"
    device: Name = "cpu"
    field_V_per_A: tuple[Number, Number, Number] = (0.0, 0.0, 0.0)


@configuration
class IonsSettings:
    """Rigid ions: point charges and Born–Mayer repulsion, for ionic crystals and melts.

    Parameters
    ----------
    charges : mapping of str to float
        Charges of the elements.
    repulsion : mapping of str to pair of float
        A in eV and ρ in Å by pair, such as ``Na-Cl: [1256, 0.317]``; other pairs have no repulsion.
    """

    charges: Mapping[Element, Annotated[Number, Unit("e")]]
    repulsion: Mapping[Pair, tuple[NotNegative, Positive]]


@configuration
class EMTSettings:
    """ASE's effective-medium theory, for tests; it has no settings and no charge."""


@configuration
class LJSettings:
    """ASE's Lennard-Jones potential, for tests; no charge.

    Parameters
    ----------
    sigma, epsilon : float
        Length and energy.
    rc, ro : float or None
        Cutoff and onset of smoothing; None uses the defaults of ASE.
    smooth : bool
        Whether the cutoff is smooth.
    """

    sigma: Annotated[Positive, Unit("Å")] = 1.0
    epsilon: Annotated[NotNegative, Unit("eV")] = 1.0
    rc: Annotated[Positive, Unit("Å")] | None = None
    ro: Annotated[Positive, Unit("Å")] | None = None
    smooth: bool = False

r"""Phonons of crystals from supercell forces, with the field of longitudinal modes.

Displacements, symmetry, force constants, bands and thermodynamics are phonopy's. Ions that move
together in a long longitudinal wave polarize the crystal and feel the field of it; no supercell
contains that wave, so its dynamical matrix at small :math:`\mathbf{q}` is missing

.. math::
    D_{i\alpha,j\beta}(\mathbf{q} \to 0) = \frac{4\pi k_e}{V \sqrt{m_i m_j}}
        \frac{(\mathbf{q} \cdot Z^*_i)_\alpha (\mathbf{q} \cdot Z^*_j)_\beta}
             {\mathbf{q} \cdot \epsilon_\infty \cdot \mathbf{q}}

=======================  ====================================================
Symbol                   Meaning
=======================  ====================================================
:math:`k_e`              Coulomb constant, 14.4 eV Å
:math:`V`                volume of the primitive cell
:math:`Z^*`              Born effective charges
:math:`\epsilon_\infty`  electronic dielectric tensor that screens them
=======================  ====================================================

The supercell forces contain the interaction of all dipoles that the supercell allows. It is
taken out of the force constants first and put back at every wave vector (Gonze and Lee), so that
nothing is counted twice; how much it takes out at long range is reported, and charges that do not
belong to the forces are found out by it.

Latent charges are screened: :math:`Z^* = \sqrt{\epsilon_\infty} Z_0`, so that
:math:`Z^* Z^* / \epsilon_\infty = Z_0 Z_0`, and a model without a dielectric constant gives the
same phonons as with one.

All this holds for charges that are conserved locally (``neutrality: split``, or fixed). Charges
whose excess is taken from all atoms (``mean``) or from none answer a displacement with a small
monopole, whose long range no dipole describes: what it leaves in the force constants far apart is
in the table, too.

References
----------
.. [1] X. Gonze and C. Lee, Phys. Rev. B 55, 10355 (1997).
.. [2] A. Togo, L. Chaput, T. Tadano, I. Tanaka, J. Phys.: Condens. Matter 35, 353001 (2023).
.. [3] Y. Hinuma et al., Comput. Mater. Sci. 128, 140 (2017) [seekpath].
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from ase import Atoms, units
from ase.calculators.calculator import PropertyNotImplementedError
from ase.geometry import get_distances

from ase_les.properties import phonopy_files
from ase_les.properties.born_charges import acoustic_sum_rule, born_charges, dielectric_tensor
from ase_les.properties.equilibrium import LARGE_PRESSURE_GPA, pressure_GPa
from ase_les.properties.phonon_results import (
    PER_CM_PER_THZ,
    DensityOfStates,
    NonAnalytic,
    Phonons,
    Segment,
    Splitting,
    ThermalProperties,
)
from ase_les.reports import terminal
from ase_les.reports.terminal import TerminalProgress
from ase_les.runs.evaluations import evaluate_structures
from ase_les.runs.output import write_summary
from ase_les.runs.processes import SERIAL, Jobs
from ase_les.runs.provenance import describe_calculator, describe_structure, fingerprint
from ase_les.runs.record import Record

if TYPE_CHECKING:
    from phonopy import Phonopy

# Lower modes than this, in THz, are imaginary and not rounding.
_IMAGINARY_THZ = -0.1
# Larger forces than this, in eV/Å, make it worth relaxing first.
_RESIDUAL_FORCE = 0.01
# Nearer atoms than this, in Å, have short-range forces between them that dipoles do not explain.
_FAR_A = 5.0
_DOS_POINTS = 500
_UNDISPLACED = "as given"


def phonons(
    atoms: Atoms,
    *,
    supercell: Sequence[int] | Sequence[Sequence[int]] | None = None,
    min_length_A: float = 12.0,
    displacement_A: float = 0.01,
    symmetry_tolerance_A: float = 1e-4,
    non_analytic: bool | None = None,
    born_effective_charges: np.ndarray | None = None,
    dielectric: np.ndarray | float | None = None,
    directions: Sequence[Sequence[float]] = ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    mesh_length_A: float = 60.0,
    points_per_segment: int = 101,
    max_temperature_K: float = 1000.0,
    temperature_step_K: float = 10.0,
    output: str | Path | None = None,
    resume: bool = False,
    overwrite: bool = False,
    jobs: Jobs = SERIAL,
    quiet: bool = False,
) -> Phonons:
    """Bands, density of states, thermal properties and LO–TO splitting of a crystal.

    Parameters
    ----------
    atoms : ase.Atoms
        A relaxed crystal with a calculator that gives forces; left as it is. Forces that are left
        are reported and subtracted.
    supercell : three or 3×3 int, or None
        Multiples of the cell vectors, every row one vector of the supercell; None takes the
        smallest multiples that reach `min_length_A`.
    min_length_A : float
        Distance in Å between opposite faces of the supercell. Twice the range of the short-range
        forces is needed; longer ones are there in full by their dipoles.
    displacement_A : float
        Of an atom, in Å.
    symmetry_tolerance_A : float
        Atoms this close to where symmetry wants them count as there.
    non_analytic : bool or None
        Whether to include the field of longitudinal modes. None does so if the calculator gives
        Born charges or a polarization, True insists on it.
    born_effective_charges : (N, 3, 3) array or None
        In e, [atom, polarization, displacement], of `atoms`; None asks the calculator.
    dielectric : float, (3, 3) array or None
        Electronic dielectric tensor that screens the charges; None asks the calculator, and is 1
        if it does not know, as is right for charges without screening.
    directions : sequence of three float
        Cartesian directions from which Γ is approached in the table of LO–TO splittings.
    mesh_length_A : float
        Wave vectors of the density of states and thermal properties: those of a crystal of this
        size.
    points_per_segment : int
        Of the band structure, on the longest segment.
    max_temperature_K, temperature_step_K : float
        Of the thermal properties, from 0.
    output : str, Path or None
        Stem of ``-phonopy.yaml`` (with forces and charges; phonopy loads it), ``-FORCE_SETS``,
        ``-BORN``, ``-summary.yml``, ``-phonons.npz``, ``-bands.png``, ``-thermal.png`` and of
        ``-displacements.jsonl``, which grows with every displacement. None writes nothing.
    resume, overwrite : bool
        Go on from the displacements that are there, or replace an earlier run of that name.
    jobs : Jobs
        Processes that share the displacements.
    quiet : bool
        No progress, no tables.

    Raises
    ------
    ValueError
        If the structure is no crystal, has no calculator, a setting is impossible, or the
        non-analytic term is asked for and there are no charges.
    FileExistsError
        If an earlier run would be lost.
    ModuleNotFoundError
        If phonopy or seekpath is missing.
    """
    _check(atoms, min_length_A, displacement_A)
    _require_seekpath()
    stem = None if output is None else Path(output)
    if stem is not None and _named(stem, "-summary.yml").exists() and not (overwrite or resume):
        raise FileExistsError(
            f"'{_named(stem, '-summary.yml')}' exists; overwrite=True (--overwrite) replaces that "
            "run"
        )
    multiples = _supercell_matrix(atoms, supercell, min_length_A)
    crystal = phonopy_files.cells(atoms, multiples, symmetry_tolerance_A)
    # Before the long work: charges may be missing.
    charges = _charges(
        atoms, non_analytic, born_effective_charges, dielectric, symmetry_tolerance_A
    )
    crystal.generate_displacements(distance=displacement_A)
    structures = _structures(atoms, crystal)
    belongs_to = {
        "fingerprint of the supercell": fingerprint(structures[_UNDISPLACED]),
        "fingerprint of the unit cell": fingerprint(atoms),
        "displacement_A": displacement_A,
        **describe_calculator(atoms.calc),
    }
    path = None if stem is None else _named(stem, "-displacements.jsonl")
    record = Record.open(path, belongs_to, resume=resume, overwrite=overwrite)
    results = evaluate_structures(
        structures, ["forces"], atoms.calc, record, jobs=jobs, progress=TerminalProgress(quiet)
    )
    residual = results.pop(_UNDISPLACED)["forces"]
    crystal.forces = np.array([found["forces"] - residual for found in results.values()])
    crystal.produce_force_constants(calculate_full_force_constants=False)
    crystal.symmetrize_force_constants()
    term = None if charges is None else _with_field(crystal, *charges)
    result = Phonons(
        segments=_bands(crystal, points_per_segment),
        density_of_states=_density_of_states(crystal, mesh_length_A),
        thermal=_thermal(crystal, max_temperature_K, temperature_step_K),
        splitting=() if term is None else tuple(_splitting(crystal, d) for d in directions),
        non_analytic=term,
        supercell=multiples,
        supercell_atoms=len(crystal.supercell),
        displacements=len(results),
        displacement_A=displacement_A,
        residual_force_eV_per_A=float(np.linalg.norm(residual, axis=1).max()),
        pressure_GPa=pressure_GPa(atoms),
        structure=describe_structure(atoms),
        calculator=describe_calculator(atoms.calc),
        phonopy=crystal,
    )
    _tell(result, quiet)
    if stem is not None:
        _write(stem, atoms, result, symmetry_tolerance_A)
    return result


def _check(atoms: Atoms, min_length_A: float, displacement_A: float) -> None:
    if atoms.calc is None:
        raise ValueError("the structure has no calculator; set atoms.calc")
    if not atoms.pbc.all():
        raise ValueError(
            f"phonons need three periodic directions, pbc is {atoms.pbc.tolist()}; for molecules "
            "use `harmonic_infrared`"
        )
    for name, value in (("min_length_A", min_length_A), ("displacement_A", displacement_A)):
        if not value > 0:
            raise ValueError(f"`{name}` must be positive, got {value}")


def _require_seekpath() -> None:
    try:
        import seekpath  # noqa: F401
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            "the path of the band structure needs seekpath: pip install 'ase_les[phonons]'"
        ) from None


def _supercell_matrix(atoms: Atoms, given: Sequence | None, min_length_A: float) -> np.ndarray:
    if given is None:
        # Distances between opposite faces: one over the lengths of the reciprocal vectors.
        heights = 1 / np.linalg.norm(atoms.cell.reciprocal().array, axis=1)
        # A cell that fits but for rounding is long enough.
        return np.diag(np.maximum(1, np.ceil(min_length_A / heights - 1e-6)).astype(int))
    matrix = np.array(given)
    matrix = np.diag(matrix) if matrix.shape == (3,) else matrix
    whole = matrix.shape == (3, 3) and np.array_equal(matrix, np.round(matrix))
    if not whole or round(np.linalg.det(matrix)) < 1:
        raise ValueError(
            "`supercell` must be three positive integers, or 3×3 integers of positive "
            f"determinant, got {given!r}"
        )
    return matrix.astype(int)


def _structures(atoms: Atoms, crystal: Phonopy) -> dict[str, Atoms]:
    cells = {_UNDISPLACED: crystal.supercell}
    moves = zip(crystal.displacements, crystal.supercells_with_displacements, strict=True)
    for (atom, *vector), cell in moves:
        # Not by number: which displacements there are depends on the symmetry that is found.
        components = (f"{x:+.8f}" for x in np.round(vector, 8) + 0.0)
        cells[f"atom {int(atom)} by {' '.join(components)} Å"] = cell
    structures = {name: phonopy_files.from_phonopy(cell) for name, cell in cells.items()}
    for structure in structures.values():
        structure.info.update(atoms.info)
        if atoms.info.get("charge"):
            structure.info["charge"] = atoms.info["charge"] * len(structure) / len(atoms)
    return structures


def _charges(
    atoms: Atoms,
    wanted: bool | None,
    given: np.ndarray | None,
    dielectric: np.ndarray | float | None,
    tolerance_A: float,
) -> tuple[np.ndarray, np.ndarray, float] | None:
    """Born charges of the cell that was given, dielectric tensor, violation of the sum rule."""
    if wanted is False:
        return None
    if given is None:
        given = _calculated_charges(atoms, wanted, tolerance_A)
        if given is None:
            return None
    tensors = np.asarray(given, dtype=float)
    if tensors.shape != (len(atoms), 3, 3):
        raise ValueError(
            f"`born_effective_charges` must have shape {(len(atoms), 3, 3)}, got {tensors.shape}"
        )
    violation = float(np.abs(tensors.sum(axis=0)).max())
    return acoustic_sum_rule(tensors), dielectric_tensor(atoms, dielectric), violation


def _calculated_charges(atoms: Atoms, wanted: bool | None, tolerance_A: float) -> np.ndarray | None:
    offered = atoms.calc.implemented_properties
    options = {"symmetry_tolerance_A": tolerance_A, "quiet": True}
    reason = f"{type(atoms.calc).__name__} gives neither"
    try:
        if "born_effective_charges" in offered:
            return born_charges(atoms, **options).tensors
        if "polarization" in offered:
            return born_charges(atoms, "displacement", **options).tensors
    except (PropertyNotImplementedError, ValueError) as error:
        reason = str(error)
    if wanted:
        raise ValueError(
            "the non-analytic term needs Born charges or a polarization of the calculator "
            f"({reason}); give `born_effective_charges`, or leave it away with non_analytic=False"
        )
    return None


def _with_field(
    crystal: Phonopy, tensors: np.ndarray, dielectric: np.ndarray, violation: float
) -> NonAnalytic:
    from phonopy.structure.symmetry import symmetrize_borns_and_epsilon

    primitive_charges, dielectric = symmetrize_borns_and_epsilon(
        tensors,
        dielectric,
        crystal.unitcell,
        primitive=crystal.primitive,
        supercell_matrix=crystal.supercell_matrix,
        symprec=crystal.symmetry.tolerance,
    )
    crystal.nac_params = {
        "born": primitive_charges,
        "dielectric": dielectric,
        "factor": units.Hartree * units.Bohr,
        "method": "gonze",
    }
    return NonAnalytic(
        born_charges_e=primitive_charges,
        dielectric=dielectric,
        sum_over_atoms_e=violation,
        far_force_constants_eV_per_A2=_far_force_constants(crystal),
    )


def _far_force_constants(crystal: Phonopy) -> tuple[float, float]:
    """Of distant atoms: in the supercell, and without the dipoles that phonopy has taken out."""
    matrix = crystal.dynamical_matrix
    if matrix.short_range_force_constants is None:
        matrix.make_Gonze_nac_dataset()
    supercell = crystal.supercell
    chosen = crystal.primitive.p2s_map
    positions = supercell.positions
    _, distance = get_distances(positions[chosen], positions, cell=supercell.cell, pbc=True)
    far = distance > max(0.5 * distance.max(), _FAR_A)
    if not far.any():
        return math.nan, math.nan
    return tuple(
        float(np.sqrt(np.mean(constants[far] ** 2)))
        for constants in (crystal.force_constants, matrix.short_range_force_constants)
    )


def _bands(crystal: Phonopy, points: int) -> tuple[Segment, ...]:
    import seekpath

    cell = crystal.primitive
    # In the vectors of this primitive cell, which need not be seekpath's.
    path = seekpath.get_path_orig_cell(
        (cell.cell, cell.scaled_positions, cell.numbers), symprec=crystal.symmetry.tolerance
    )
    points_of = {name: np.array(q) for name, q in path["point_coords"].items()}
    reciprocal = np.linalg.inv(cell.cell).T
    lengths = [
        np.linalg.norm((points_of[end] - points_of[start]) @ reciprocal)
        for start, end in path["path"]
    ]
    lines = [
        np.linspace(points_of[start], points_of[end], max(2, round(points * length / max(lengths))))
        for (start, end), length in zip(path["path"], lengths, strict=True)
    ]
    crystal.run_band_structure(lines)
    found = crystal.band_structure
    ends = np.cumsum(lengths)
    starts = itertools.chain([0.0], ends[:-1])
    return tuple(
        Segment(labels, line, np.linspace(start, end, len(line)), np.array(frequencies))
        for labels, line, start, end, frequencies in zip(
            map(tuple, path["path"]), lines, starts, ends, found.frequencies, strict=True
        )
    )


def _density_of_states(crystal: Phonopy, mesh_length_A: float) -> DensityOfStates:
    # Waves that fit into a crystal of that length, Γ among them: its three translations are no
    # vibrations, and thermal properties leave them out.
    crystal.run_mesh(mesh=mesh_length_A, is_gamma_center=True)
    top = float(np.max(crystal.mesh.frequencies))
    crystal.run_total_dos(freq_pitch=1.05 * top / _DOS_POINTS)
    dos = crystal.total_dos
    return DensityOfStates(np.array(dos.frequency_points), np.array(dos.dos))


def _thermal(crystal: Phonopy, max_K: float, step_K: float) -> ThermalProperties:
    options = {"t_min": 0.0, "t_max": max_K, "t_step": step_K}
    crystal.run_thermal_properties(**options, exclude_gamma_acoustic=True)
    found = crystal.thermal_properties
    return ThermalProperties(
        *(np.array(series) for series in (found.temperatures, found.free_energy)),
        *(np.array(series) for series in (found.entropy, found.heat_capacity)),
    )


def _splitting(crystal: Phonopy, direction: Sequence[float]) -> Splitting:
    normal = np.array(direction, dtype=float)
    if normal.shape != (3,) or not np.linalg.norm(normal) > 0:
        raise ValueError(f"`directions` must be Cartesian vectors, got {direction!r}")
    normal /= np.linalg.norm(normal)
    frequencies = []
    # Reciprocal vectors are the columns of the inverse cell.
    for towards in (None, crystal.primitive.cell @ normal):
        crystal.run_qpoints([[0, 0, 0]], nac_q_direction=towards)
        frequencies.append(np.array(crystal.qpoints.frequencies[0]))
    return Splitting(tuple(normal.tolist()), *frequencies)


def _tell(result: Phonons, quiet: bool) -> None:
    console = terminal.console(quiet)
    console.print(result.table())
    if result.splitting:
        console.print(result.splitting_table())
    for warning in _warnings(result):
        console.print(warning, style="yellow", markup=False)


def _warnings(result: Phonons) -> list[str]:
    warnings = []
    lowest, where = result.lowest
    if lowest < _IMAGINARY_THZ:
        warnings.append(
            f"Imaginary modes: {abs(PER_CM_PER_THZ * lowest):.1f}i cm⁻¹ at q = "
            f"({', '.join(f'{x:.3f}' for x in where)}). The structure is no minimum, or the "
            "supercell is too small; thermal properties leave these modes out."
        )
    if result.residual_force_eV_per_A > _RESIDUAL_FORCE:
        warnings.append(
            f"The structure is not relaxed: forces up to {result.residual_force_eV_per_A:.3g} "
            "eV/Å. They were subtracted; relax first for phonons of the minimum."
        )
    if abs(result.pressure_GPa) > LARGE_PRESSURE_GPA:
        warnings.append(
            f"The crystal is under {result.pressure_GPa:.2f} GPa: these are phonons at that "
            "volume. Relax it first for its own (ase-les relax --cell full)."
        )
    if result.non_analytic is None:
        warnings.append(
            "No Born charges: longitudinal optical modes near Γ are those of a crystal without "
            "their field. Right for covalent crystals, wrong for ionic ones."
        )
    elif not result.non_analytic.fits:
        before, after = result.non_analytic.far_force_constants_eV_per_A2
        warnings.append(
            f"The Born charges do not belong to these forces: force constants far apart are "
            f"{before:.2e} eV/Å² and {after:.2e} without the dipoles. The dielectric tensor may "
            "not be the one that screens the charges."
        )
    return warnings


def _named(stem: Path, ending: str) -> Path:
    return stem.with_name(stem.name + ending)


def _write(stem: Path, atoms: Atoms, result: Phonons, tolerance_A: float) -> None:
    from phonopy.file_IO import write_FORCE_SETS

    crystal = result.phonopy
    crystal.save(_named(stem, "-phonopy.yaml"))
    write_FORCE_SETS(crystal.dataset, _named(stem, "-FORCE_SETS"))
    if result.non_analytic is not None:
        phonopy_files.write_born_file(
            _named(stem, "-BORN"),
            phonopy_files.from_phonopy(crystal.primitive),
            result.non_analytic.born_charges_e,
            result.non_analytic.dielectric,
            tolerance_A,
        )
    result.save_series(_named(stem, "-phonons.npz"))
    result.save_bands_figure(_named(stem, "-bands.png"))
    result.save_thermal_figure(_named(stem, "-thermal.png"))
    # Last: its presence says that all is there.
    write_summary(_named(stem, "-summary.yml"), result.summary())

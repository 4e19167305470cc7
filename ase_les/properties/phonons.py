r"""Compute phonons of crystals and slabs from the forces of displaced supercells.

Displacements, symmetry, force constants, bands and thermodynamics are calculated by phonopy. The
macroscopic field of a longitudinal wave of long wavelength is not contained in a supercell; in a
crystal with three periodic directions it is added to the dynamical matrix at small
:math:`\mathbf{q}` as the non-analytic term

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
:math:`\epsilon_\infty`  electronic dielectric tensor
=======================  ====================================================

The forces in the supercell include the dipole–dipole interaction of all images. It is subtracted
from the force constants and added back at every wave vector (Gonze and Lee), so that it is not
counted twice. The root mean square of distant force constants with and without this interaction is
reported; it increases if the charges are inconsistent with the forces.

Latent charges are screened: :math:`Z^* = \sqrt{\epsilon_\infty} Z_0`, so that
:math:`Z^* Z^* / \epsilon_\infty = Z_0 Z_0`: the phonons do not depend on the dielectric constant.

This applies to charges that are conserved locally (``neutrality: split``, or fixed). With charges
whose excess is distributed over all atoms (``mean``) or not removed, a displacement creates a small
monopole whose long-range interaction is not dipolar; it remains in the distant force
constants.

In a slab, the field of a longitudinal wave is two-dimensional and vanishes at Γ, where LO and TO
modes are degenerate; only the slope of LO modes close to Γ depends on it [4]_. No term is added.

References
----------
.. [1] X. Gonze and C. Lee, Phys. Rev. B 55, 10355 (1997).
.. [2] A. Togo, L. Chaput, T. Tadano, I. Tanaka, J. Phys.: Condens. Matter 35, 353001 (2023).
.. [3] Y. Hinuma et al., Comput. Mater. Sci. 128, 140 (2017) [seekpath].
.. [4] T. Sohier, M. Gibertini, M. Calandra, F. Mauri, N. Marzari, Nano Lett. 17, 3758 (2017).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from ase import Atoms

from ase_les.arguments import require_positive
from ase_les.model_limits import VACUUM_A, check_limits
from ase_les.properties import phonopy_files
from ase_les.properties.equilibrium import pressure_GPa
from ase_les.properties.phonon_charges import bulk_charges, set_non_analytic_term
from ase_les.properties.phonon_results import (
    DensityOfStates,
    Phonons,
    Segment,
    Splitting,
    ThermalProperties,
)
from ase_les.runs.evaluations import displacement_record, evaluate_structures
from ase_les.runs.lock import lock_output
from ase_les.runs.output import RunOptions
from ase_les.runs.processes import SERIAL, Jobs
from ase_les.runs.progress import NO_PROGRESS, Progress
from ase_les.runs.provenance import describe_calculator, describe_structure, fingerprint
from ase_les.simulation.slab_geometry import gap_A, normal_axis

if TYPE_CHECKING:
    from phonopy import Phonopy
    from phonopy.structure.atoms import PhonopyAtoms

_DOS_POINTS = 500
_UNDISPLACED = "as given"


@dataclass(frozen=True)
class PhononSettings:
    """Settings of a phonon calculation.

    Parameters
    ----------
    supercell : three or 3×3 ints, or None
        Multiples of the cell vectors, one vector of the supercell per row. By default the smallest
        multiples that reach `min_length_A`; 1 along the open direction of a slab.
    min_length_A : float
        Minimum distance in Å between opposite faces of the supercell; at least twice the range of
        the short-range forces.
    displacement_A : float
        Displacement of an atom in Å.
    symmetry_tolerance_A : float
        Symmetry tolerance in Å (spglib ``symprec``).
    non_analytic : bool or None
        Whether to include the non-analytic term. By default it is included for bulk crystals if the
        calculator gives Born charges or a polarization; True raises an error if they are missing.
    born_effective_charges : array, shape (N, 3, 3), or None
        Born charges of `atoms` in e, [atom, polarization, displacement]; by default from the
        calculator.
    dielectric : float, array of shape (3, 3), or None
        Electronic dielectric tensor; by default from the calculator, or 1, which is correct for
        unscreened charges.
    directions : sequence of three floats
        Cartesian directions in which Γ is approached for the LO–TO splitting.
    mesh_length_A : float
        Length in Å that determines the mesh of wave vectors for the density of states and the
        thermal properties.
    points_per_segment : int
        Number of wave vectors on the longest segment of the band structure.
    max_temperature_K, temperature_step_K : float
        Temperatures of the thermal properties, starting from 0.
    beyond_limits : bool
        Allow calculations beyond the limits of the model, see `ase_les.model_limits`.
    """

    supercell: Sequence[int] | Sequence[Sequence[int]] | None = None
    min_length_A: float = 12.0
    displacement_A: float = 0.01
    symmetry_tolerance_A: float = 1e-4
    non_analytic: bool | None = None
    born_effective_charges: np.ndarray | None = None
    dielectric: np.ndarray | float | None = None
    directions: Sequence[Sequence[float]] = ((1, 0, 0), (0, 1, 0), (0, 0, 1))
    mesh_length_A: float = 60.0
    points_per_segment: int = 101
    max_temperature_K: float = 1000.0
    temperature_step_K: float = 10.0
    beyond_limits: bool = False

    def __post_init__(self) -> None:
        for name in ("min_length_A", "displacement_A", "mesh_length_A", "temperature_step_K"):
            require_positive(name, getattr(self, name))


@lock_output
def phonons(
    atoms: Atoms,
    *,
    output: str | Path | None = None,
    resume: bool = False,
    overwrite: bool = False,
    jobs: Jobs = SERIAL,
    progress: Progress = NO_PROGRESS,
    **settings: Any,
) -> Phonons:
    """Compute bands, density of states, thermal properties and LO–TO splitting.

    Parameters
    ----------
    atoms : ase.Atoms
        Relaxed crystal (three periodic directions) or slab (two), with a calculator that gives
        forces; not modified. Residual forces are subtracted.
    output : str, Path or None
        Stem of ``-phonopy.yaml`` (with forces and charges, read by ``phonopy.load``),
        ``-FORCE_SETS``, ``-BORN``, ``-phonons.npz``, ``-summary.yml`` and the record of finished
        displacements ``-displacements.jsonl``.
    resume, overwrite : bool
        Continue from the recorded displacements, or replace an earlier calculation.
    jobs : Jobs
        Worker processes for the displacements.
    **settings
        See `PhononSettings`.

    Raises
    ------
    ValueError
        If the structure is not a crystal or slab, has no calculator, a setting is invalid, or the
        non-analytic term is required but impossible.
    FileExistsError
        If an earlier calculation would be lost.
    ModuleNotFoundError
        If phonopy or seekpath is not installed.
    """
    chosen = PhononSettings(**settings)
    run = RunOptions.from_keywords(
        output, resume=resume, overwrite=overwrite, jobs=jobs, progress=progress
    )
    _check(atoms)
    _require_seekpath()
    run.prepare("-summary.yml", "-displacements.jsonl")
    notes = list(check_limits(atoms.calc, atoms, beyond_limits=chosen.beyond_limits))
    if atoms.constraints:
        notes.append(
            "The constraints of the structure are not used: all atoms move in phonons. For modes "
            "of some atoms beside fixed ones use ase-les infrared"
        )
    in_plane = _directions_of_waves(atoms, chosen.non_analytic, notes)
    is_bulk = bool(in_plane.all())
    multiples = _supercell_matrix(atoms, in_plane, chosen.supercell, chosen.min_length_A)
    order = [0, 1, 2]
    if not is_bulk:
        atoms, order = phonopy_files.with_normal_last(atoms, in_plane)
    crystal = phonopy_files.cells(
        atoms, multiples[np.ix_(order, order)], chosen.symmetry_tolerance_A, primitive=is_bulk
    )
    # Computed before the displacements, since missing charges may be an error.
    charges = bulk_charges(
        atoms,
        chosen.non_analytic if is_bulk else False,
        chosen.born_effective_charges,
        chosen.dielectric,
        chosen.symmetry_tolerance_A,
        notes,
    )
    crystal.generate_displacements(distance=chosen.displacement_A)
    residual, count = _calculate_forces(atoms, crystal, chosen, run)
    crystal.produce_force_constants(calculate_full_force_constants=False)
    crystal.symmetrize_force_constants()
    term = None if charges is None else set_non_analytic_term(crystal, *charges)
    result = Phonons(
        segments=_bands(crystal, is_bulk, chosen.points_per_segment),
        density_of_states=_density_of_states(crystal, is_bulk, chosen.mesh_length_A),
        thermal=_thermal(crystal, chosen.max_temperature_K, chosen.temperature_step_K),
        splitting=() if term is None else tuple(_splitting(crystal, d) for d in chosen.directions),
        non_analytic=term,
        supercell=multiples,
        supercell_atoms=len(crystal.supercell),
        displacements=count,
        displacement_A=chosen.displacement_A,
        residual_force_eV_per_A=float(np.linalg.norm(residual, axis=1).max()),
        pressure_GPa=pressure_GPa(atoms) if is_bulk else float("nan"),
        structure=describe_structure(atoms),
        calculator=describe_calculator(atoms.calc),
        phonopy=crystal,
        calculation_notes=tuple(notes),
    )
    if run.files is not None:
        phonopy_files.write_files(run.files, result, chosen.symmetry_tolerance_A)
    run.write("-phonons.npz", result)
    return result


def _check(atoms: Atoms) -> None:
    if atoms.calc is None:
        raise ValueError("the structure has no calculator; set atoms.calc")
    if atoms.pbc.sum() < 2:
        raise ValueError(
            "phonons need two (slab) or three (crystal) periodic directions, pbc is "
            f"{atoms.pbc.tolist()}; use `harmonic_infrared` for molecules"
        )


def _directions_of_waves(atoms: Atoms, non_analytic: bool | None, notes: list[str]) -> np.ndarray:
    """Return a mask of the cell vectors along which waves propagate: two in a slab, else all."""
    if not atoms.pbc.all():
        if non_analytic:
            raise ValueError(
                "the non-analytic term is defined for bulk crystals only, not for slabs. Omit "
                "non_analytic=True (--nac)"
            )
        notes.append(
            "a slab: no non-analytic term; the field of longitudinal waves is two-dimensional and "
            "vanishes at Γ"
        )
        return atoms.pbc.copy()
    gap = gap_A(atoms)
    if non_analytic or gap <= VACUUM_A:
        return np.ones(3, dtype=bool)
    axis = normal_axis(atoms)
    notes.append(
        f"a gap of {gap:.1f} Å along {'abc'[axis]}: treated as a slab, with waves in its plane and "
        "without the non-analytic term of a bulk crystal. Use two periodic directions for a slab, "
        "or non_analytic=True (--nac) for a layered crystal"
    )
    return np.arange(3) != axis


def _calculate_forces(
    atoms: Atoms, crystal: Phonopy, chosen: PhononSettings, run: RunOptions
) -> tuple[np.ndarray, int]:
    """Set the forces of displaced supercells; return residual forces and their number."""
    structures = _structures(atoms, crystal)
    supercell = fingerprint(structures[_UNDISPLACED])
    settings = {
        "fingerprint of the supercell": supercell,
        "displacement_A": chosen.displacement_A,
    }
    record = displacement_record(run, atoms, settings)
    results = evaluate_structures(
        structures, ["forces"], atoms.calc, record, jobs=run.jobs, progress=run.progress
    )
    residual = results.pop(_UNDISPLACED)["forces"]
    crystal.forces = np.array([found["forces"] - residual for found in results.values()])
    return residual, len(results)


def _require_seekpath() -> None:
    try:
        import seekpath  # noqa: F401
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            "the path of the band structure needs seekpath: pip install 'ase_les[phonons]'"
        ) from None


def _supercell_matrix(
    atoms: Atoms, in_plane: np.ndarray, given: Sequence[Any] | None, min_length_A: float
) -> np.ndarray:
    if given is None:
        # Distances between opposite faces: one over the lengths of the reciprocal vectors. The
        # vector along the open direction of a slab may be zero.
        heights = 1 / np.linalg.norm(atoms.cell.complete().reciprocal().array, axis=1)
        # Lengths may be below the minimum by round-off.
        counts = np.maximum(1, np.ceil(min_length_A / heights - 1e-6)).astype(int)
        return np.diag(np.where(in_plane, counts, 1))
    matrix = np.array(given)
    matrix = np.diag(matrix) if matrix.shape == (3,) else matrix
    is_integer = matrix.shape == (3, 3) and np.array_equal(matrix, np.round(matrix))
    if not is_integer or round(np.linalg.det(matrix)) < 1:
        raise ValueError(
            "`supercell` must be three positive integers, or 3×3 integers of positive "
            f"determinant, got {given!r}"
        )
    open_axes = np.flatnonzero(~atoms.pbc)
    if not np.array_equal(matrix[open_axes], np.eye(3)[open_axes]):
        raise ValueError(f"`supercell` must not repeat the open direction of a slab, got {given!r}")
    return matrix.astype(int)


def _structures(atoms: Atoms, crystal: Phonopy) -> dict[str, Atoms]:
    cells: dict[str, PhonopyAtoms] = {_UNDISPLACED: crystal.supercell}
    displaced = crystal.supercells_with_displacements or []
    moves = zip(crystal.displacements, displaced, strict=True)
    for (atom, *vector), cell in moves:
        # Named by displacement, since the order depends on the detected symmetry.
        components = (f"{x:+.8f}" for x in np.round(vector, 8) + 0.0)
        cells[f"atom {int(atom)} by {' '.join(components)} Å"] = cell
    structures = {name: phonopy_files.from_phonopy(cell, atoms.pbc) for name, cell in cells.items()}
    for structure in structures.values():
        structure.info.update(atoms.info)
        if atoms.info.get("charge"):
            structure.info["charge"] = atoms.info["charge"] * len(structure) / len(atoms)
    return structures


def _path(crystal: Phonopy, is_bulk: bool) -> tuple[dict[str, np.ndarray], list[tuple[str, str]]]:
    """Return special points in primitive reciprocal vectors and the pairs to connect."""
    cell = crystal.primitive
    if not is_bulk:
        slab = phonopy_files.from_phonopy(cell, np.array([True, True, False]))
        band_path = slab.cell.bandpath(npoints=0, pbc=slab.pbc, eps=1e-3)
        points = {
            "GAMMA" if name == "G" else name: np.array(q)
            for name, q in band_path.special_points.items()
        }
        names = ["GAMMA" if name == "G" else name for name in _path_names(band_path.path)]
        pairs = [
            (start, end) for start, end in itertools.pairwise(names) if "," not in (start, end)
        ]
        return points, pairs
    import seekpath

    # In reciprocal vectors of this primitive cell, which may differ from seekpath's.
    path = seekpath.get_path_orig_cell(
        (cell.cell, cell.scaled_positions, cell.numbers), symprec=crystal.symmetry.tolerance
    )
    points = {name: np.array(q) for name, q in path["point_coords"].items()}
    return points, [(str(start), str(end)) for start, end in path["path"]]


def _path_names(path: str) -> list[str]:
    from ase.dft.kpoints import parse_path_string

    parts = parse_path_string(path)
    return [name for part in parts for name in [*part, ","]][:-1]


def _bands(crystal: Phonopy, is_bulk: bool, points: int) -> tuple[Segment, ...]:
    points_of, pairs = _path(crystal, is_bulk)
    reciprocal = np.linalg.inv(crystal.primitive.cell).T
    lengths = [
        float(np.linalg.norm((points_of[end] - points_of[start]) @ reciprocal))
        for start, end in pairs
    ]
    lines = [
        np.linspace(points_of[start], points_of[end], max(2, round(points * length / max(lengths))))
        for (start, end), length in zip(pairs, lengths, strict=True)
    ]
    crystal.run_band_structure(lines)
    structure = crystal.band_structure
    assert structure is not None
    ends = np.cumsum(lengths)
    starts = itertools.chain([0.0], ends[:-1])
    return tuple(
        Segment(labels, line, np.linspace(start, end, len(line)), np.array(found))
        for labels, line, start, end, found in zip(
            pairs, lines, starts, ends, structure.frequencies, strict=True
        )
    )


def _density_of_states(crystal: Phonopy, is_bulk: bool, mesh_length_A: float) -> DensityOfStates:
    # The mesh contains Γ, whose three translations are excluded from thermal properties.
    mesh: float | list[int] = mesh_length_A
    if not is_bulk:
        lengths = np.linalg.norm(np.linalg.inv(crystal.primitive.cell), axis=0) * mesh_length_A
        mesh = [*(max(1, round(length)) for length in lengths[:2]), 1]
    crystal.run_mesh(mesh=mesh, is_gamma_center=True)
    modes: Any = crystal.mesh
    top = float(np.max(modes.frequencies))
    crystal.run_total_dos(freq_pitch=1.05 * top / _DOS_POINTS)
    dos: Any = crystal.total_dos
    return DensityOfStates(np.array(dos.frequency_points), np.array(dos.dos))


def _thermal(crystal: Phonopy, max_K: float, step_K: float) -> ThermalProperties:
    crystal.run_thermal_properties(
        t_min=0.0, t_max=max_K, t_step=step_K, exclude_gamma_acoustic=True
    )
    found: Any = crystal.thermal_properties
    return ThermalProperties(
        np.array(found.temperatures),
        np.array(found.free_energy),
        np.array(found.entropy),
        np.array(found.heat_capacity),
    )


def _splitting(crystal: Phonopy, direction: Sequence[float]) -> Splitting:
    normal = np.array(direction, dtype=float)
    if normal.shape != (3,) or not np.linalg.norm(normal) > 0:
        raise ValueError(f"`directions` must be Cartesian vectors, got {direction!r}")
    normal /= np.linalg.norm(normal)
    frequencies = []
    # Reciprocal vectors are the columns of the inverse cell.
    for q_direction in (None, crystal.primitive.cell @ normal):
        crystal.run_qpoints([[0, 0, 0]], nac_q_direction=q_direction)
        modes: Any = crystal.qpoints
        frequencies.append(np.array(modes.frequencies[0]))
    return Splitting(tuple(normal.tolist()), *frequencies)

"""Profiles of a film, slab or interface along its normal, from a trajectory.

Densities and orientation are averaged by `ase_les.simulation.accumulators.AxisProfile`, charge,
field and potential by `ase_les.properties.planar_potential.PlanarPotential`. Here, frames are
centered on the film and supplied with charges, and the results are combined.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence, Sized
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.calculators.abc import GetPropertiesMixin
from ase.calculators.singlepoint import SinglePointCalculator

from ase_les.model_limits import check_limits
from ase_les.properties.atomic_charges import required_charges
from ase_les.properties.films import FilmFaces, center_of_film, film_faces
from ase_les.properties.planar_potential import PlanarPotential
from ase_les.properties.slab_electrostatics import POTENTIAL_NOTE
from ase_les.runs.output import OutputFiles, write_arrays, write_summary
from ase_les.runs.progress import NO_PROGRESS, Progress, task
from ase_les.runs.provenance import describe_structure, plain_mapping
from ase_les.simulation.accumulators.axis_profile import AxisProfile
from ase_les.simulation.surface_layers import chosen_atoms
from ase_les.statistics import Estimate

__all__ = ["FilmFaces", "Profiles", "center_of_film", "film_faces", "profiles"]


@dataclass(frozen=True)
class Profiles:
    """Profiles along the normal with one value per position.

    Attributes
    ----------
    axis : int
        Cell vector across the planes.
    position_A : (bins,) array
        Relative to the center of the `center_on` atoms, or to the origin.
    curves, standard_errors : mapping of str to (bins,) array
        ``number_<element>_per_A3``, ``mass_g_per_cm3``, ``orientation_cosine`` (of water, nan
        where there is none), and with charges ``charge_e_per_A3``, ``field_V_per_A`` and
        ``potential_V``. Errors from block averages, nan for fewer than 16 configurations.
    faces : FilmFaces or None
        None if the density does not vanish on both sides.
    step_V : Estimate
        Potential above minus below the film; nan without charges, for a periodic axis and for a
        net charge.
    net_charge_e : float
        nan without charges.
    smearing_A : float
        nan without charges.
    n_configurations : int
    centered_on : str
    structure, provenance : mapping
    charge_scaling : float
        Ratio of physical to latent charges: ``charge_e_per_A3`` refers to physical charges, field
        and potential act on physical charges (`ase_les.properties.slab_electrostatics`).
    limits : tuple of str
        Notes on the limits of the model that gave the charges.
    """

    axis: int
    position_A: np.ndarray
    curves: Mapping[str, np.ndarray]
    standard_errors: Mapping[str, np.ndarray]
    faces: FilmFaces | None
    step_V: Estimate
    net_charge_e: float
    smearing_A: float
    n_configurations: int
    centered_on: str
    structure: Mapping[str, object]
    provenance: Mapping[str, object]
    charge_scaling: float = 1.0
    limits: tuple[str, ...] = ()

    @property
    def has_charges(self) -> bool:
        """Return whether the frames have charges."""
        return "potential_V" in self.curves

    @property
    def notes(self) -> tuple[str, ...]:
        """Remarks on the results."""
        note = POTENTIAL_NOTE if self.has_charges else "no charges, and therefore no potential"
        return (note, *self.limits)

    def arrays(self) -> dict[str, np.ndarray]:
        """Return all curves and their errors by name."""
        errors = {f"{name}_standard_error": error for name, error in self.standard_errors.items()}
        return {
            "axis": np.array(self.axis),
            "position_A": self.position_A,
            "n_configurations": np.array(self.n_configurations),
            **self.curves,
            **errors,
        }

    def summary(self) -> dict[str, object]:
        """Return the result as plain containers for YAML and JSON."""
        return {
            "task": "profiles",
            "input": {
                "structure": self.structure,
                "axis": "abc"[self.axis],
                "centered_on": self.centered_on,
                "smearing_A": self.smearing_A,
                "provenance": self.provenance,
            },
            "notes": list(self.notes),
            "results": {
                "configurations": self.n_configurations,
                "film": self.faces and {**vars(self.faces), "thickness_A": self.faces.thickness_A},
                "potential_step_V": self.step_V,
                "net_charge_e": self.net_charge_e,
                "charges": self.has_charges
                and {
                    "meaning": "charge density of physical charges, which are physical_over_latent "
                    "times the latent ones; field and potential act on physical charges: those of "
                    "latent charges divided by physical_over_latent",
                    "physical_over_latent": self.charge_scaling,
                },
                "extremes": {
                    name: [float(np.nanmin(curve)), float(np.nanmax(curve))]
                    for name, curve in self.curves.items()
                    if np.isfinite(curve).any()
                },
            },
        }


def profiles(
    frames: Iterable[Atoms],
    *,
    axis: int = 2,
    bin_A: float = 0.1,
    smearing_A: float = 0.0,
    center_on: str | Sequence[int] | None = None,
    calculator: GetPropertiesMixin | None = None,
    output: str | Path | None = None,
    overwrite: bool = False,
    progress: Progress = NO_PROGRESS,
    provenance: Mapping[str, object] | None = None,
) -> Profiles:
    """Average profiles over the frames of a trajectory.

    Parameters
    ----------
    frames : iterable of Atoms
        Frames of the same atoms: a list, or ASE's trajectory reader, which reads one at a time.
    axis : int
        Cell vector across the planes; the other two must be periodic.
    bin_A : float
        Width of the bins in Å.
    smearing_A : float
        Standard deviation of the Gaussians in Å by which charges are smeared, see
        `ase_les.properties.planar_potential`. With the σ of the model, the potential is that
        experienced by its charges.
    center_on : str, sequence of int, or None
        Atoms whose center is the origin in each frame: ``"film"`` for all atoms, chemical symbols
        such as ``"Ti"`` or ``"Ti,O"``, or indices. Along a periodic axis they must leave a gap. By
        default positions are not shifted.
    calculator : ASE calculator, optional
        Calculates the charges of frames without charges.
    output : str or Path, optional
        Stem of ``<output>-summary.yml`` and ``<output>-profiles.npz``.
    overwrite : bool
        Replace earlier profiles.
    provenance : mapping, optional
        Origin of the trajectory in plain containers.

    Raises
    ------
    ValueError
        If there are no frames, they cannot be averaged, or a setting is invalid.
    FileExistsError
        If earlier profiles would be lost.
    """
    files = None if output is None else OutputFiles(Path(output))
    if files is not None:
        files.prepare([files.summary], overwrite)
    densities = AxisProfile(axis, bin_A, ("number", "mass", "orientation"))
    electrostatics = PlanarPotential(axis, bin_A, smearing_A)
    chosen: np.ndarray | None = None
    first: Atoms | None = None
    charged = False
    total = len(frames) if isinstance(frames, Sized) else 0
    with task(progress, total, "frames"):
        for frame in frames:
            if first is None:
                first = frame.copy()
                chosen = _selected(frame, center_on)
                charged = calculator is not None or _has_charges(frame)
            prepared = _with_charges(frame, calculator) if charged else frame
            if chosen is not None:
                prepared = _centered(prepared, axis, chosen)
            densities.add(prepared)
            if charged:
                electrostatics.add(prepared)
            progress.advance()
    if first is None:
        raise ValueError("the trajectory contains no frames")
    found = _combined(
        densities,
        electrostatics if charged else None,
        centered_on="origin" if center_on is None else _description(center_on),
        structure=describe_structure(first),
        provenance=plain_mapping(provenance or {}),
    )
    if calculator is not None:
        found = replace(found, limits=check_limits(calculator, first, beyond_limits=True))
    if files is not None:
        write_arrays(files.named("-profiles.npz"), found.arrays())
        write_summary(files.summary, found.summary())
    return found


def _selected(atoms: Atoms, center_on: str | Sequence[int] | None) -> np.ndarray | None:
    if center_on is None:
        return None
    if not isinstance(center_on, str):
        return np.asarray(center_on, dtype=int)
    return chosen_atoms(atoms, center_on)


def _description(center_on: str | Sequence[int]) -> str:
    return center_on if isinstance(center_on, str) else f"{len(center_on)} atoms"


def _has_charges(frame: Atoms) -> bool:
    return frame.calc is not None and "charges" in getattr(frame.calc, "results", {})


def _with_charges(frame: Atoms, calculator: GetPropertiesMixin | None) -> Atoms:
    """Return a copy of the frame with recorded charges, so that it can be translated."""
    if not _has_charges(frame) and calculator is not None:
        charges = np.asarray(calculator.get_property("charges", frame), dtype=float)
        return _recorded(frame.copy(), charges, _dielectric_of(calculator))
    return _recorded(frame.copy(), required_charges(frame), _dielectric_of(frame.calc))


def _dielectric_of(calculator: GetPropertiesMixin | None) -> np.ndarray | None:
    """Return the dielectric tensor by which the charges just calculated are scaled."""
    return getattr(calculator, "results", {}).get("dielectric_tensor")


def _recorded(frame: Atoms, charges: np.ndarray, dielectric: np.ndarray | None) -> Atoms:
    frame.calc = SinglePointCalculator(frame, charges=charges, dielectric_tensor=dielectric)
    return frame


def _centered(frame: Atoms, axis: int, chosen: np.ndarray) -> Atoms:
    """Return a copy of the frame with the chosen atoms in the middle of the cell."""
    moved = frame.copy()
    moved.set_constraint()
    moved.positions += (0.5 - center_of_film(frame, axis, chosen)) * frame.cell.array[axis]
    if not _has_charges(frame):
        return moved
    return _recorded(moved, required_charges(frame), _dielectric_of(frame.calc))


def _combined(
    densities: AxisProfile,
    electrostatics: PlanarPotential | None,
    *,
    centered_on: str,
    structure: Mapping[str, object],
    provenance: Mapping[str, object],
) -> Profiles:
    material = densities.result()
    curves, errors = dict(material.curves), dict(material.standard_errors)
    step, net, smearing = Estimate(math.nan, math.nan), math.nan, math.nan
    scaling = 1.0
    if electrostatics is not None:
        electric = electrostatics.result()
        curves |= electric.curves
        errors |= electric.standard_errors
        step, net = electric.step_V, electric.net_charge_e
        smearing, scaling = electrostatics.smearing_A, electric.charge_scaling
    position = material.position_A
    if centered_on != "origin":
        position = position - 0.5 * (position[0] + position[-1])
    return Profiles(
        axis=material.axis,
        position_A=position,
        curves=curves,
        standard_errors=errors,
        faces=film_faces(position, curves["mass_g_per_cm3"]),
        step_V=step,
        net_charge_e=net,
        smearing_A=smearing,
        n_configurations=material.n_configurations,
        centered_on=centered_on,
        structure=structure,
        provenance=provenance,
        charge_scaling=scaling,
    )

"""Profiles of a film, slab or interface along its normal, from a trajectory.

Densities and orientation are averaged by `ase_les.simulation.accumulators.AxisProfile`, charge,
field and potential by `ase_les.properties.planar_potential.PlanarPotential`; here frames are
centred on the film they contain, supplied with charges, and both are brought together.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.calculators.abc import GetPropertiesMixin
from ase.calculators.singlepoint import SinglePointCalculator
from rich.console import Console

from ase_les.properties.planar_potential import PlanarPotential, charges_of, plane
from ase_les.properties.slab_electrostatics import POTENTIAL_NOTE
from ase_les.reports import terminal
from ase_les.reports.averages import draw_profile
from ase_les.runs.output import RunFiles, write_summary
from ase_les.runs.provenance import describe_structure, plain
from ase_les.simulation.accumulators.axis_profile import AxisProfile
from ase_les.statistics import Estimate

FILM = "film"

# A film leaves a gap; evenly spread atoms have a mean direction on the circle close to zero.
_LEAST_DIRECTION = 0.05


@dataclass(frozen=True)
class FilmFaces:
    """A film between two gaps, from its mass density.

    Attributes
    ----------
    density_g_per_cm3 : float
        Mean over the middle half.
    lower_A, upper_A : float
        Where the density crosses half of that.
    lower_width_A, upper_width_A : float
        Distance from 10 % to 90 % of it.
    """

    density_g_per_cm3: float
    lower_A: float
    upper_A: float
    lower_width_A: float
    upper_width_A: float

    @property
    def thickness_A(self) -> float:
        return self.upper_A - self.lower_A


@dataclass(frozen=True)
class Profiles:
    """Profiles along the normal; each curve has one value per position.

    Attributes
    ----------
    axis : int
        Cell vector along which the profiles run.
    position_A : (bins,) array
        From the centre of what was centred on, else from the origin.
    curves, standard_errors : mapping of str to (bins,) array
        ``number_<element>_per_A3``, ``mass_g_per_cm3``, ``orientation_cosine`` (of water, nan
        where none was seen), and with charges ``charge_e_per_A3``, ``field_V_per_A`` and
        ``potential_V``. Errors are block averaged, nan below 16 configurations.
    faces : FilmFaces or None
        None without a film that ends on both sides.
    step_V : Estimate
        Potential above minus below the film; nan without charges, for a periodic axis, and for a
        net charge.
    net_charge_e : float
        nan without charges.
    charge_scaling : float
        Physical over latent charges: ``charge_e_per_A3`` is of physical charges, field and
        potential are of latent ones (`ase_les.screening`).
    smearing_A : float
    n_configurations : int
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
    centred_on: str
    structure: Mapping[str, object]
    provenance: Mapping[str, object]
    charge_scaling: float = 1.0

    @property
    def has_charges(self) -> bool:
        return "potential_V" in self.curves

    def summary(self) -> dict[str, object]:
        """What the summary file says."""
        notes = [POTENTIAL_NOTE] if self.has_charges else ["no charges, hence no potential"]
        return {
            "task": "profiles",
            "input": {
                "structure": self.structure,
                "axis": "abc"[self.axis],
                "centred_on": self.centred_on,
                "smearing_A": self.smearing_A,
                "provenance": self.provenance,
            },
            "notes": notes,
            "results": {
                "configurations": self.n_configurations,
                "film": self.faces and {**vars(self.faces), "thickness_A": self.faces.thickness_A},
                "potential_step_V": self.step_V,
                "net_charge_e": self.net_charge_e,
                "charges": self.has_charges
                and {
                    "meaning": "charge density of physical charges, physical_over_latent times the "
                    "latent ones; field and potential of latent charges",
                    "physical_over_latent": self.charge_scaling,
                },
                "extremes": {
                    name: [float(np.nanmin(curve)), float(np.nanmax(curve))]
                    for name, curve in self.curves.items()
                    if np.isfinite(curve).any()
                },
            },
        }

    def save(self, path: str | Path) -> None:
        """Write all arrays to an ``.npz`` file, units in their names."""
        errors = {f"{name}_standard_error": error for name, error in self.standard_errors.items()}
        np.savez(
            path,
            axis=self.axis,
            position_A=self.position_A,
            n_configurations=self.n_configurations,
            **self.curves,
            **errors,
        )

    def save_figure(self, path: str | Path) -> None:
        """Draw the profiles with their error bands, one panel for each kind."""
        draw_profile(Path(path), self.axis, self.position_A, self.curves, self.standard_errors)


def profiles(
    frames: Iterable[Atoms],
    *,
    axis: int = 2,
    bin_A: float = 0.1,
    smearing_A: float = 0.0,
    centre_on: str | Sequence[int] | None = None,
    calculator: GetPropertiesMixin | None = None,
    output: str | Path | None = None,
    overwrite: bool = False,
    quiet: bool = False,
    provenance: Mapping[str, object] | None = None,
) -> Profiles:
    """Average profiles over the frames of a trajectory, and write them if asked to.

    Parameters
    ----------
    frames : iterable of Atoms
        Of the same atoms; a list, or ASE's trajectory reader, which holds one at a time.
    axis : int
        Cell vector along which the profiles run; the other two must be periodic.
    bin_A : float
        In Å.
    smearing_A : float
        Width of the Gaussians that charges are smeared to, see
        `ase_les.properties.planar_potential`; the σ of the model shows the potential its charges
        feel.
    centre_on : str, sequence of int, or None
        What is at 0 in every frame: ``"film"`` for all atoms, chemical symbols such as ``"Ti"``
        or ``"Ti,O"``, or indices. Under a periodic axis they must leave a gap. None takes
        positions as they are.
    calculator : ASE calculator, optional
        Gives the charges of frames that carry none.
    output : str or Path, optional
        Stem of ``<output>-summary.yml``, ``<output>-profiles.npz`` and ``<output>.png``.
    overwrite : bool
        Replace earlier profiles of that name.
    quiet : bool
        Print nothing.
    provenance : mapping, optional
        Where the trajectory came from (plain values).

    Raises
    ------
    ValueError
        If there are no frames, or they cannot be averaged, or a setting is impossible.
    FileExistsError
        If earlier profiles would be lost.
    """
    files = None if output is None else RunFiles(Path(output))
    if files is not None and files.summary.exists() and not overwrite:
        raise FileExistsError(
            f"'{files.summary}' exists. Choose another output, or allow it to be replaced with "
            "overwrite (--overwrite)"
        )
    densities = AxisProfile(axis, bin_A, ("number", "mass", "orientation"))
    electrostatics = PlanarPotential(axis, bin_A, smearing_A)
    chosen, first, charged = None, None, False
    console = terminal.console(quiet)
    with terminal.progress_bar(console) as progress:
        total = len(frames) if hasattr(frames, "__len__") else None
        bar = progress.add_task("profiles", total=total, status="")
        for frame in frames:
            if first is None:
                first = frame.copy()
                chosen = _chosen(frame, centre_on)
                charged = calculator is not None or _has_charges(frame)
            if charged:
                frame = _with_charges(frame, calculator)
            if chosen is not None:
                frame = _centred(frame, axis, chosen)
            densities.add(frame)
            if charged:
                electrostatics.add(frame)
            progress.advance(bar)
    if first is None:
        raise ValueError("the trajectory holds no frames")
    found = _together(
        densities,
        electrostatics if charged else None,
        centred_on="origin" if centre_on is None else _told(centre_on),
        structure=describe_structure(first),
        provenance=plain(provenance or {}),
    )
    if files is not None:
        files.stem.parent.mkdir(parents=True, exist_ok=True)
        found.save(files.stem.with_name(files.stem.name + "-profiles.npz"))
        found.save_figure(files.figure)
        write_summary(files.summary, found.summary())
    _tell(console, files, found)
    return found


def centre_of_film(atoms: Atoms, axis: int, chosen: np.ndarray) -> float:
    r"""Centre of mass of some atoms along a cell vector, as a fraction of it.

    Under a periodic axis the mean direction :math:`\arg \sum_i m_i e^{2\pi i s_i}` finds the group
    wherever the cell cuts it; the centre of mass of the images next to it is exact.

    Raises
    ------
    ValueError
        If the atoms are spread over a periodic axis without a gap.
    """
    normal, height, _ = plane(atoms, axis)
    place = (atoms.positions[chosen] * normal).sum(axis=1) / height
    mass = atoms.get_masses()[chosen]
    if not atoms.pbc[axis]:
        return float(mass @ place / mass.sum())
    direction = mass @ np.exp(2j * math.pi * place) / mass.sum()
    if abs(direction) < _LEAST_DIRECTION:
        raise ValueError(
            f"the atoms to centre on fill cell vector {axis} evenly and have no middle; centre on "
            "the atoms of a film or solid, or leave positions as they are (centre_on=None)"
        )
    centre = float(np.angle(direction)) / (2 * math.pi)
    for _ in range(2):
        beside = (place - centre + 0.5) % 1.0 - 0.5
        centre += float(mass @ beside / mass.sum())
    return centre % 1.0


def film_faces(position_A: np.ndarray, mass_g_per_cm3: np.ndarray) -> FilmFaces | None:
    """Where a film begins and ends, if its density falls off on both sides."""
    inside = np.flatnonzero(mass_g_per_cm3 > 0.5 * mass_g_per_cm3.max())
    if len(inside) < 4 or inside[0] == 0 or inside[-1] == len(position_A) - 1:
        return None
    quarter = (inside[-1] - inside[0]) // 4
    density = float(mass_g_per_cm3[inside[0] + quarter : inside[-1] - quarter + 1].mean())
    if density <= 0:
        return None
    sides = []
    for which in (slice(None), slice(None, None, -1)):
        z, rho = position_A[which], mass_g_per_cm3[which] / density
        crossings = [_first_above(z, rho, level) for level in (0.1, 0.5, 0.9)]
        if None in crossings:
            return None
        sides.append(crossings)
    (low10, low50, low90), (high10, high50, high90) = sides
    return FilmFaces(density, low50, high50, abs(low90 - low10), abs(high10 - high90))


def _first_above(z: np.ndarray, values: np.ndarray, level: float) -> float | None:
    above = np.flatnonzero(values >= level)
    if len(above) == 0 or above[0] == 0:
        return None
    n = above[0]
    share = (level - values[n - 1]) / (values[n] - values[n - 1])
    return float(z[n - 1] + share * (z[n] - z[n - 1]))


def _chosen(atoms: Atoms, centre_on: str | Sequence[int] | None) -> np.ndarray | None:
    if centre_on is None:
        return None
    if not isinstance(centre_on, str):
        return np.asarray(centre_on, dtype=int)
    if centre_on == FILM:
        return np.arange(len(atoms))
    wanted = {symbol.strip() for symbol in centre_on.split(",")}
    missing = wanted - set(atoms.symbols)
    if missing:
        raise ValueError(
            f"`centre_on` must be 'film' or elements of the structure, {sorted(set(atoms.symbols))}"
            f"; got {centre_on!r}"
        )
    return np.flatnonzero([symbol in wanted for symbol in atoms.symbols])


def _told(centre_on: str | Sequence[int]) -> str:
    return centre_on if isinstance(centre_on, str) else f"{len(centre_on)} atoms"


def _has_charges(frame: Atoms) -> bool:
    return frame.calc is not None and "charges" in getattr(frame.calc, "results", {})


def _with_charges(frame: Atoms, calculator: GetPropertiesMixin | None) -> Atoms:
    """The frame with nothing but its charges recorded, so that it can be moved about."""
    source = frame.calc
    if not _has_charges(frame) and calculator is not None:
        source = calculator
        charges = np.asarray(calculator.get_property("charges", frame), dtype=float)
    else:
        charges = charges_of(frame)
    return _recorded(frame.copy(), charges, _dielectric_of(source))


def _dielectric_of(calculator: GetPropertiesMixin) -> np.ndarray | None:
    """The tensor that tells how the charges just given are scaled."""
    return getattr(calculator, "results", {}).get("dielectric_tensor")


def _recorded(frame: Atoms, charges: np.ndarray, dielectric: np.ndarray | None) -> Atoms:
    frame.calc = SinglePointCalculator(frame, charges=charges, dielectric_tensor=dielectric)
    return frame


def _centred(frame: Atoms, axis: int, chosen: np.ndarray) -> Atoms:
    """The frame with the chosen atoms in the middle of its cell."""
    moved = frame.copy()
    moved.set_constraint()
    moved.positions += (0.5 - centre_of_film(frame, axis, chosen)) * frame.cell.array[axis]
    if not _has_charges(frame):
        return moved
    return _recorded(moved, charges_of(frame), _dielectric_of(frame.calc))


def _together(
    densities: AxisProfile,
    electrostatics: PlanarPotential | None,
    *,
    centred_on: str,
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
    if centred_on != "origin":
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
        centred_on=centred_on,
        structure=structure,
        provenance=provenance,
        charge_scaling=scaling,
    )


def _tell(console: Console, files: RunFiles | None, found: Profiles) -> None:
    rows: dict[str, object] = {"configurations": found.n_configurations}
    if found.faces is not None:
        faces = found.faces
        rows["density in the middle (g/cm³)"] = faces.density_g_per_cm3
        rows["thickness (Å)"] = faces.thickness_A
        rows["10–90 % width, lower | upper (Å)"] = (
            f"{faces.lower_width_A:.2f} | {faces.upper_width_A:.2f}"
        )
    if found.has_charges:
        low, high = found.curves["potential_V"].min(), found.curves["potential_V"].max()
        rows["potential, lowest | highest (V)"] = f"{low:.4f} | {high:.4f}"
        rows["step of the potential (V)"] = str(found.step_V)
        rows["net charge (e)"] = found.net_charge_e
    console.print(terminal.results_table("profiles" if files is None else str(files.stem), rows))
    for note in found.summary()["notes"]:
        console.print(f"Note: {note}", markup=False, highlight=False, soft_wrap=True)

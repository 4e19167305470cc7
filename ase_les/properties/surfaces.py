r"""Energies of surfaces, adsorption and adhesion, with what happens to charge and potential.

Charges of a calculator with latent charges are screened and their scale belongs to the model. They
tell how the potential *changes* when something is adsorbed or joined; they give no absolute work
function, which depends on electrons that no charge on a nucleus stands for.

References
----------
.. [1] V. Fiorentini and M. Methfessel, J. Phys.: Condens. Matter 8, 6525 (1996).
.. [2] P. W. Tasker, J. Phys. C 12, 4977 (1979).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from ase import Atoms, units
from ase.build import add_adsorbate
from rich.console import Console
from scipy.stats import linregress

from ase_les import reporting
from ase_les.properties.slabs import Slab, area, build_slab, fix_bottom
from ase_les.reporting import Estimate, Panel
from ase_les.simulation import RelaxationSettings, relax, resume_relaxation
from ase_les.simulation.checkpoint import RunFiles
from ase_les.simulation.checks import check_structure
from ase_les.units import COULOMB_CONSTANT

J_PER_M2 = units.m**2 / units.J
"""J/m² in one eV/Å²."""

POTENTIAL_NOTE = (
    "charges on atoms give changes of the potential between structures, not absolute work functions"
)

_LARGE_PRESSURE_GPA = 1.0
_NET_CHARGE = 1e-3


@dataclass(frozen=True)
class SurfaceEnergy:
    r"""Energy of one crystal face.

    .. math::
        \gamma = \frac{E_\mathrm{slab} - N E_\mathrm{bulk}}{2A}, \qquad
        \gamma_\mathrm{relaxed} = \frac{E_\mathrm{slab} - N E_\mathrm{bulk}}{A}
        - \gamma_\mathrm{unrelaxed}

    The second form is for slabs with their bottom layers held, whose lower face stays unrelaxed.

    Attributes
    ----------
    slabs : tuple of Slab
        As cut, one per thickness; the results below follow their order.
    atoms : tuple of Atoms
        Relaxed, or as cut.
    fixed_layers : int
    bulk_energy_eV_per_atom : float
        Of the bulk cell given.
    bulk_pressure_GPa : float
        Of that cell; nan where the calculator has no stress. It should be small, else the energy
        of a strained crystal is measured.
    slab_energy_eV, unrelaxed_slab_energy_eV : (n,) array
    unrelaxed_eV_per_A2, relaxed_eV_per_A2 : (n,) array
        By the energy of the bulk cell; the second nan if nothing was relaxed.
    fitted_eV_per_A2 : Estimate or None
        From a line through E_slab(N): its intercept is 2γA and its slope the bulk energy, so
        that neither has to be converged against the other [1]_. Two thicknesses or more; an
        error from three.
    converged : tuple of bool
    stopped : str or None
        Why not all thicknesses were done.
    potential_step_V : (n,) array
        Potential far above minus far below, of the slabs as they ended; nan without charges.
        Zero when both faces are alike.
    """

    slabs: tuple[Slab, ...]
    atoms: tuple[Atoms, ...]
    fixed_layers: int
    bulk_energy_eV_per_atom: float
    bulk_pressure_GPa: float
    slab_energy_eV: np.ndarray
    unrelaxed_slab_energy_eV: np.ndarray
    unrelaxed_eV_per_A2: np.ndarray
    relaxed_eV_per_A2: np.ndarray
    fitted_eV_per_A2: Estimate | None
    converged: tuple[bool, ...]
    stopped: str | None
    potential_step_V: np.ndarray
    structure: Mapping[str, object]
    calculator: Mapping[str, object]
    settings: RelaxationSettings | None
    provenance: Mapping[str, object]

    @property
    def eV_per_A2(self) -> float:
        """The best value there is: fitted, else that of the thickest slab."""
        if self.fitted_eV_per_A2 is not None:
            return self.fitted_eV_per_A2.mean
        by_slab = self.unrelaxed_eV_per_A2 if self.settings is None else self.relaxed_eV_per_A2
        return float(by_slab[-1])

    @property
    def J_per_m2(self) -> float:
        return self.eV_per_A2 * J_PER_M2

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the number must know."""
        notes = [POTENTIAL_NOTE]
        if not self.slabs[0].symmetric:
            notes.append(
                "the two faces differ: the energy is the mean of both (half the energy of "
                "cleavage), and a step of the potential crosses the slab"
            )
        if abs(self.bulk_pressure_GPa) > _LARGE_PRESSURE_GPA:
            notes.append(
                f"the bulk cell is under {self.bulk_pressure_GPa:.2f} GPa: relax it first "
                "(ase-les relax --cell full)"
            )
        return tuple(notes)

    def summary(self) -> dict[str, object]:
        """What the summary file says."""
        return {
            "task": "surface energy",
            "input": {
                "bulk": self.structure,
                "calculator": self.calculator,
                "slabs": [slab.summary() for slab in self.slabs],
                "fixed_layers": self.fixed_layers,
                "relaxation": self.settings,
                "provenance": self.provenance,
            },
            "notes": self.notes,
            "results": {
                "surface_energy_J_per_m2": self.J_per_m2,
                "surface_energy_eV_per_A2": self.eV_per_A2,
                "fit_over_thickness_eV_per_A2": self.fitted_eV_per_A2,
                "unrelaxed_eV_per_A2": self.unrelaxed_eV_per_A2,
                "relaxed_eV_per_A2": self.relaxed_eV_per_A2,
                "slab_energy_eV": self.slab_energy_eV,
                "unrelaxed_slab_energy_eV": self.unrelaxed_slab_energy_eV,
                "bulk_energy_eV_per_atom": self.bulk_energy_eV_per_atom,
                "bulk_pressure_GPa": self.bulk_pressure_GPa,
                "potential_step_V": self.potential_step_V,
                "converged": list(self.converged),
                "stopped": self.stopped,
            },
        }


def surface_energy(
    bulk: Atoms,
    indices: Sequence[int],
    *,
    layers: Sequence[int] = (4,),
    fixed_layers: int = 0,
    vacuum_A: float = 10.0,
    termination: int | None = None,
    orthogonal: bool = False,
    relaxation: RelaxationSettings | None = RelaxationSettings(),  # noqa: B008 - frozen
    output: str | Path = "surface",
    resume: bool = False,
    overwrite: bool = False,
    quiet: bool = False,
    provenance: Mapping[str, object] | None = None,
) -> SurfaceEnergy:
    """Cut slabs of a crystal, relax them, and write energies, summary and figure.

    Parameters
    ----------
    bulk : Atoms
        Crystal cell with a calculator, at its own equilibrium; not changed.
    indices : three int
        Miller indices in that cell.
    layers : sequence of int
        Thicknesses in repeats of the bulk; from two on the energy is fitted over them.
    fixed_layers : int
        Held at the bottom of each slab; 0 relaxes both faces.
    vacuum_A, termination, orthogonal
        See `build_slab`.
    relaxation : RelaxationSettings or None
        None leaves the slabs as cut.
    output : str or Path
        Stem: ``<output>-summary.yml``, ``<output>.png``, and for every thickness the files of its
        relaxation under ``<output>-<layers>``.
    resume : bool
        Go on with each relaxation from its last checkpoint, with `steps` counted from its start.
    overwrite : bool
        Replace an earlier run of that name.
    quiet : bool
        Print nothing.
    provenance : mapping, optional
        Where structure and calculator came from (plain values).

    Raises
    ------
    ValueError
        If the crystal or a setting is impossible.
    FileExistsError
        If an earlier run would be lost.
    """
    check_structure(bulk)
    _refuse_cell(relaxation)
    thicknesses = sorted(set(layers))
    if not thicknesses:
        raise ValueError("`layers` must name at least one thickness")
    slabs = [
        build_slab(
            bulk,
            indices,
            layers=count,
            vacuum_A=vacuum_A,
            termination=termination,
            orthogonal=orthogonal,
        )
        for count in thicknesses
    ]
    starts = [fix_bottom(slab.atoms, fixed_layers) for slab in slabs]
    files = RunFiles(Path(output))
    stems = [_stem(files, f"-{count}") for count in thicknesses]
    _make_room(files, stems, overwrite or resume)

    console = reporting.console(quiet)
    bulk_energy = bulk.get_potential_energy() / len(bulk)
    before, after, ended, converged, stopped = [], [], [], [], None
    for start, stem in zip(starts, stems, strict=True):
        start.calc = bulk.calc
        before.append(start.get_potential_energy())
        end, reached, stopped = _settled(start, stem, relaxation, resume, quiet)
        after.append(end.get_potential_energy())
        converged.append(reached)
        ended.append(end)
        if stopped is not None:
            break
    slabs = slabs[: len(ended)]
    result = _surface_result(
        bulk=bulk,
        slabs=slabs,
        ended=ended,
        before=np.array(before),
        after=np.array(after),
        bulk_energy=bulk_energy,
        fixed_layers=fixed_layers,
        relaxation=relaxation,
        converged=tuple(converged),
        stopped=stopped,
        provenance=provenance,
    )
    reporting.write_summary(files.summary, result.summary())
    _draw_surface(files.figure, result)
    _tell_surface(console, files, result)
    return result


def _surface_result(
    *,
    bulk: Atoms,
    slabs: Sequence[Slab],
    ended: Sequence[Atoms],
    before: np.ndarray,
    after: np.ndarray,
    bulk_energy: float,
    fixed_layers: int,
    relaxation: RelaxationSettings | None,
    converged: tuple[bool, ...],
    stopped: str | None,
    provenance: Mapping[str, object] | None,
) -> SurfaceEnergy:
    counts = np.array([len(slab.atoms) for slab in slabs])
    face = slabs[0].area_A2
    unrelaxed = (before - counts * bulk_energy) / (2 * face)
    # With the bottom held, the lower face costs what an unrelaxed one does.
    relaxed = (after - counts * bulk_energy) / (2 * face)
    if fixed_layers:
        relaxed = 2 * relaxed - unrelaxed
    fitted = None
    if len(slabs) > 1:
        # The same two faces: E_relaxed of the upper one is the difference of two intercepts.
        series = 2 * after - before if fixed_layers else after
        line = linregress(counts, series)
        error = float(line.intercept_stderr) / (2 * face) if len(slabs) > 2 else math.nan
        fitted = Estimate(float(line.intercept) / (2 * face), error)
    return SurfaceEnergy(
        slabs=tuple(slabs),
        atoms=tuple(each.copy() for each in ended),
        fixed_layers=fixed_layers,
        bulk_energy_eV_per_atom=bulk_energy,
        bulk_pressure_GPa=_pressure_GPa(bulk),
        slab_energy_eV=after,
        unrelaxed_slab_energy_eV=before,
        unrelaxed_eV_per_A2=unrelaxed,
        relaxed_eV_per_A2=relaxed if relaxation else np.full(len(slabs), math.nan),
        fitted_eV_per_A2=fitted,
        converged=converged,
        stopped=stopped,
        potential_step_V=np.array([_potential_step_V(each) for each in ended]),
        structure=reporting.describe_structure(bulk),
        calculator=reporting.describe_calculator(bulk.calc),
        settings=relaxation,
        provenance=reporting.plain(provenance or {}),
    )


@dataclass(frozen=True)
class Adsorption:
    r"""What a surface and a molecule gain and exchange when they meet.

    .. math::
        E_\mathrm{ads} = E_\mathrm{both} - E_\mathrm{slab} - E_\mathrm{molecule}, \qquad
        \Delta\Phi = -\frac{4\pi k_e}{A} \Delta\mu_n

    Attributes
    ----------
    both, slab, adsorbate : Atoms
        The atoms of `both` are those of the slab, then those of the adsorbate.
    energy_eV : float
        Negative when the molecule is bound.
    charge_gained_by_adsorbate_e, charge_gained_by_slab_e : float
        Sum of charges of the fragment in `both` less that of the fragment alone; nan without
        charges.
    dipole_change_eA : float
        Change, by adsorption, of the dipole along the outward normal (from the slab towards the
        adsorbate): `both` less the clean slab.
    work_function_change_eV : float
        What an electron that leaves on this side pays more (Helmholtz); a change, never an
        absolute work function. The potential outside changes by the opposite.
    net_charge_e : float
        Of `both`: unless it is zero, the dipole depends on the origin.
    converged : bool
    """

    both: Atoms
    slab: Atoms
    adsorbate: Atoms
    energy_eV: float
    charge_gained_by_adsorbate_e: float
    charge_gained_by_slab_e: float
    dipole_change_eA: float
    work_function_change_eV: float
    net_charge_e: float
    converged: bool
    calculator: Mapping[str, object]
    provenance: Mapping[str, object]

    @property
    def notes(self) -> tuple[str, ...]:
        notes = [POTENTIAL_NOTE]
        if abs(self.net_charge_e) > _NET_CHARGE:
            notes.append(
                f"charges sum to {self.net_charge_e:+.4f} e: dipoles and changes of the potential "
                "depend on the origin"
            )
        return tuple(notes)

    def summary(self) -> dict[str, object]:
        """What the summary file says."""
        return {
            "task": "adsorption",
            "input": {
                "slab": reporting.describe_structure(self.slab),
                "adsorbate": reporting.describe_structure(self.adsorbate),
                "calculator": self.calculator,
                "provenance": self.provenance,
            },
            "notes": self.notes,
            "results": {
                "adsorption_energy_eV": self.energy_eV,
                "charge_gained_by_adsorbate_e": self.charge_gained_by_adsorbate_e,
                "charge_gained_by_slab_e": self.charge_gained_by_slab_e,
                "dipole_change_eA": self.dipole_change_eA,
                "work_function_change_eV": self.work_function_change_eV,
                "net_charge_e": self.net_charge_e,
                "area_A2": area(self.both),
                "converged": self.converged,
            },
        }


def adsorption_of(
    both: Atoms,
    slab: Atoms,
    adsorbate: Atoms,
    *,
    converged: bool = True,
    provenance: Mapping[str, object] | None = None,
) -> Adsorption:
    """Compare three structures, each with its calculator, as they are.

    Parameters
    ----------
    both : Atoms
        The atoms of the slab, then those of the adsorbate, in the frame of `slab`.
    slab, adsorbate : Atoms

    Raises
    ------
    ValueError
        If the atoms or the cells do not match.
    """
    numbers = np.concatenate([slab.numbers, adsorbate.numbers])
    if not np.array_equal(both.numbers, numbers):
        raise ValueError(
            f"`both` must hold the atoms of the slab, then those of the adsorbate: "
            f"{slab.symbols} + {adsorbate.symbols}, got {both.symbols}"
        )
    if not np.allclose(both.cell[:2], slab.cell[:2], atol=1e-6):
        raise ValueError("`both` and `slab` must share the two cell vectors of the plane")
    outside = both.positions[len(slab) :] @ _normal(both)
    outward = 1.0 if outside.mean() > (slab.positions @ _normal(slab)).mean() else -1.0
    charges = [_charges(each) for each in (both, slab, adsorbate)]
    gained, lost, dipole, step, net = (math.nan,) * 5
    if all(each is not None for each in charges):
        joint, of_slab, of_adsorbate = charges
        gained = float(joint[len(slab) :].sum() - of_adsorbate.sum())
        lost = float(joint[: len(slab)].sum() - of_slab.sum())
        net = float(joint.sum())
        if _is_slab(both):
            dipole = outward * (_normal_dipole(both, joint) - _normal_dipole(slab, of_slab))
            step = -4 * math.pi * COULOMB_CONSTANT * dipole / area(both)
    return Adsorption(
        both=both.copy(),
        slab=slab.copy(),
        adsorbate=adsorbate.copy(),
        energy_eV=both.get_potential_energy()
        - slab.get_potential_energy()
        - adsorbate.get_potential_energy(),
        charge_gained_by_adsorbate_e=gained,
        charge_gained_by_slab_e=lost,
        dipole_change_eA=dipole,
        work_function_change_eV=step,
        net_charge_e=net,
        converged=converged,
        calculator=reporting.describe_calculator(both.calc),
        provenance=reporting.plain(provenance or {}),
    )


def adsorb(
    slab: Atoms,
    adsorbate: Atoms,
    *,
    height_A: float = 2.0,
    site_A: Sequence[float] = (0.0, 0.0),
    anchor: int = 0,
    relaxation: RelaxationSettings | None = RelaxationSettings(),  # noqa: B008 - frozen
    output: str | Path = "adsorption",
    resume: bool = False,
    overwrite: bool = False,
    quiet: bool = False,
    provenance: Mapping[str, object] | None = None,
) -> Adsorption:
    """Put a molecule on a slab; relax slab, molecule and both; write what came of it.

    Parameters
    ----------
    slab : Atoms
        With a calculator; its constraints are obeyed throughout.
    adsorbate : Atoms
        Oriented as it shall land; alone it is relaxed with open boundaries.
    height_A : float
        Of the anchor atom above the highest atom of the slab.
    site_A : two floats
        x and y of the anchor in Å.
    anchor : int
        Atom of the adsorbate.
    relaxation, resume, overwrite, quiet, provenance
        See `surface_energy`.
    output : str or Path
        Stem: ``<output>-summary.yml``, ``<output>.png``, and the files of three relaxations
        under ``<output>-slab``, ``-molecule`` and ``-both``.

    Raises
    ------
    ValueError
        If slab or molecule are impossible.
    FileExistsError
        If an earlier run would be lost.
    """
    check_structure(slab)
    _refuse_cell(relaxation)
    if not _is_slab(slab):
        raise ValueError(
            f"a slab has pbc (True, True, False), got {slab.pbc.tolist()}; set `atoms.pbc`"
        )
    files = RunFiles(Path(output))
    parts = ("slab", "molecule", "both")
    stems = {part: _stem(files, f"-{part}") for part in parts}
    _make_room(files, list(stems.values()), overwrite or resume)

    molecule = adsorbate.copy()
    molecule.pbc = False
    molecule.calc = slab.calc
    finished, converged = {}, True
    bare = slab.copy()
    bare.calc = slab.calc
    for part in parts:
        if part == "both":
            start = finished["slab"].copy()
            # Not from ASE's records about sites, which another slab may have left there.
            start.info.pop("adsorbate_info", None)
            add_adsorbate(start, adsorbate, height_A, tuple(site_A), mol_index=anchor)
            start.calc = slab.calc
        else:
            start = bare if part == "slab" else molecule
        end, reached, stopped = _settled(start, stems[part], relaxation, resume, quiet)
        if stopped is not None:
            raise ValueError(
                f"{stems[part].name}: {stopped}. What is done is kept; go on with resume (--resume)"
            )
        converged &= reached
        finished[part] = end
    result = adsorption_of(
        finished["both"],
        finished["slab"],
        finished["molecule"],
        converged=converged,
        provenance=provenance,
    )
    reporting.write_summary(files.summary, result.summary())
    if np.isfinite(result.charge_gained_by_adsorbate_e):
        gains = (result.charge_gained_by_slab_e, result.charge_gained_by_adsorbate_e)
        reporting.save_bars(
            files.figure,
            ["slab", "adsorbate"],
            {f"E_ads = {result.energy_eV:.3f} eV": [1000 * gain for gain in gains]},
            "charge gained / (10⁻³ e)",
        )
    rows = {
        "adsorption energy (eV)": result.energy_eV,
        "charge gained by the adsorbate (e)": result.charge_gained_by_adsorbate_e,
        "dipole change (e Å)": result.dipole_change_eA,
        "change of the work function (eV)": result.work_function_change_eV,
    }
    _tell(reporting.console(quiet), files, rows, result.notes, converged)
    return result


@dataclass(frozen=True)
class Adhesion:
    r"""Work needed to part two solids, :math:`W = (E_1 + E_2 - E_{12}) / nA`.

    Attributes
    ----------
    eV_per_A2 : float
        Positive when the two hold together.
    interfaces : int
        n: 2 in a cell that repeats along the normal, else 1.
    charge_gained_by_first_e, charge_gained_by_second_e : float
        nan without charges.
    potential_step_change_V : float
        Potential far beyond the second part minus that far beyond the first, less the same of the
        parts alone; nan without charges, or when the normal is periodic.
    """

    eV_per_A2: float
    interfaces: int
    area_A2: float
    charge_gained_by_first_e: float
    charge_gained_by_second_e: float
    potential_step_change_V: float
    structure: Mapping[str, object]
    calculator: Mapping[str, object]

    @property
    def J_per_m2(self) -> float:
        return self.eV_per_A2 * J_PER_M2

    def summary(self) -> dict[str, object]:
        """Plain containers for YAML and JSON."""
        return {
            "task": "work of adhesion",
            "input": {"interface": self.structure, "calculator": self.calculator},
            "notes": [POTENTIAL_NOTE],
            "results": {
                "work_of_adhesion_J_per_m2": self.J_per_m2,
                "work_of_adhesion_eV_per_A2": self.eV_per_A2,
                "interfaces": self.interfaces,
                "area_A2": self.area_A2,
                "charge_gained_by_first_e": self.charge_gained_by_first_e,
                "charge_gained_by_second_e": self.charge_gained_by_second_e,
                "potential_step_change_V": self.potential_step_change_V,
            },
        }


def work_of_adhesion(interface: Atoms, first: Sequence[int]) -> Adhesion:
    """Part an interface along its third cell vector, the parts kept as they are.

    For relaxed parts, relax them first and use their energies in the same formula: this is the
    work of separation of a fixed geometry.

    Parameters
    ----------
    interface : Atoms
        With a calculator and two periodic directions (one interface), or three (two).
    first : sequence of int
        Indices of the atoms of one part.

    Raises
    ------
    ValueError
        If one of the parts is empty, or the first two vectors are not periodic.
    """
    check_structure(interface)
    if not interface.pbc[:2].all():
        raise ValueError(
            "the plane of the interface must be that of the first two, periodic, cell vectors; "
            f"pbc is {interface.pbc.tolist()}"
        )
    inside = np.zeros(len(interface), dtype=bool)
    inside[np.asarray(first)] = True
    if inside.all() or not inside.any():
        raise ValueError(
            f"`first` must name some but not all of the {len(interface)} atoms, got {inside.sum()}"
        )
    masks = (inside, ~inside)
    parts = [interface[mask] for mask in masks]
    for part in parts:
        part.calc = interface.calc
    charges = _charges(interface)
    energy = interface.get_potential_energy()
    step = _potential_step_V(interface)
    alone = [
        (part.get_potential_energy(), _charges(part), _potential_step_V(part)) for part in parts
    ]
    gains = [math.nan, math.nan]
    if charges is not None:
        gains = [
            float(charges[mask].sum() - q.sum())
            for mask, (_, q, _) in zip(masks, alone, strict=True)
        ]
    heights = [part.positions @ _normal(interface) for part in parts]
    outward = 1.0 if heights[1].mean() > heights[0].mean() else -1.0
    interfaces = 2 if interface.pbc[2] else 1
    return Adhesion(
        eV_per_A2=(sum(e for e, _, _ in alone) - energy) / (interfaces * area(interface)),
        interfaces=interfaces,
        area_A2=area(interface),
        charge_gained_by_first_e=gains[0],
        charge_gained_by_second_e=gains[1],
        potential_step_change_V=outward * (step - sum(s for _, _, s in alone)),
        structure=reporting.describe_structure(interface),
        calculator=reporting.describe_calculator(interface.calc),
    )


def _settled(
    atoms: Atoms, stem: Path, settings: RelaxationSettings | None, resume: bool, quiet: bool
) -> tuple[Atoms, bool, str | None]:
    """Relaxed atoms with their calculator, whether it converged, and why it was stopped."""
    if settings is None:
        return atoms, True, None
    if resume and RunFiles(stem).checkpoint.exists():
        expected = {**asdict(settings), "atoms": atoms}
        result = resume_relaxation(stem, atoms.calc, quiet=quiet, **expected)
    else:
        result = relax(atoms, **asdict(settings), output=stem, overwrite=resume, quiet=quiet)
    end = result.atoms
    end.calc = atoms.calc
    return end, result.converged, result.stopped


def _stem(files: RunFiles, ending: str) -> Path:
    return files.stem.with_name(files.stem.name + ending)


def _make_room(files: RunFiles, stems: Sequence[Path], allowed: bool) -> None:
    """Refuse to lose an earlier run, before anything is computed."""
    old = [files.summary, *(RunFiles(stem).trajectory for stem in stems)]
    found = [path.name for path in old if path.exists()]
    if found and not allowed:
        raise FileExistsError(
            f"'{files.stem}' exists already ({', '.join(found)}). Choose another output, go on "
            "with resume (--resume), or allow it to be replaced with overwrite (--overwrite)"
        )
    files.stem.parent.mkdir(parents=True, exist_ok=True)


def _refuse_cell(settings: RelaxationSettings | None) -> None:
    if settings is not None and settings.cell != "fixed":
        raise ValueError(f"slabs keep the cell of the bulk: cell='fixed', got {settings.cell!r}")


def _is_slab(atoms: Atoms) -> bool:
    return bool(atoms.pbc[0] and atoms.pbc[1] and not atoms.pbc[2])


def _normal(atoms: Atoms) -> np.ndarray:
    normal = np.cross(atoms.cell[0], atoms.cell[1])
    return normal / np.linalg.norm(normal)


def _charges(atoms: Atoms) -> np.ndarray | None:
    """(N,) charges in e, or None where the calculator has none."""
    if "charges" not in getattr(atoms.calc, "implemented_properties", ()):
        return None
    return np.asarray(atoms.get_charges(), dtype=float)


def _normal_dipole(atoms: Atoms, charges: np.ndarray) -> float:
    return float(charges @ (atoms.positions @ _normal(atoms)))


def _potential_step_V(atoms: Atoms) -> float:
    charges = _charges(atoms) if _is_slab(atoms) else None
    if charges is None:
        return math.nan
    return 4 * math.pi * COULOMB_CONSTANT * _normal_dipole(atoms, charges) / area(atoms)


def _pressure_GPa(bulk: Atoms) -> float:
    if "stress" not in getattr(bulk.calc, "implemented_properties", ()):
        return math.nan
    return float(-bulk.get_stress()[:3].mean() / units.GPa)


def _draw_surface(path: Path, result: SurfaceEnergy) -> None:
    curves = {"as cut": result.unrelaxed_eV_per_A2 * J_PER_M2}
    curves["relaxed"] = result.relaxed_eV_per_A2 * J_PER_M2
    bands = {}
    if result.fitted_eV_per_A2 is not None:
        ones = np.ones(len(result.slabs))
        curves["fit over thickness"] = result.fitted_eV_per_A2.mean * J_PER_M2 * ones
        bands["fit over thickness"] = result.fitted_eV_per_A2.standard_error * J_PER_M2 * ones
    reporting.save_figure(
        path,
        np.array([slab.layers for slab in result.slabs]),
        "layers",
        [Panel("surface energy (J/m²)", curves, bands=bands)],
    )


def _tell_surface(console: Console, files: RunFiles, result: SurfaceEnergy) -> None:
    slab = result.slabs[-1]
    rows: dict[str, object] = {
        "face": f"{slab.indices}, {slab.bottom} below, {slab.top} above",
        "area (Å²)": slab.area_A2,
    }
    for n, each in enumerate(result.slabs):
        relaxed, cut = result.relaxed_eV_per_A2[n], result.unrelaxed_eV_per_A2[n]
        best = cut if math.isnan(relaxed) else relaxed
        rows[f"{each.layers} layers: as cut | final (J/m²)"] = (
            f"{cut * J_PER_M2:.5f} | {best * J_PER_M2:.5f}"
        )
    if result.fitted_eV_per_A2 is not None:
        error = result.fitted_eV_per_A2.standard_error * J_PER_M2
        rows["fit over thickness (J/m²)"] = str(Estimate(result.J_per_m2, error))
    rows["surface energy (J/m²)"] = result.J_per_m2
    rows["surface energy (eV/Å²)"] = result.eV_per_A2
    _tell(console, files, rows, result.notes, all(result.converged))
    if result.stopped is not None:
        console.print(f"Stopped: {result.stopped}; go on with --resume", style="bold red")


def _tell(
    console: Console,
    files: RunFiles,
    rows: Mapping[str, object],
    notes: Sequence[str],
    converged: bool,
) -> None:
    console.print(reporting.results_table(str(files.stem), rows))
    for note in notes:
        console.print(f"Note: {note}", markup=False, highlight=False, soft_wrap=True)
    if not converged:
        console.print("NOT CONVERGED: allow more steps", style="bold red", markup=False)

r"""Surface energy of a crystal face, with a fit over the thickness of the slab.

References
----------
.. [1] V. Fiorentini and M. Methfessel, J. Phys.: Condens. Matter 8, 6525 (1996).
.. [2] P. W. Tasker, J. Phys. C 12, 4977 (1979).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase import Atoms, units
from rich.console import Console
from scipy.stats import linregress

from ase_les.properties.equilibrium import LARGE_PRESSURE_GPA, pressure_GPa
from ase_les.properties.settled import refuse_cell, settled, tell
from ase_les.properties.slab_electrostatics import (
    POTENTIAL_NOTE,
    potential_step_V,
)
from ase_les.properties.slabs import Slab, build_slab, fix_bottom
from ase_les.reports import figures, terminal
from ase_les.reports.figures import Panel
from ase_les.runs.output import RunFiles, write_summary
from ase_les.runs.provenance import describe_calculator, describe_structure, plain
from ase_les.simulation import RelaxationSettings
from ase_les.simulation.checks import check_structure
from ase_les.statistics import Estimate

J_PER_M2 = units.m**2 / units.J
"""J/m² in one eV/Å²."""

_LARGE_DRIFT = 0.01


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
    fitted_bulk_eV_per_atom : float
        That slope; nan without a fit. Where it is not the energy of the bulk cell, the surface
        energy has no limit of thick slabs.
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
    fitted_bulk_eV_per_atom: float
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
    def drift_with_thickness(self) -> float:
        """Change of the surface energy over the slabs, relative to itself; 0 for one thickness."""
        if self.fitted_eV_per_A2 is None:
            return 0.0
        counts = [len(slab.atoms) for slab in self.slabs]
        excess = self.fitted_bulk_eV_per_atom - self.bulk_energy_eV_per_atom
        change = excess * (counts[-1] - counts[0]) / (2 * self.slabs[0].area_A2)
        return abs(change / self.eV_per_A2)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the number must know."""
        notes = [POTENTIAL_NOTE]
        if not self.slabs[0].symmetric:
            notes.append(
                "the two faces differ: the energy is the mean of both (half the energy of "
                "cleavage), and a step of the potential crosses the slab"
            )
        drift = self.drift_with_thickness
        if drift > _LARGE_DRIFT:
            notes.append(
                f"surface energies change by {drift:.0%} from the thinnest slab to the thickest: "
                f"they grow by {self.fitted_bulk_eV_per_atom:.4f} eV per atom, the bulk has "
                f"{self.bulk_energy_eV_per_atom:.4f}. Slabs too thin to have an inside do that, "
                "and bulk energies that are not converged. Models with neutrality 'mean' do it at "
                "any thickness: compare slabs of one thickness, or take a model with split charges"
            )
        if abs(self.bulk_pressure_GPa) > LARGE_PRESSURE_GPA:
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
                "fit_over_thickness_bulk_eV_per_atom": self.fitted_bulk_eV_per_atom,
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
    refuse_cell(relaxation)
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
    stems = [files.named(f"-{count}") for count in thicknesses]
    files.prepare_parts(stems, overwrite or resume)

    console = terminal.console(quiet)
    bulk_energy = bulk.get_potential_energy() / len(bulk)
    before, after, ended, converged, stopped = [], [], [], [], None
    for start, stem in zip(starts, stems, strict=True):
        start.calc = bulk.calc
        before.append(start.get_potential_energy())
        end, reached, stopped = settled(start, stem, relaxation, resume, quiet, provenance)
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
    write_summary(files.summary, result.summary())
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
    fitted, fitted_bulk = None, math.nan
    if len(slabs) > 1:
        # The same two faces: E_relaxed of the upper one is the difference of two intercepts.
        series = 2 * after - before if fixed_layers else after
        line = linregress(counts, series)
        error = float(line.intercept_stderr) / (2 * face) if len(slabs) > 2 else math.nan
        fitted = Estimate(float(line.intercept) / (2 * face), error)
        fitted_bulk = float(line.slope)
    return SurfaceEnergy(
        slabs=tuple(slabs),
        atoms=tuple(each.copy() for each in ended),
        fixed_layers=fixed_layers,
        bulk_energy_eV_per_atom=bulk_energy,
        bulk_pressure_GPa=pressure_GPa(bulk),
        slab_energy_eV=after,
        unrelaxed_slab_energy_eV=before,
        unrelaxed_eV_per_A2=unrelaxed,
        relaxed_eV_per_A2=relaxed if relaxation else np.full(len(slabs), math.nan),
        fitted_eV_per_A2=fitted,
        fitted_bulk_eV_per_atom=fitted_bulk,
        converged=converged,
        stopped=stopped,
        potential_step_V=np.array([potential_step_V(each) for each in ended]),
        structure=describe_structure(bulk),
        calculator=describe_calculator(bulk.calc),
        settings=relaxation,
        provenance=plain(provenance or {}),
    )


def _draw_surface(path: Path, result: SurfaceEnergy) -> None:
    curves = {"as cut": result.unrelaxed_eV_per_A2 * J_PER_M2}
    curves["relaxed"] = result.relaxed_eV_per_A2 * J_PER_M2
    bands = {}
    if result.fitted_eV_per_A2 is not None:
        ones = np.ones(len(result.slabs))
        curves["fit over thickness"] = result.fitted_eV_per_A2.mean * J_PER_M2 * ones
        bands["fit over thickness"] = result.fitted_eV_per_A2.standard_error * J_PER_M2 * ones
    figures.save_figure(
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
    enough_steps = all(result.converged) or result.stopped is not None
    tell(console, files, rows, result.notes, enough_steps)
    if result.stopped is not None:
        console.print(f"Stopped: {result.stopped}", style="bold red", markup=False, soft_wrap=True)

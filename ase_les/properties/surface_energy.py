r"""Surface energy of a crystal from slabs of several thicknesses.

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
from typing import Any

import numpy as np
from ase import Atoms, units
from scipy.stats import linregress

from ase_les.model_limits import SURFACES, check_limits
from ase_les.properties.equilibrium import LARGE_PRESSURE_GPA, pressure_GPa
from ase_les.properties.relaxed_parts import OnResult, refuse_variable_cell, relax_or_resume
from ase_les.properties.slab_electrostatics import POTENTIAL_NOTE, potential_step_V
from ase_les.properties.slabs import Slab, build_slab, fix_bottom
from ase_les.runs.lock import lock_output
from ase_les.runs.output import RunFiles, write_summary
from ase_les.runs.progress import NO_PROGRESS, Progress
from ase_les.runs.provenance import describe_calculator, describe_structure, plain_mapping
from ase_les.simulation import RelaxationSettings
from ase_les.simulation.checks import check_structure
from ase_les.statistics import Estimate

J_PER_M2 = units.m**2 / units.J
"""J/m² per eV/Å²."""

_LARGE_DRIFT = 0.01


@dataclass(frozen=True)
class SurfaceSettings:
    """Settings of a surface energy calculation.

    Parameters
    ----------
    layers : sequence of int
        Thicknesses in repeats of the bulk; with two or more, the energy is fitted.
    fixed_layers : int
        Number of fixed layers at the bottom of each slab; 0 relaxes both faces.
    vacuum_A, termination, orthogonal
        See `build_slab`.
    relaxation : RelaxationSettings or None
        None: no relaxation.
    beyond_limits : bool
        Allow calculations beyond the limits of the model, see `ase_les.model_limits`.
    """

    layers: Sequence[int] = (4,)
    fixed_layers: int = 0
    vacuum_A: float = 10.0
    termination: int | None = None
    orthogonal: bool = False
    relaxation: RelaxationSettings | None = RelaxationSettings()  # noqa: RUF009 - frozen
    beyond_limits: bool = False

    def __post_init__(self) -> None:
        if len(self.layers) == 0:
            raise ValueError("`layers` must contain at least one thickness")
        refuse_variable_cell(self.relaxation)


@dataclass(frozen=True)
class SurfaceEnergy:
    r"""Energy of a surface.

    .. math::
        \gamma = \frac{E_\mathrm{slab} - N E_\mathrm{bulk}}{2A}, \qquad
        \gamma_\mathrm{relaxed} = \frac{E_\mathrm{slab} - N E_\mathrm{bulk}}{A}
        - \gamma_\mathrm{unrelaxed}

    The second form applies to slabs with fixed bottom layers, whose lower face stays unrelaxed.

    Attributes
    ----------
    slabs : tuple of Slab
        Slabs as cut, one per thickness; the arrays below have the same order.
    atoms : tuple of Atoms
        Final structures.
    fixed_layers : int
    bulk_energy_eV_per_atom : float
        Energy of the given bulk cell.
    bulk_pressure_GPa : float
        Pressure of this cell; nan if the calculator has no stress. If it is large, the result
        belongs to a strained crystal.
    slab_energy_eV, unrelaxed_slab_energy_eV : (n,) array
    unrelaxed_eV_per_A2, relaxed_eV_per_A2 : (n,) array
        Surface energies with the energy of the bulk cell; the second is nan without relaxation.
    fitted_eV_per_A2 : Estimate or None
        From a line through E_slab(N): its intercept is 2γA and its slope the bulk energy, which
        makes them consistent [1]_. None for one thickness; the error needs three.
    fitted_bulk_eV_per_atom : float
        Slope of this line; nan without a fit. If it differs from the energy of the bulk cell, the
        surface energies do not converge with the thickness.
    converged : tuple of bool
    stopped : str or None
        Reason if not all thicknesses were calculated.
    potential_step_V : (n,) array
        Potential far above minus far below the final slabs; nan without charges, zero for equal
        faces.
    structure, calculator, settings, provenance
    limits : tuple of str
        Notes on the limits of the model.
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
    limits: tuple[str, ...] = ()

    @property
    def eV_per_A2(self) -> float:
        """Fitted value, or the value of the thickest slab."""
        if self.fitted_eV_per_A2 is not None:
            return self.fitted_eV_per_A2.mean
        by_slab = self.unrelaxed_eV_per_A2 if self.settings is None else self.relaxed_eV_per_A2
        return float(by_slab[-1])

    @property
    def J_per_m2(self) -> float:
        """Surface energy in J/m²."""
        return self.eV_per_A2 * J_PER_M2

    @property
    def drift_with_thickness(self) -> float:
        """Relative change of the surface energy with the thickness; 0 for one thickness."""
        if self.fitted_eV_per_A2 is None:
            return 0.0
        counts = [len(slab.atoms) for slab in self.slabs]
        excess = self.fitted_bulk_eV_per_atom - self.bulk_energy_eV_per_atom
        change = excess * (counts[-1] - counts[0]) / (2 * self.slabs[0].area_A2)
        return abs(change / self.eV_per_A2)

    @property
    def notes(self) -> tuple[str, ...]:
        """Remarks on the results."""
        notes = [POTENTIAL_NOTE, *self.limits]
        if self.eV_per_A2 < 0:
            notes.append(
                f"the surface energy is negative ({self.J_per_m2:.3g} J/m²): the slab is more "
                "stable than the bulk, which is impossible for a stable crystal. Either the bulk "
                "cell is not relaxed (ase-les relax --cell full), or the model does not describe "
                "bulk and surface of this material"
            )
        if not self.slabs[0].symmetric:
            notes.append(
                "the two faces differ: the surface energy is their mean (half of the cleavage "
                "energy), and the potential has a step across the slab"
            )
        drift = self.drift_with_thickness
        if drift > _LARGE_DRIFT:
            notes.append(
                f"the surface energy changes by {drift:.0%} from the thinnest slab to the thickest:"
                f" slab energies increase by {self.fitted_bulk_eV_per_atom:.4f} eV per atom, "
                f"but the bulk energy is {self.bulk_energy_eV_per_atom:.4f}. Either slabs are too "
                "thin, or the bulk energy is not converged. Models with neutrality 'mean' have "
                "this error at any thickness: compare slabs of one thickness, or use a model with "
                "split charges"
            )
        if abs(self.bulk_pressure_GPa) > LARGE_PRESSURE_GPA:
            notes.append(
                f"the pressure of the bulk cell is {self.bulk_pressure_GPa:.2f} GPa: relax it "
                "first (ase-les relax --cell full)"
            )
        return tuple(notes)

    def summary(self) -> dict[str, object]:
        """Return the result as plain containers for YAML and JSON."""
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


@lock_output
def surface_energy(
    bulk: Atoms,
    indices: Sequence[int],
    *,
    output: str | Path = "surface",
    resume: bool = False,
    overwrite: bool = False,
    progress: Progress = NO_PROGRESS,
    on_result: OnResult | None = None,
    provenance: Mapping[str, object] | None = None,
    **settings: Any,
) -> SurfaceEnergy:
    """Compute the energy of a surface from slabs cut from a crystal.

    Parameters
    ----------
    bulk : Atoms
        Relaxed crystal cell with a calculator; not modified.
    indices : three or four ints
        Miller indices in this cell, see `ase_les.properties.slabs.miller_indices`.
    output : str or Path
        Stem of ``<output>-summary.yml``, and of the files of each relaxation,
        ``<output>-<layers>.traj`` and so on.
    resume : bool
        Continue each relaxation from its last checkpoint; `steps` counts from its start.
    overwrite : bool
        Replace an earlier calculation.
    on_result : callable, optional
        Called with the result of each relaxation.
    provenance : mapping, optional
        Origin of structure and calculator in plain containers.
    **settings
        See `SurfaceSettings`.

    Raises
    ------
    ValueError
        If the crystal or a setting is invalid.
    FileExistsError
        If an earlier calculation would be lost.
    """
    chosen = SurfaceSettings(**settings)
    check_structure(bulk)
    thicknesses = sorted(set(chosen.layers))
    slabs = [
        build_slab(
            bulk,
            indices,
            layers=count,
            vacuum_A=chosen.vacuum_A,
            termination=chosen.termination,
            orthogonal=chosen.orthogonal,
        )
        for count in thicknesses
    ]
    starts = [fix_bottom(slab.atoms, chosen.fixed_layers) for slab in slabs]
    limits = check_limits(
        bulk.calc, starts[0], uses=(SURFACES,), beyond_limits=chosen.beyond_limits
    )
    files = RunFiles(Path(output))
    stems = [files.named(f"-{count}") for count in thicknesses]
    files.prepare_parts(stems, overwrite or resume)

    ended: list[Atoms] = []
    before, after, converged, stopped = [], [], [], None
    for start, stem in zip(starts, stems, strict=True):
        start.calc = bulk.calc
        before.append(start.get_potential_energy())
        end, reached, stopped = relax_or_resume(
            start,
            stem,
            chosen.relaxation,
            resume=resume,
            overwrite=overwrite,
            progress=progress,
            on_result=on_result,
            provenance=provenance,
        )
        after.append(end.get_potential_energy())
        converged.append(reached)
        ended.append(end)
        if stopped is not None:
            break
    result = _result(
        bulk,
        slabs[: len(ended)],
        ended,
        np.array(before),
        np.array(after),
        chosen,
        converged=tuple(converged),
        stopped=stopped,
        provenance=provenance,
        limits=limits,
    )
    write_summary(files.summary, result.summary())
    return result


def _result(
    bulk: Atoms,
    slabs: Sequence[Slab],
    ended: Sequence[Atoms],
    before: np.ndarray,
    after: np.ndarray,
    chosen: SurfaceSettings,
    *,
    converged: tuple[bool, ...],
    stopped: str | None,
    provenance: Mapping[str, object] | None,
    limits: tuple[str, ...],
) -> SurfaceEnergy:
    bulk_energy = bulk.get_potential_energy() / len(bulk)
    counts = np.array([len(slab.atoms) for slab in slabs])
    face = slabs[0].area_A2
    unrelaxed = (before - counts * bulk_energy) / (2 * face)
    # A lower face with fixed layers has the energy of an unrelaxed one.
    relaxed = (after - counts * bulk_energy) / (2 * face)
    if chosen.fixed_layers:
        relaxed = 2 * relaxed - unrelaxed
    fitted, fitted_bulk = None, math.nan
    if len(slabs) > 1:
        # With fixed layers, the upper face is the difference of two intercepts.
        series = 2 * after - before if chosen.fixed_layers else after
        line = linregress(counts, series)
        error = float(line.intercept_stderr) / (2 * face) if len(slabs) > 2 else math.nan
        fitted = Estimate(float(line.intercept) / (2 * face), error)
        fitted_bulk = float(line.slope)
    return SurfaceEnergy(
        slabs=tuple(slabs),
        atoms=tuple(each.copy() for each in ended),
        fixed_layers=chosen.fixed_layers,
        bulk_energy_eV_per_atom=bulk_energy,
        bulk_pressure_GPa=pressure_GPa(bulk),
        slab_energy_eV=after,
        unrelaxed_slab_energy_eV=before,
        unrelaxed_eV_per_A2=unrelaxed,
        relaxed_eV_per_A2=relaxed if chosen.relaxation else np.full(len(slabs), math.nan),
        fitted_eV_per_A2=fitted,
        fitted_bulk_eV_per_atom=fitted_bulk,
        converged=converged,
        stopped=stopped,
        potential_step_V=np.array([potential_step_V(each) for each in ended]),
        structure=describe_structure(bulk),
        calculator=describe_calculator(bulk.calc),
        settings=chosen.relaxation,
        provenance=plain_mapping(provenance or {}),
        limits=limits,
    )

"""Adsorption: energy, charge transfer and change of the potential."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.build import add_adsorbate

from ase_les.model_limits import SURFACES, check_limits
from ase_les.properties.atomic_charges import optional_charges
from ase_les.properties.relaxed_parts import OnResult, refuse_variable_cell, relax_or_resume
from ase_les.properties.slab_electrostatics import POTENTIAL_NOTE, is_slab, normal_dipole
from ase_les.runs.lock import lock_output
from ase_les.runs.output import RunFiles, write_summary
from ase_les.runs.progress import NO_PROGRESS, Progress
from ase_les.runs.provenance import describe_calculator, describe_structure, plain_mapping
from ase_les.screening import recorded_scaling
from ase_les.simulation import RelaxationSettings
from ase_les.simulation.checks import check_structure
from ase_les.simulation.slab_geometry import area_A2, unit_normal
from ase_les.units import COULOMB_CONSTANT

_NET_CHARGE = 1e-3


@dataclass(frozen=True)
class Adsorption:
    r"""Energy, charge transfer and change of the potential upon adsorption.

    .. math::
        E_\mathrm{ads} = E_\mathrm{both} - E_\mathrm{slab} - E_\mathrm{molecule}, \qquad
        \Delta\Phi = -\frac{4\pi k_e}{s A} \Delta\mu_n

    where s is the ratio of physical to latent charges (`ase_les.screening`; 1 without a dielectric
    constant).

    Attributes
    ----------
    both, slab, adsorbate : Atoms
        `both` contains the atoms of the slab, followed by those of the adsorbate.
    energy_eV : float
        Negative if the molecule is bound.
    charge_gained_by_adsorbate_e, charge_gained_by_slab_e : float
        Charge of the fragment in `both` minus the charge of the separate fragment; nan without
        charges.
    dipole_change_eA : float
        Dipole of `both` minus dipole of the clean slab, along the outward normal (from the slab
        to the adsorbate). nan without charges or if the structures are not slabs.
    work_function_change_eV : float
        Change of the work function on this side (Helmholtz equation), not an absolute work
        function. The potential outside changes by the opposite.
    net_charge_e : float
        Sum of the charges of `both`: unless it is zero, the dipole depends on the origin.
    converged : bool
    calculator, provenance : mapping
    limits : tuple of str
        Notes on the limits of the model.
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
    limits: tuple[str, ...] = ()

    @property
    def notes(self) -> tuple[str, ...]:
        """Remarks on the results."""
        notes = [POTENTIAL_NOTE, *self.limits]
        if abs(self.net_charge_e) > _NET_CHARGE:
            notes.append(
                f"the charges sum to {self.net_charge_e:+.4f} e: dipoles and changes of the "
                "potential depend on the origin"
            )
        return tuple(notes)

    def summary(self) -> dict[str, object]:
        """Return the result as plain containers for YAML and JSON."""
        return {
            "task": "adsorption",
            "input": {
                "slab": describe_structure(self.slab),
                "adsorbate": describe_structure(self.adsorbate),
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
                "area_A2": area_A2(self.both),
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
    """Compute adsorption properties from three structures with calculators, without relaxation.

    Parameters
    ----------
    both : Atoms
        Atoms of the slab, followed by those of the adsorbate, in the frame of `slab`.
    converged : bool
        Recorded in the result.
    provenance : mapping, optional

    Raises
    ------
    ValueError
        If atoms or cells do not match.
    """
    numbers = np.concatenate([slab.numbers, adsorbate.numbers])
    if not np.array_equal(both.numbers, numbers):
        raise ValueError(
            "`both` must contain the atoms of the slab, followed by those of the adsorbate: "
            f"{slab.symbols} + {adsorbate.symbols}, got {both.symbols}"
        )
    if not np.allclose(both.cell[:2], slab.cell[:2], atol=1e-6):
        raise ValueError("`both` and `slab` must have the same cell vectors in the plane")
    gained_by_adsorbate, gained_by_slab, dipole, step, net = (math.nan,) * 5
    # One calculator records the scaling of the structure it calculated last.
    (joint, scaling), (of_slab, slab_scaling), (of_adsorbate, _) = (
        (optional_charges(each), recorded_scaling(each)) for each in (both, slab, adsorbate)
    )
    if joint is not None and of_slab is not None and of_adsorbate is not None:
        gained_by_adsorbate = float(joint[len(slab) :].sum() - of_adsorbate.sum())
        gained_by_slab = float(joint[: len(slab)].sum() - of_slab.sum())
        net = float(joint.sum())
        if is_slab(both):
            heights = both.positions @ unit_normal(both)
            above = heights[len(slab) :].mean() > heights[: len(slab)].mean()
            outward = 1.0 if above else -1.0
            ends = normal_dipole(both, joint), normal_dipole(slab, of_slab)
            dipole = outward * (ends[0] - ends[1])
            screened = outward * (ends[0] / scaling**2 - ends[1] / slab_scaling**2)
            step = -4 * math.pi * COULOMB_CONSTANT * screened / area_A2(both)
    return Adsorption(
        both=both.copy(),
        slab=slab.copy(),
        adsorbate=adsorbate.copy(),
        energy_eV=both.get_potential_energy()
        - slab.get_potential_energy()
        - adsorbate.get_potential_energy(),
        charge_gained_by_adsorbate_e=gained_by_adsorbate,
        charge_gained_by_slab_e=gained_by_slab,
        dipole_change_eA=dipole,
        work_function_change_eV=step,
        net_charge_e=net,
        converged=converged,
        calculator=describe_calculator(both.calc),
        provenance=plain_mapping(provenance or {}),
        limits=check_limits(both.calc, both, uses=(SURFACES,), beyond_limits=True),
    )


@dataclass(frozen=True)
class AdsorptionSettings:
    """Settings of an adsorption calculation.

    Parameters
    ----------
    height_A : float
        Height of the anchor atom above the highest atom of the slab.
    site_A : two floats
        x and y of the anchor atom in Å.
    anchor : int
        Index in the adsorbate.
    relaxation : RelaxationSettings or None
        None: compare the structures without relaxation.
    beyond_limits : bool
        Allow calculations beyond the limits of the model, see `ase_les.model_limits`.
    """

    height_A: float = 2.0
    site_A: Sequence[float] = (0.0, 0.0)
    anchor: int = 0
    relaxation: RelaxationSettings | None = RelaxationSettings()  # noqa: RUF009 - frozen
    beyond_limits: bool = False

    def __post_init__(self) -> None:
        refuse_variable_cell(self.relaxation)


@lock_output
def adsorb(
    slab: Atoms,
    adsorbate: Atoms,
    *,
    output: str | Path = "adsorption",
    resume: bool = False,
    overwrite: bool = False,
    progress: Progress = NO_PROGRESS,
    on_result: OnResult | None = None,
    provenance: Mapping[str, object] | None = None,
    **settings: Any,
) -> Adsorption:
    """Add a molecule to a slab, relax slab, molecule and both, and compare them.

    Parameters
    ----------
    slab : Atoms
        With a calculator; its constraints are respected.
    adsorbate : Atoms
        In the orientation of adsorption; the separate molecule is relaxed without periodic
        directions.
    output : str or Path
        Stem of ``<output>-summary.yml``, and of the files of three relaxations,
        ``<output>-slab.traj``, ``-molecule.traj``, ``-both.traj`` and so on.
    resume : bool
        Continue each relaxation from its last checkpoint.
    overwrite : bool
        Replace an earlier calculation.
    on_result : callable, optional
        Called with the result of each relaxation.
    provenance : mapping, optional
        Origin of structure and calculator in plain containers.
    **settings
        See `AdsorptionSettings`.

    Raises
    ------
    ValueError
        If slab, molecule or a setting is invalid, or a relaxation was stopped.
    FileExistsError
        If an earlier calculation would be lost.
    """
    chosen = AdsorptionSettings(**settings)
    check_structure(slab)
    if not is_slab(slab):
        raise ValueError(
            f"a slab needs pbc (True, True, False), got {slab.pbc.tolist()}; set `atoms.pbc`"
        )
    check_limits(slab.calc, slab, uses=(SURFACES,), beyond_limits=chosen.beyond_limits)
    files = RunFiles(Path(output))
    parts = ("slab", "molecule", "both")
    stems = {part: files.named(f"-{part}") for part in parts}
    files.prepare_parts(list(stems.values()), overwrite or resume)

    molecule = adsorbate.copy()
    molecule.pbc = False
    clean_slab = slab.copy()
    finished: dict[str, Atoms] = {}
    converged = True
    for part in parts:
        if part == "both":
            start = _with_adsorbate(finished["slab"], adsorbate, chosen)
        else:
            start = clean_slab if part == "slab" else molecule
        start.calc = slab.calc
        end, reached, stopped = relax_or_resume(
            start,
            stems[part],
            chosen.relaxation,
            resume=resume,
            overwrite=overwrite,
            progress=progress,
            on_result=on_result,
            provenance=provenance,
        )
        if stopped is not None:
            raise ValueError(f"{stems[part].name}: {stopped}. Finished relaxations are kept")
        converged &= reached
        finished[part] = end
    result = adsorption_of(
        finished["both"],
        finished["slab"],
        finished["molecule"],
        converged=converged,
        provenance=provenance,
    )
    write_summary(files.summary, result.summary())
    return result


def _with_adsorbate(slab: Atoms, adsorbate: Atoms, chosen: AdsorptionSettings) -> Atoms:
    combined = slab.copy()
    # ASE's record of adsorption sites may belong to a different slab.
    combined.info.pop("adsorbate_info", None)
    add_adsorbate(
        combined, adsorbate, chosen.height_A, tuple(chosen.site_A), mol_index=chosen.anchor
    )
    return combined

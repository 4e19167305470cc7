"""Adsorption: its energy, and what happens to charges and potential."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.build import add_adsorbate

from ase_les.properties.settled import refuse_cell, settled, tell
from ase_les.properties.slab_electrostatics import (
    POTENTIAL_NOTE,
    charges_of,
    is_slab,
    normal,
    normal_dipole,
)
from ase_les.properties.slabs import area
from ase_les.reports import figures, terminal
from ase_les.runs.output import RunFiles, write_summary
from ase_les.runs.provenance import describe_calculator, describe_structure, plain
from ase_les.screening import recorded_scaling
from ase_les.simulation import RelaxationSettings
from ase_les.simulation.checks import check_structure
from ase_les.units import COULOMB_CONSTANT

_NET_CHARGE = 1e-3


@dataclass(frozen=True)
class Adsorption:
    r"""What a surface and a molecule gain and exchange when they meet.

    .. math::
        E_\mathrm{ads} = E_\mathrm{both} - E_\mathrm{slab} - E_\mathrm{molecule}, \qquad
        \Delta\Phi = -\frac{4\pi k_e}{s A} \Delta\mu_n

    with s physical over latent charges (`ase_les.screening`; 1 without a dielectric constant).

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
    outside = both.positions[len(slab) :] @ normal(both)
    outward = 1.0 if outside.mean() > (slab.positions @ normal(slab)).mean() else -1.0
    charges, scaling = [], []
    for each in (both, slab, adsorbate):
        charges.append(charges_of(each))
        scaling.append(recorded_scaling(each))
    gained, lost, dipole, step, net = (math.nan,) * 5
    if all(each is not None for each in charges):
        joint, of_slab, of_adsorbate = charges
        gained = float(joint[len(slab) :].sum() - of_adsorbate.sum())
        lost = float(joint[: len(slab)].sum() - of_slab.sum())
        net = float(joint.sum())
        if is_slab(both):
            ends = normal_dipole(both, joint), normal_dipole(slab, of_slab)
            dipole = outward * (ends[0] - ends[1])
            # The potential is that of latent charges.
            latent = outward * (ends[0] / scaling[0] - ends[1] / scaling[1])
            step = -4 * math.pi * COULOMB_CONSTANT * latent / area(both)
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
        calculator=describe_calculator(both.calc),
        provenance=plain(provenance or {}),
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
    refuse_cell(relaxation)
    if not is_slab(slab):
        raise ValueError(
            f"a slab has pbc (True, True, False), got {slab.pbc.tolist()}; set `atoms.pbc`"
        )
    files = RunFiles(Path(output))
    parts = ("slab", "molecule", "both")
    stems = {part: files.named(f"-{part}") for part in parts}
    files.prepare_parts(list(stems.values()), overwrite or resume)

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
        end, reached, stopped = settled(start, stems[part], relaxation, resume, quiet, provenance)
        if stopped is not None:
            raise ValueError(f"{stems[part].name}: {stopped}. What is done is kept")
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
    if np.isfinite(result.charge_gained_by_adsorbate_e):
        gains = (result.charge_gained_by_slab_e, result.charge_gained_by_adsorbate_e)
        figures.save_bars(
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
    tell(terminal.console(quiet), files, rows, result.notes, converged)
    return result

r"""Labels of structures: names, units, signs and locations.

====================  ======================================  =====================================
Label                 Default name, and alternatives          Unit and sign
====================  ======================================  =====================================
energy                ``REF_energy``; ASE's ``free_energy``,  eV
                      else ``energy``
forces                ``REF_forces``; ASE's ``forces``        eV/Å
stress                ``REF_stress``; ASE's ``stress``        ``stress_unit``, ``stress_sign``; by
                                                              default eV/Å³, tension positive
virial                ``REF_virial``, ``REF_virials``;        eV, minus the stress times the volume
                      ``virial``, ``virials``
dipole                ``REF_dipole``                          e Å
quadrupole            ``REF_quadrupole``                      e Å²
Born charges          ``REF_born_effective_charges``          e
polarizability        ``REF_polarizability``                  Å³, or ``polarizability_unit_A3``
====================  ======================================  =====================================

ASE's names are those of its calculator results, in which its readers store ``energy``,
``free_energy``, ``forces``, ``stress``, ``dipole`` and others. They are used if no structure of a
file has the default name, or if they are requested by name (likewise ``virial`` and ``virials``).
With smeared electrons, forces are derivatives of the free energy. ASE's readers of DFT outputs
convert stresses: do not set unit and sign for those.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args

import numpy as np
from ase import Atoms, units
from pydantic import BeforeValidator

from ase_les.configuration import Name, Positive, Unit, configuration
from ase_les.reading.structures import listed, unused_keys

STRESS_UNITS = {
    "eV/A^3": 1.0,
    "GPa": units.GPa,
    "kbar": 0.1 * units.GPa,
    "bar": 1e-4 * units.GPa,
    "Pa": 1e-9 * units.GPa,
    "Ha/bohr^3": units.Hartree / units.Bohr**3,
    "Ry/bohr^3": units.Rydberg / units.Bohr**3,
}
"""Units of stress labels in eV/Å³."""

StressUnit = Annotated[
    Literal["eV/A^3", "GPa", "kbar", "bar", "Pa", "Ha/bohr^3", "Ry/bohr^3"],
    BeforeValidator(lambda unit: str(unit).replace("Å", "A").replace("³", "^3").replace("**", "^")),
]
StressSign = Literal["tension", "compression"]
"""Meaning of a positive stress; programs that print pressures, such as VASP, use the second."""

BornRows = Literal["polarization", "displacement"]
"""Meanings of the first Cartesian index of Born charges."""

ISOLATED_ATOM = "isolatedatom"

PolarizabilityKind = Literal["dielectric", "clausius-mossotti"]
"""Conventions for periodic structures, see `ase_les.polarizability`."""

PROPERTIES = (
    *("energy", "forces", "stress", "dipole", "quadrupole", "born_effective_charges"),
    "polarizability",
)
"""Labels that structures may have."""

_VIRIALS = ("REF_virial", "REF_virials")
_PLAIN_VIRIALS = ("virial", "virials")
# Calculator results used if a label has its default name, which no structure has.
_RESULTS = {"energy": ("free_energy", "energy"), "forces": ("forces",), "stress": ("stress",)}


@configuration
class LabelNames:
    r"""Names, units and signs of labels.

    Parameters
    ----------
    energy, forces : str
        Names in ``atoms.info`` (energy in eV) and ``atoms.arrays`` (forces in eV/Å).
    stress : str
        Name in ``atoms.info`` of stresses, 9 or 6 numbers (xx yy zz yz xz xy), of structures
        with three periodic directions. For slabs, with two, the in-plane components are read, per
        volume of the cell including vacuum; molecules and wires have no stress.
    virial : str
        Name in ``atoms.info`` of virials in eV, :math:`-V \sigma`, 9 or 6 numbers; used for
        structures without a stress.
    stress_unit : str
        Unit of stresses.
    stress_sign : str
        Positive direction, "tension" (ASE) or "compression" (VASP's output, pressures).
    dipole : str
        Name in ``atoms.info`` of dipoles in e Å, of structures without periodic
        directions; relative to the center of mass if they are charged.
    quadrupole : str
        Name in ``atoms.info`` of second moments :math:`\sum q\, r \otimes r` in e Å², nine
        numbers, relative to the center of mass, of structures without periodic directions. They are
        compared with models (traceless part), and not used for training.
    born_effective_charges : str
        Name in ``atoms.arrays`` of Born charges in e, nine per atom.
    born_rows : str
        Meaning of the rows of Born charges, "polarization" (columns are displacements) or
        "displacement". It is checked for molecules with a dipole.
    polarizability : str
        Name in ``atoms.info`` of polarizabilities, 9 or 6 numbers (xx yy zz yz xz xy), of
        molecules or cells; the symmetric part is used.
    polarizability_unit_A3 : float
        Unit of the polarizabilities in Å³: 0.148185 for atomic units, 14.39965 for e Å²/V.
    polarizability_kind : str
        Meaning for structures with three periodic directions: "dielectric",
        :math:`V(\epsilon_\infty - 1)/4\pi`, or "clausius-mossotti",
        :math:`\frac{3V}{4\pi} (\epsilon_\infty - 1)(\epsilon_\infty + 2)^{-1}`.
    """

    energy: Name = "REF_energy"
    forces: Name = "REF_forces"
    stress: Name = "REF_stress"
    virial: Name = "REF_virial"
    stress_unit: StressUnit = "eV/A^3"
    stress_sign: StressSign = "tension"
    dipole: Name = "REF_dipole"
    quadrupole: Name = "REF_quadrupole"
    born_effective_charges: Name = "REF_born_effective_charges"
    born_rows: BornRows = "polarization"
    polarizability: Name = "REF_polarizability"
    polarizability_unit_A3: Annotated[Positive, Unit("Å³")] = 1.0
    polarizability_kind: PolarizabilityKind = "dielectric"

    def is_default(self, label: str) -> bool:
        """Return whether a label has its default name."""
        return bool(getattr(self, label) == getattr(LabelNames, label))


@dataclass(frozen=True)
class LabelSources:
    """Names and units of the labels of a file.

    Parameters
    ----------
    of_results : mapping of str to str
        Names among ASE's calculator results, by label, for labels taken from there.
    virial : str
        Name of the virials.
    present : mapping of str to int
        Number of frames that have each label.
    everything : mapping of str to int
        Number of frames that have each entry, by name; results as ``ASE's NAME``.
    """

    names: LabelNames
    of_results: Mapping[str, str]
    virial: str
    n_frames: int
    present: Mapping[str, int]
    everything: Mapping[str, int]

    def value(self, atoms: Atoms, label: str) -> Any:
        """Return a label of a structure in the units and signs of this package, None if absent.

        Raises
        ------
        ValueError
            If stress and virial of a structure disagree.
        """
        found = _entry(atoms, getattr(self.names, label), label, self.of_results.get(label))
        if label != "stress":
            return found
        if found is not None:
            sign = 1.0 if self.names.stress_sign == "tension" else -1.0
            found = sign * STRESS_UNITS[self.names.stress_unit] * np.asarray(found, dtype=float)
        virial = atoms.info.get(self.virial)
        if virial is None or not atoms.cell.volume > 0:
            return found
        from_virial = -full_tensor(virial) / atoms.cell.volume
        if found is None:
            return from_virial
        _check_agreement(full_tensor(found), from_virial, self)
        return found

    def summary(self) -> str:
        """Return one line that lists used and unused entries."""
        used = []
        for label in PROPERTIES:
            if self.present.get(label):
                used.append(f"{label.replace('_', ' ')} from {self._origin(label)}")
        unused = [
            name if count == self.n_frames else f"{name} ({count} of {self.n_frames})"
            for name, count in self.everything.items()
            if name not in self._used_names()
        ]
        note = ""
        if self._has_unused_free_energy():
            note = " (forces belong to the free energy, not to this energy)"
        text = f"{self.n_frames} structures; used: {', '.join(used) or 'no label'}"
        return text + (f"; not used: {listed(unused)}" if unused else "") + note

    def absent(self, label: str) -> str:
        """Describe a missing label for a message: its name, and the entries of the file."""
        name = getattr(self.names, label)
        instead = [f"{each} ({count})" for each, count in self.everything.items()]
        return f"no structure has {label.replace('_', ' ')} '{name}'; the file has " + (
            listed(instead) or "nothing else"
        )

    def _has_unused_free_energy(self) -> bool:
        return self.names.energy == "energy" and "ASE's free_energy" in self.everything

    def _origin(self, label: str) -> str:
        name = self.of_results.get(label) or getattr(self.names, label)
        if label in self.of_results:
            name = f"ASE's {name}"
        elif label == "stress" and not self.everything.get(name):
            name = self.virial if self.everything.get(self.virial) else f"ASE's {name}"
        elif not self.everything.get(name):
            name = f"ASE's {name}"
        count = self.present[label]
        return name if count == self.n_frames else f"{name} ({count} of {self.n_frames})"

    def _used_names(self) -> set[str]:
        names = {getattr(self.names, label) for label in PROPERTIES} | {self.virial}
        results = {f"ASE's {name}" for name in self.of_results.values()}
        return names | results | {f"ASE's {name}" for name in names}


def find_labels(frames: Sequence[Atoms], names: LabelNames) -> LabelSources:
    """Locate the labels of the structures of a file.

    Raises
    ------
    ValueError
        If the stress is to be read from virials.
    """
    if "virial" in names.stress.lower():
        raise ValueError(
            f"'{names.stress}' is the name of a virial (eV), given as the name of the stress "
            f"(eV/Å³): write `virial: {names.stress}` under `data: labels:` (--virial-label)"
        )
    of_results: dict[str, str] = {}
    virial = _virial_name(frames, names)
    has_virial = any(virial in atoms.info for atoms in frames)
    for label, candidates in _RESULTS.items():
        name = getattr(names, label)
        has_label = any(_entry(atoms, name, label, None) is not None for atoms in frames)
        if has_label or not names.is_default(label) or (label == "stress" and has_virial):
            continue
        for candidate in candidates:
            if any(candidate in _results(atoms) for atoms in frames):
                of_results[label] = candidate
                break
    everything: Counter[str] = Counter()
    for atoms in frames:
        everything.update(unused_keys(atoms))
        everything.update(f"ASE's {name}" for name in _results(atoms))
    if any(is_isolated_atom(atoms) for atoms in frames):
        everything.pop("config_type", None)
    present: Counter[str] = Counter()
    for atoms in frames:
        for label in PROPERTIES:
            found = _entry(atoms, getattr(names, label), label, of_results.get(label))
            present[label] += found is not None or (label == "stress" and virial in atoms.info)
    return LabelSources(names, of_results, virial, len(frames), present, everything)


def full_tensor(values: object) -> np.ndarray:
    """Return a symmetric tensor (3, 3) given as 9 or 6 numbers (xx yy zz yz xz xy).

    Raises
    ------
    ValueError
        If there are neither 9 nor 6 numbers.
    """
    given = np.asarray(values, dtype=float).ravel()
    if given.size == 6:
        xx, yy, zz, yz, xz, xy = given
        return np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])
    if given.size != 9:
        raise ValueError(f"a stress, virial or polarizability has 9 or 6 numbers, got {given.size}")
    return given.reshape(3, 3)


def is_isolated_atom(atoms: Atoms) -> bool:
    """Return whether a structure is marked as ``config_type=IsolatedAtom``."""
    kind = str(atoms.info.get("config_type", "")).lower().replace("_", "").replace(" ", "")
    return kind == ISOLATED_ATOM and len(atoms) == 1


def _virial_name(frames: Sequence[Atoms], names: LabelNames) -> str:
    """Return the name of the virials; plain names only where energies have plain names too."""
    if not names.is_default("virial"):
        return names.virial
    has_own_energy = any(names.energy in atoms.info for atoms in frames)
    candidates = _VIRIALS if has_own_energy else _VIRIALS + _PLAIN_VIRIALS
    found = (name for name in candidates if any(name in atoms.info for atoms in frames))
    return next(found, names.virial)


def _results(atoms: Atoms) -> Mapping[str, object]:
    return getattr(atoms.calc, "results", {}) if atoms.calc is not None else {}


def _entry(atoms: Atoms, name: str, label: str, result: str | None) -> Any:
    for place in (atoms.info, atoms.arrays):
        if name in place:
            return place[name]
    # ASE moves labels with its own names into a SinglePointCalculator.
    own = {"energy": ("energy", "free_energy")}.get(label, (label,))
    key = result or (name if name in own else None)
    return None if key is None else _results(atoms).get(key)


def _check_agreement(stress: np.ndarray, from_virial: np.ndarray, sources: LabelSources) -> None:
    size = float(np.linalg.norm(from_virial))
    if size < 1e-4 or float(np.linalg.norm(stress - from_virial)) <= 0.1 * size + 1e-4:
        return
    ratio = float((stress * from_virial).sum() / (from_virial**2).sum())
    factor = STRESS_UNITS[sources.names.stress_unit]
    if sources.names.stress_sign == "compression":
        factor = -factor
    for sign in get_args(StressSign):
        for unit, size_of_unit in STRESS_UNITS.items():
            right = size_of_unit if sign == "tension" else -size_of_unit
            if abs(ratio * right / factor - 1) < 0.05:
                raise ValueError(
                    f"stress '{sources.names.stress}' and virial '{sources.virial}' disagree by a "
                    f"factor of {ratio:.4g}: the stress is in {unit}, {sign} positive. Write "
                    f"`stress_unit: {unit}` and `stress_sign: {sign}` under `data: labels:` "
                    "(--stress-unit, --stress-sign)"
                )
    raise ValueError(
        f"stress '{sources.names.stress}' and virial '{sources.virial}' disagree (ratio "
        f"{ratio:.4g}); specify only one of them"
    )

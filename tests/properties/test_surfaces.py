"""Energies of surfaces, adsorption and adhesion against counting, lattice sums and hand."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import yaml
from ase import Atoms
from ase.build import bulk, fcc100, fcc111
from ase.calculators.calculator import Calculator, all_changes
from ase.calculators.emt import EMT
from ase.filters import FrechetCellFilter
from ase.neighborlist import neighbor_list
from ase.optimize import BFGS
from ase.spacegroup import crystal

from ase_les.electrostatics import Electrostatics, ElectrostaticsConfig
from ase_les.graph import graph_from_atoms
from ase_les.neighbors import NeighborList
from ase_les.properties.adhesion import work_of_adhesion
from ase_les.properties.adsorption import adsorb, adsorption_of
from ase_les.properties.slab_electrostatics import potential_step_V
from ase_les.properties.slabs import build_slab, fix_bottom, miller_indices, terminations
from ase_les.properties.surface_energy import J_PER_M2, surface_energy
from ase_les.simulation import RelaxationSettings
from ase_les.units import COULOMB_CONSTANT

LATTICE = 4.0


class Bonds(Calculator):
    """−1 eV for each pair closer than `reach`, and `transfer` e from the lighter to the heavier."""

    implemented_properties = ["energy", "forces", "charges"]  # noqa: RUF012

    def __init__(self, reach: float, transfer: float = 0.0, rigid: dict | None = None):
        super().__init__()
        self.reach, self.transfer, self.rigid = reach, transfer, rigid or {}

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        i, j = neighbor_list("ij", atoms, self.reach)
        charges = np.array([self.rigid.get(symbol, 0.0) for symbol in atoms.symbols])
        direction = np.sign(atoms.numbers[i] - atoms.numbers[j])
        np.add.at(charges, i, -self.transfer * direction)
        self.results = {
            "energy": -0.5 * len(i),
            "forces": np.zeros((len(atoms), 3)),
            "charges": charges,
        }


class RigidIons(Calculator):
    """Nothing but the electrostatic energy of narrow charges."""

    implemented_properties = ["energy", "forces"]  # noqa: RUF012

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        sums = Electrostatics(ElectrostaticsConfig(smearing=0.5, remove_self_energy=True))
        charges = torch.tensor(np.where(atoms.numbers == 11, 1.0, -1.0)[:, None])
        energy = sums(graph_from_atoms(atoms, NeighborList(2.0)), charges)
        self.results = {"energy": float(energy), "forces": np.zeros((len(atoms), 3))}


def nearest_neighbors() -> Atoms:
    crystal = bulk("Cu", a=LATTICE, cubic=True)
    crystal.calc = Bonds(0.8 * LATTICE)
    return crystal


@pytest.mark.parametrize(
    ("indices", "broken_per_atom", "area_per_atom"),
    [((1, 0, 0), 4, 0.5), ((1, 1, 1), 3, math.sqrt(3) / 4), ((1, 1, 0), 6, math.sqrt(0.5))],
)
@pytest.mark.parametrize("orthogonal", [False, True])
def test_the_energy_of_a_face_is_that_of_its_broken_bonds(
    indices, broken_per_atom, area_per_atom, orthogonal, tmp_path
):
    """(110) cuts five bonds of the first plane and one of the second, per atom of one plane."""
    found = surface_energy(
        nearest_neighbors(),
        indices,
        layers=(3, 4, 5),
        orthogonal=orthogonal,
        relaxation=None,
        output=tmp_path / "cu",
    )
    expected = 0.5 * broken_per_atom / (area_per_atom * LATTICE**2)
    assert found.unrelaxed_eV_per_A2 == pytest.approx([expected] * 3, rel=1e-9)
    assert found.fitted_eV_per_A2.mean == pytest.approx(expected, rel=1e-9)
    assert found.J_per_m2 == pytest.approx(expected * 16.02176634, rel=1e-7)
    assert not any("slab to the thickest" in note for note in found.notes)
    assert found.potential_step_V == pytest.approx([0.0] * 3)


def test_the_face_of_rock_salt_costs_what_its_madelung_constants_say(tmp_path):
    """Planes of charge interact by the difference of the Madelung constants of crystal and plane.

    Each plane n away contributes the factor −exp(−√2 π) of the one before (first reciprocal vector
    of the checkerboard), and crosses the cut n times.
    """
    salt = bulk("NaCl", "rocksalt", a=5.64, cubic=True)
    salt.calc = RigidIons()
    found = surface_energy(
        salt, (1, 0, 0), layers=(1, 2), relaxation=None, output=tmp_path / "salt"
    )
    crystal_constant, plane_constant = 1.7475645946, 1.6155426267
    spacing = 5.64 / 2
    once = 0.5 * (crystal_constant - plane_constant) * COULOMB_CONSTANT / spacing
    factor = -math.exp(-math.sqrt(2) * math.pi)
    expected = 0.5 * once / (1 - factor) / spacing**2
    assert found.eV_per_A2 == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize(("indices", "builder"), [((1, 1, 1), fcc111), ((1, 0, 0), fcc100)])
def test_relaxed_copper_is_what_a_direct_computation_gives(indices, builder, tmp_path):
    copper = bulk("Cu", cubic=True)
    copper.calc = EMT()
    layers = 4 if indices == (1, 1, 1) else 2
    found = surface_energy(
        copper,
        indices,
        layers=(layers,),
        relaxation=RelaxationSettings(fmax=1e-3),
        output=tmp_path / "cu",
    )
    direct = builder("Cu", (1, 1, 4), a=3.61, vacuum=10, periodic=False)
    direct.calc = EMT()
    BFGS(direct, logfile=None).run(fmax=1e-3)
    area = np.linalg.norm(np.cross(*direct.cell[:2]))
    excess = direct.get_potential_energy() - len(direct) * copper.get_potential_energy() / 4
    assert found.relaxed_eV_per_A2[0] == pytest.approx(excess / (2 * area), rel=1e-4)
    assert found.relaxed_eV_per_A2[0] < found.unrelaxed_eV_per_A2[0]
    assert found.converged == (True,)
    summary = yaml.safe_load((tmp_path / "cu-summary.yml").read_text())
    assert summary["results"]["surface_energy_J_per_m2"] == pytest.approx(found.J_per_m2)
    assert any("not absolute work functions" in note for note in summary["notes"])


def test_holding_the_bottom_does_not_change_the_energy_of_the_top(tmp_path):
    """The relaxation of one face, undisturbed by the other, in a slab that is thick enough.

    Of a crystal at its own lattice constant: the inside of a strained one would relax as well.
    """
    copper = bulk("Cu", cubic=True)
    copper.calc = EMT()
    BFGS(FrechetCellFilter(copper), logfile=None).run(fmax=1e-4)
    common = {"layers": (5,), "relaxation": RelaxationSettings(fmax=1e-3)}
    free = surface_energy(copper, (1, 0, 0), output=tmp_path / "free", **common)
    held = surface_energy(copper, (1, 0, 0), fixed_layers=2, output=tmp_path / "held", **common)
    gain = (free.unrelaxed_eV_per_A2 - free.relaxed_eV_per_A2)[0]
    assert held.relaxed_eV_per_A2[0] == pytest.approx(free.relaxed_eV_per_A2[0], abs=0.02 * gain)
    moved = held.atoms[0].positions - held.slabs[0].atoms.positions
    assert np.abs(moved[held.slabs[0].atoms.get_tags() > 3]).max() == 0


def test_a_wrong_bulk_energy_spoils_a_slab_but_not_the_fit(tmp_path):
    """Fiorentini and Methfessel: the slope over thickness is the bulk energy that counts."""

    class Shifted(Bonds):
        def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
            super().calculate(atoms, properties, system_changes)
            self.results["energy"] += 0.05 * len(atoms) * atoms.pbc.all()

    crystal = nearest_neighbors()
    crystal.calc = Shifted(0.8 * LATTICE)
    found = surface_energy(
        crystal, (1, 0, 0), layers=(2, 3, 4), relaxation=None, output=tmp_path / "x"
    )
    expected = 4 / LATTICE**2
    assert found.fitted_eV_per_A2.mean == pytest.approx(expected, rel=1e-9)
    assert np.all(np.diff(found.unrelaxed_eV_per_A2) < -1e-4)
    assert found.fitted_bulk_eV_per_atom == pytest.approx(found.bulk_energy_eV_per_atom - 0.05)
    assert any("slab to the thickest" in note for note in found.notes)


def test_an_interrupted_surface_goes_on_to_the_result_it_would_have_had(tmp_path):
    copper = bulk("Cu", cubic=True)
    copper.calc = EMT()
    common = {"layers": (2,), "output": tmp_path / "cu"}
    short = RelaxationSettings(fmax=1e-3, steps=1)
    first = surface_energy(copper, (1, 0, 0), relaxation=short, **common)
    assert first.converged == (False,)
    with pytest.raises(FileExistsError, match="--resume"):
        surface_energy(copper, (1, 0, 0), relaxation=short, **common)
    long = RelaxationSettings(fmax=1e-3, steps=50)
    again = surface_energy(copper, (1, 0, 0), relaxation=long, resume=True, **common)
    common["output"] = tmp_path / "whole"
    whole = surface_energy(copper, (1, 0, 0), relaxation=long, **common)
    assert again.converged == (True,)
    assert again.slab_energy_eV[0] == whole.slab_energy_eV[0] < first.slab_energy_eV[0]
    assert again.unrelaxed_slab_energy_eV[0] == whole.unrelaxed_slab_energy_eV[0]
    loose = RelaxationSettings(fmax=1e-2, steps=60)
    common["output"] = tmp_path / "cu"
    with pytest.raises(ValueError, match="fmax"):
        surface_energy(copper, (1, 0, 0), relaxation=loose, resume=True, **common)


def test_an_earlier_surface_is_replaced_with_its_relaxations(tmp_path):
    copper = bulk("Cu", cubic=True)
    copper.calc = EMT()
    common = {"layers": (2,), "output": tmp_path / "cu"}
    relaxation = RelaxationSettings(fmax=0.5)
    first = surface_energy(copper, (1, 0, 0), relaxation=relaxation, **common)
    with pytest.raises(FileExistsError):
        surface_energy(copper, (1, 0, 0), relaxation=relaxation, **common)
    again = surface_energy(copper, (1, 0, 0), relaxation=relaxation, overwrite=True, **common)
    assert again.J_per_m2 == first.J_per_m2


def test_a_negative_surface_energy_is_noted(tmp_path):
    """Bonds that repel: every broken one gains energy."""

    class Repelling(Bonds):
        def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
            super().calculate(atoms, properties, system_changes)
            self.results["energy"] *= -1

    notes = []
    for kind in (Bonds, Repelling):
        crystal = nearest_neighbors()
        crystal.calc = kind(0.8 * LATTICE)
        result = surface_energy(
            crystal, (1, 0, 0), layers=(2,), relaxation=None, output=tmp_path / kind.__name__
        )
        notes.append([note for note in result.notes if "negative" in note])
    assert notes[0] == []
    assert len(notes[1]) == 1
    assert yaml.safe_load((tmp_path / "Repelling-summary.yml").read_text())["notes"][1] in notes[1]


def test_limits_of_the_card_stand_among_the_notes(tmp_path):
    crystal = nearest_neighbors()
    settings = {"layers": (2,), "relaxation": None}
    for name, card in {"with": {"limits": "no melt"}, "without": {}}.items():
        crystal.calc.model = SimpleNamespace(card=card)
        notes = surface_energy(crystal, (1, 0, 0), output=tmp_path / name, **settings).notes
        assert ("limits of the model: no melt" in notes) == (name == "with")
    crystal.calc.model = SimpleNamespace(card={"named_limits": {"surfaces": "crystals only"}})
    with pytest.raises(ValueError, match="crystals only"):
        surface_energy(crystal, (1, 0, 0), output=tmp_path / "refused", **settings)
    assert not list(tmp_path.glob("refused*"))
    notes = surface_energy(
        crystal, (1, 0, 0), output=tmp_path / "allowed", beyond_limits=True, **settings
    ).notes
    assert any("exceeds the limits of the model" in note for note in notes)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ((1, 0, -1, 0), (1, 0, 0)),
        ((1, 1, -2, 0), (1, 1, 0)),
        ((2, -1, -1, 2), (2, -1, 2)),
        ((0, 0, 0, 2), (0, 0, 1)),
        ((2, 0, 0), (1, 0, 0)),
    ],
)
def test_four_indices_are_those_of_a_hexagonal_cell(given, expected):
    wurtzite = bulk("ZnO", "wurtzite", a=3.25, c=5.2)
    assert miller_indices(wurtzite, given) == expected
    four, three = (build_slab(wurtzite, each, layers=2) for each in (given, expected))
    np.testing.assert_allclose(four.atoms.positions, three.atoms.positions)


@pytest.mark.parametrize(
    ("cell", "given", "message"),
    [
        ("wurtzite", (1, 0, 1, 0), r"need i = -\(h \+ k\) = -1, got i = 1"),
        ("wurtzite", (0, 0, 0, 0), "not all zero"),
        ("wurtzite", (1, 0), "three integers"),
        ("cubic", (1, 0, -1, 0), "hexagonal cell"),
        ("primitive", (1, 0, -1, 0), "hexagonal cell"),
    ],
)
def test_indices_that_name_no_plane_are_refused(cell, given, message):
    crystals = {
        "wurtzite": bulk("ZnO", "wurtzite", a=3.25, c=5.2),
        "cubic": bulk("Cu", cubic=True),
        "primitive": bulk("NaCl", "rocksalt", a=5.6),
    }
    with pytest.raises(ValueError, match=message):
        miller_indices(crystals[cell], given)


def rutile() -> Atoms:
    sites = [(0, 0, 0), (0.305, 0.305, 0)]
    cell = [4.59, 4.59, 2.96, 90, 90, 90]
    return crystal(["Ti", "O"], sites, spacegroup=136, cellpar=cell)


def test_rutile_is_cut_between_its_neutral_triple_planes():
    """The known (110) face: bridging oxygen outside on both sides, the formula kept."""
    slab = build_slab(rutile(), (1, 1, 0), layers=3)
    assert slab.symmetric
    assert (slab.bottom, slab.top) == ("O", "O")
    assert slab.area_A2 == pytest.approx(2.96 * 4.59 * math.sqrt(2))
    assert slab.atoms.get_chemical_formula() == "O12Ti6"
    assert slab.atoms.pbc.tolist() == [True, True, False]


def test_no_cut_of_a_polar_face_is_symmetric():
    salt = bulk("NaCl", "rocksalt", a=5.64, cubic=True)
    cuts = terminations(salt, (1, 1, 1), layers=2)
    assert {(cut.bottom, cut.top) for cut in cuts} == {("Na", "Cl"), ("Cl", "Na")}
    assert not any(cut.symmetric for cut in cuts)
    assert all(cut.atoms.symbols.count("Na") == cut.atoms.symbols.count("Cl") for cut in cuts)


@pytest.mark.parametrize("indices", [(1, 0, 1), (2, 1, 0), (1, 1, 1), (0, 0, 1)])
@pytest.mark.parametrize("orthogonal", [False, True])
def test_a_slab_is_a_piece_of_the_crystal(indices, orthogonal):
    """Every atom in the middle has the distances that it has in the bulk."""

    def distances(atoms, which):
        i, d = neighbor_list("id", atoms, 3.6)
        return {a: np.sort(d[i == a]) for a in which}

    crystal_cell = rutile()
    bulk_atoms = distances(crystal_cell, range(len(crystal_cell)))
    atoms = build_slab(crystal_cell, indices, layers=5, orthogonal=orthogonal).atoms
    if orthogonal:
        assert atoms.cell[0] @ atoms.cell[1] == pytest.approx(0, abs=1e-8)
    heights = atoms.positions[:, 2]
    middle = np.flatnonzero((heights > heights.min() + 3.7) & (heights < heights.max() - 3.7))
    assert len(middle)
    kinds = {crystal_cell.numbers[i]: bulk_atoms[i] for i in bulk_atoms}
    for atom, found in distances(atoms, middle).items():
        assert found == pytest.approx(kinds[atoms.numbers[atom]], abs=1e-6)


def test_layers_are_counted_from_the_top_and_held_from_the_bottom():
    slab = build_slab(bulk("Cu", cubic=True), (1, 0, 0), layers=3).atoms
    assert slab.get_tags().tolist() == [3, 3, 2, 2, 1, 1]
    assert fix_bottom(slab, 1).constraints[0].index.tolist() == [0, 1]
    with pytest.raises(ValueError, match="0 to 2"):
        fix_bottom(slab, 3)


def test_adsorption_counts_bonds_charge_and_dipole():
    """One bond of −1 eV carries 0.3 e over 1.5 Å; hydrogen is lighter, so it loses electrons."""
    slab = fcc100("Cu", (2, 2, 1), a=8.0, vacuum=6, periodic=False)
    slab.pbc = (True, True, False)
    slab.calc = Bonds(2.0, transfer=0.3)
    atom = Atoms("H", calculator=slab.calc)
    both = slab + Atoms("H", [slab.positions[0] + (0, 0, 1.5)])
    both.calc = slab.calc
    found = adsorption_of(both, slab, atom)
    assert found.energy_eV == pytest.approx(-1.0)
    assert found.charge_gained_by_adsorbate_e == pytest.approx(0.3)
    assert found.charge_gained_by_slab_e == pytest.approx(-0.3)
    assert found.dipole_change_eA == pytest.approx(0.45)
    area = np.linalg.norm(np.cross(*slab.cell[:2]))
    # e/ε0 is 180.9513 V Å; positive charge outside makes leaving easier.
    assert found.work_function_change_eV == pytest.approx(-180.9513 * 0.45 / area, rel=1e-6)


class Screened(Bonds):
    """The same latent charges, given as physical ones of a medium of ε∞ = 4."""

    implemented_properties = [*Bonds.implemented_properties, "dielectric_tensor"]  # noqa: RUF012

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        dielectric = 4.0 if atoms.pbc.any() else 1.0
        self.results["charges"] = np.sqrt(dielectric) * self.results["charges"]
        self.results["dielectric_tensor"] = dielectric * np.eye(3)


def test_charges_dipoles_and_potentials_are_physical():
    slab = fcc100("Cu", (2, 2, 1), a=8.0, vacuum=6, periodic=False)
    slab.pbc = (True, True, False)
    both = slab + Atoms("H", [slab.positions[0] + (0, 0, 1.5)])
    found = []
    for kind in (Bonds, Screened):
        both.calc = slab.calc = kind(2.0, transfer=0.3)
        found.append(adsorption_of(both, slab, Atoms("H", calculator=slab.calc)))
    plain, screened = found
    assert screened.charge_gained_by_adsorbate_e == pytest.approx(0.6)
    assert screened.dipole_change_eA == pytest.approx(0.9)
    assert screened.work_function_change_eV == pytest.approx(plain.work_function_change_eV / 2)
    steps = []
    for kind in (Bonds, Screened):
        both.calc = kind(2.0, transfer=0.3)
        steps.append(potential_step_V(both))
    assert abs(steps[0]) > 0.1
    assert steps[1] == pytest.approx(steps[0] / 2)


def test_the_sign_of_the_dipole_follows_the_side_of_the_molecule():
    slab = fcc100("Cu", (2, 2, 1), a=8.0, vacuum=6, periodic=False)
    slab.pbc = (True, True, False)
    slab.calc = Bonds(2.0, transfer=0.3)
    atom = Atoms("H", calculator=slab.calc)
    below = slab + Atoms("H", [slab.positions[0] - (0, 0, 1.5)])
    below.calc = slab.calc
    assert adsorption_of(below, slab, atom).dipole_change_eA == pytest.approx(0.45)


def test_adsorbing_relaxes_and_writes(tmp_path):
    """Nitrogen atoms bind to copper in EMT; the same by hand."""
    slab = fcc100("Cu", (1, 1, 2), vacuum=8, periodic=False)
    slab.pbc = (True, True, False)
    slab.calc = EMT()
    fixed = fix_bottom(slab, 1)
    fixed.calc = slab.calc
    settings = RelaxationSettings(fmax=0.01, steps=100)
    found = adsorb(
        fixed,
        Atoms("N"),
        height_A=1.2,
        relaxation=settings,
        output=tmp_path / "n",
    )
    clean = fixed.copy()
    clean.calc = EMT()
    BFGS(clean, logfile=None).run(fmax=0.01)
    both = clean + Atoms("N", [clean.positions[clean.positions[:, 2].argmax()] * (0, 0, 1)])
    both.positions[-1, 2] += 1.2
    both.set_constraint(clean.constraints)
    both.calc = EMT()
    BFGS(both, logfile=None).run(fmax=0.01)
    alone = Atoms("N", calculator=EMT()).get_potential_energy()
    expected = both.get_potential_energy() - clean.get_potential_energy() - alone
    assert found.energy_eV == pytest.approx(expected, abs=1e-4)
    assert math.isnan(found.charge_gained_by_adsorbate_e)
    summary = yaml.safe_load((tmp_path / "n-summary.yml").read_text())
    assert summary["results"]["adsorption_energy_eV"] == pytest.approx(found.energy_eV)
    assert summary["results"]["work_function_change_eV"] is None


def test_a_sum_of_charges_that_is_not_zero_is_told():
    slab = fcc100("Cu", (1, 1, 1), vacuum=6, periodic=False)
    slab.pbc = (True, True, False)
    slab.calc = Bonds(2.0, rigid={"Cu": 0.01})
    both = slab + Atoms("H", [slab.positions[0] + (0, 0, 1.5)])
    both.calc = slab.calc
    found = adsorption_of(both, slab, Atoms("H", calculator=slab.calc))
    assert any("+0.0100 e" in note for note in found.notes)


@pytest.mark.parametrize(("open_normal", "interfaces"), [(True, 1), (False, 2)])
def test_work_of_adhesion_is_that_of_the_bonds_across(open_normal, interfaces):
    """Two simple cubic blocks: one bond of 1 eV per 4 Å² across each interface."""
    block = Atoms("Cu", cell=[2, 2, 2], pbc=True) * (2, 2, 2)
    other = Atoms("Ag", cell=[2, 2, 2], pbc=True) * (2, 2, 2)
    other.positions[:, 2] += 4.0
    joined = block + other
    joined.set_cell([4, 4, 8])
    joined.pbc = (True, True, not open_normal)
    joined.calc = Bonds(2.1, transfer=0.2)
    found = work_of_adhesion(joined, np.flatnonzero(joined.numbers == 29))
    assert found.interfaces == interfaces
    assert found.eV_per_A2 == pytest.approx(0.25)
    assert found.J_per_m2 == pytest.approx(0.25 * J_PER_M2)
    assert found.charge_gained_by_first_e == pytest.approx(0.2 * 4 * interfaces)
    if open_normal:
        # 0.2 e per 4 Å² taken over 2 Å from silver above to copper below.
        assert found.potential_step_change_V == pytest.approx(-180.9513 * 0.2 * 2 / 4, rel=1e-6)
    else:
        assert math.isnan(found.potential_step_change_V)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"indices": (0, 0, 0)}, "not all zero"),
        ({"layers": ()}, "at least one thickness"),
        ({"layers": (0,)}, "at least 1"),
        ({"termination": 9}, "0 to 1"),
        ({"fixed_layers": 2}, "0 to 1"),
        ({"vacuum_A": 0}, "vacuum_A"),
        ({"relaxation": RelaxationSettings(cell="full")}, "cell='fixed'"),
    ],
)
def test_impossible_settings_are_refused_before_anything_is_written(change, message, tmp_path):
    arguments = {"indices": (1, 0, 0), "layers": (2,), "output": tmp_path / "x", **change}
    with pytest.raises(ValueError, match=message):
        surface_energy(nearest_neighbors(), **arguments)
    assert not list(tmp_path.iterdir())

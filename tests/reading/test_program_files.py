"""What files of other programs state besides the structure: charges, labels, elements, cells."""

import ase
import numpy as np
import pytest
from ase.build import bulk, molecule
from ase.db import connect
from ase.io import write

from ase_les.reading.files import read_file
from ase_les.reading.labels import LabelNames, find_labels
from ase_les.reading.program_charges import stated_charge

QUANTUM_ESPRESSO = """&CONTROL
 calculation = 'scf'
/
&SYSTEM
 ibrav=0, nat=2, ntyp=2, ecutwfc=40, {charge}
/
&ELECTRONS
/
ATOMIC_SPECIES
Na 22.99 na.upf
Cl 35.45 cl.upf
K_POINTS gamma
CELL_PARAMETERS angstrom
20 0 0
0 20 0
0 0 20
ATOMIC_POSITIONS angstrom
Na 0 0 0
Cl 0 0 2.5
"""
GAUSSIAN = """%chk=a.chk
#P PBE/def2svp

hydroxide

-1 1
O 0.0 0.0 0.0
H 0.0 0.0 0.97

"""
MOL = """hydroxide
  x

  2  1  0  0  0  0            999 V2000
    0.0000    0.0000    0.0000 O   0  {code}  0  0  0  0  0  0  0  0  0  0
    0.0000    0.0000    0.9700 H   0  0  0  0  0  0  0  0  0  0  0  0
  1  2  1  0  0  0  0
{property}M  END
"""
DUMP = """ITEM: TIMESTEP
0
ITEM: NUMBER OF ATOMS
3
ITEM: BOX BOUNDS pp pp pp
0 10
0 10
0 10
ITEM: ATOMS id type x y z{columns}
1 1 5 5 5{rows[0]}
2 2 5.96 5 5{rows[1]}
3 2 4.76 5.93 5{rows[2]}
"""


@pytest.mark.parametrize(
    ("name", "text", "charge"),
    [
        ("pw.in", QUANTUM_ESPRESSO.format(charge="tot_charge = 1.0"), 1),
        ("d.in", QUANTUM_ESPRESSO.format(charge="tot_charge=-1.0d0, nspin=2"), -1),
        ("neutral.in", QUANTUM_ESPRESSO.format(charge="nspin=1 ! tot_charge = 1"), 0),
        ("oh.com", GAUSSIAN, -1),
        ("oh.sdf", MOL.format(code="0", property="M  CHG  1   1  -1\n"), -1),
        ("old.sdf", MOL.format(code="5", property=""), -1),
        ("neutral.sdf", MOL.format(code="0", property=""), 0),
    ],
)
def test_the_charge_that_an_input_states_is_read_and_said(tmp_path, name, text, charge):
    (tmp_path / name).write_text(text)
    found = read_file(tmp_path / name)
    assert found.last.info.get("charge", 0) == charge
    assert any(f"total charge {charge:+d} e" in line for line in found.notes.lines()) == bool(
        charge
    )
    given = read_file(tmp_path / name, charge=2)
    assert given.last.info["charge"] == 2


@pytest.mark.parametrize(
    ("kind", "text", "charge"),
    [
        ("gaussian-out", " Charge = -2 Multiplicity = 1\n", -2),
        ("orca-output", " Total Charge           Charge          ....   -1\n", -1),
        ("nwchem-in", "title x\ncharge 1\ngeometry\nend\n", 1),
        ("gpaw-out", "Densities:\n  Total Charge: 1.000000\n", 1),
        (
            "vasp-out",
            "   ions per type =               4   4\n  Ionic Valenz\n   ZVAL   =   1.00  7.00\n"
            "   NELECT =      33.0000    total number of electrons\n",
            -1,
        ),
        (
            "vasp-xml",
            '<i name="NELECT">     31.00000000</i>\n<rc><c>   4</c><c>Na</c><c>  22.99</c><c>  1.0'
            "</c><c> PAW</c></rc><rc><c>   4</c><c>Cl</c><c> 35.45</c><c>  7.0</c><c> PAW</c></rc>",
            1,
        ),
        (
            "espresso-out",
            "     number of atoms/cell      =            3\n"
            "     number of electrons       =        9.00\n"
            "     atomic species   valence    mass     pseudopotential\n"
            "        O1             6.00    15.99900     O ( 1.00)\n"
            "        H              1.00     1.00800     H ( 1.00)\n\n"
            "         1           O1  tau(   1) = (   0.0   0.0   0.0  )\n"
            "         2           H   tau(   2) = (   0.1   0.0   0.0  )\n"
            "         3           H   tau(   3) = (   0.0   0.1   0.0  )\n",
            -1,
        ),
    ],
)
def test_the_charge_of_outputs(tmp_path, kind, text, charge):
    (tmp_path / "output").write_text(text)
    assert stated_charge(tmp_path / "output", kind)[1] == charge


def test_neutral_outputs_of_vasp_are_neutral():
    data = ase.__path__[0] + "/test/testdata/vasp/"
    outcar = read_file(data + "OUTCAR_example_1", "vasp-out")
    xml = read_file(data + "vasprun_pstress.xml", "vasp-xml")
    assert "charge" not in outcar.last.info
    assert "charge" not in xml.last.info


def test_a_database_keeps_its_pairs_and_data(tmp_path):
    salt = bulk("NaCl", "rocksalt", a=5.64, cubic=True)
    forces = np.arange(24.0).reshape(8, 3)
    with connect(tmp_path / "salt.db") as database:
        for number in range(5):
            pairs = {"total_charge": -1, "REF_energy": -3.0 - number}
            database.write(salt, **pairs, data={"REF_forces": forces.tolist(), "note": "x"})
    found = read_file(tmp_path / "salt.db")
    assert [atoms.info["REF_energy"] for atoms in found.frames] == [-3.0, -4.0, -5.0, -6.0, -7.0]
    assert found.last.info["charge"] == -1
    np.testing.assert_array_equal(found.last.arrays["REF_forces"], forces)
    sources = find_labels(found.frames, LabelNames())
    assert sources.present["energy"] == sources.present["forces"] == 5

    def energies(selection, **options):
        chosen = read_file(f"{tmp_path}/salt.db{selection}", **options)
        assert chosen.total == 5
        return [atoms.info["REF_energy"] for atoms in chosen.frames]

    assert energies("@1:4") == [-4.0, -5.0, -6.0]
    assert energies("@::-2") == [-7.0, -5.0, -3.0]
    assert energies("@-1") == energies("", last_only=True) == [-7.0]
    assert energies("@REF_energy<-5.5") == [-6.0, -7.0]
    with pytest.raises(ValueError, match="no such structure"):
        energies("@9")


def test_types_of_a_dump_are_not_atomic_numbers(tmp_path):
    dump = tmp_path / "water.lammpstrj"
    dump.write_text(DUMP.format(columns="", rows=("", "", "")))
    with pytest.raises(ValueError, match=r"no column `element`.*lammps-dump-text:O,H"):
        read_file(dump)
    assert read_file(dump, "lammps-dump-text:O,H").last.get_chemical_formula() == "H2O"
    with pytest.raises(ValueError, match="not elements"):
        read_file(dump, "lammps-dump-text:Ox,H")
    dump.write_text(DUMP.format(columns=" element", rows=(" O", " H", " H")))
    assert read_file(dump).last.get_chemical_formula() == "H2O"


def test_a_dump_in_units_real_is_converted(tmp_path):
    dump = tmp_path / "water.lammpstrj"
    text = DUMP.format(columns=" element vx vy vz", rows=(" O 0 0 0", " H 0.01 0 0", " H 0 0 0"))
    dump.write_text("ITEM: UNITS\nreal\n" + text)
    fast = read_file(dump).last.get_velocities()[1, 0]
    dump.write_text("ITEM: UNITS\nmetal\n" + text)
    # Å/fs and Å/ps.
    assert fast == pytest.approx(1000 * read_file(dump).last.get_velocities()[1, 0])


def test_the_cell_of_a_molecule_in_a_pdb_file_is_a_placeholder(tmp_path):
    water = molecule("H2O")
    write(tmp_path / "plain.pdb", water)
    line = "CRYST1{0:9.3f}{0:9.3f}{0:9.3f}  90.00  90.00  90.00 P 1           1\n"
    for edge in (1.0, 12.0):
        text = line.format(edge) + (tmp_path / "plain.pdb").read_text()
        (tmp_path / f"{edge}.pdb").write_text(text)
    found = read_file(tmp_path / "1.0.pdb")
    assert not found.last.pbc.any()
    assert any("placeholder" in note for note in found.notes.lines())
    assert read_file(tmp_path / "12.0.pdb").last.pbc.all()

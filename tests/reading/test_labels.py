"""Labels are found where files have them, and a label that is asked for is not missed silently."""

from pathlib import Path

import pytest
from ase import units
from ase.build import bulk
from ase.calculators.morse import MorsePotential
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import write
from ase.stress import voigt_6_to_full_3x3_stress

from ase_les.configuration import from_mapping
from ase_les.reading import read_file
from ase_les.reading.labels import LabelNames, find_labels
from ase_les.training.learning.labeled_files import check_names, read_labeled
from ase_les.training.learning.train import TrainingConfig, train

KBAR = 0.1 * units.GPa


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def crystals(count=6):
    """Rattled cells of different sizes, with energy, forces and stress of a Morse potential."""
    made = []
    for index in range(count):
        atoms = bulk("NaCl", "rocksalt", a=5.6 + 0.02 * index, cubic=True)
        atoms.rattle(0.05, seed=index)
        atoms.calc = MorsePotential(epsilon=0.3, r0=2.8, rho0=4.0, rcut1=4.0, rcut2=4.5)
        labels = (atoms.get_potential_energy(), atoms.get_forces(), atoms.get_stress())
        atoms.calc = None
        made.append((atoms, *labels))
    return made


def labeled_crystals(**info):
    """Frames with REF_energy, REF_forces and what functions of stress and volume add."""
    frames = []
    for atoms, energy, forces, stress in crystals():
        atoms.info["REF_energy"] = energy
        atoms.arrays["REF_forces"] = forces
        for name, value in info.items():
            atoms.info[name] = value(stress, atoms.get_volume())
        frames.append(atoms)
    return frames


def config(labels=None, stress=0.0, **model):
    weights = {"energy": 1.0, "forces": 1.0, "stress": stress}
    representation = {"cutoff": 3.5, "n_radial": 2, "n_mixed": 2, "n_embedding": 1}
    return from_mapping(
        TrainingConfig,
        {
            "data": {"training": "d.extxyz", "validation": 0.2, "labels": labels or {}},
            "model": {
                "representation": {**representation, "l_max": 1, "nu_max": 1},
                "long_range": None,
                **model,
            },
            "fit": {"epochs": 1, "loss": weights, "final_loss": weights},
        },
    )


def as_ase_reads_vasp():
    """Energies extrapolated to no smearing, and the free energy, whose derivatives forces are."""
    frames = []
    for atoms, energy, forces, stress in crystals():
        atoms.calc = SinglePointCalculator(
            atoms, energy=energy + 0.1, free_energy=energy, forces=forces, stress=stress
        )
        frames.append(atoms)
    write("d.extxyz", frames)
    return frames


@pytest.mark.parametrize("names", [{}, {"energy": "free_energy", "forces": "forces"}])
def test_labels_that_ase_moved_into_results_are_found(names):
    frames = as_ase_reads_vasp()
    file = read_labeled("d.extxyz", 3.5, LabelNames(**names))
    for sample, atoms in zip(file.samples, frames, strict=True):
        assert sample.energy[0] == pytest.approx(atoms.calc.results["free_energy"])
        assert sample.forces.numpy() == pytest.approx(atoms.calc.results["forces"], abs=1e-7)
        full = voigt_6_to_full_3x3_stress(atoms.calc.results["stress"])
        assert sample.stress[0].numpy() == pytest.approx(full, abs=1e-7)
    assert "energy from ASE's free_energy" in file.notes[0]
    assert "not used: ASE's energy" in file.notes[0]


def test_a_name_that_is_asked_for_wins_over_the_free_energy():
    frames = as_ase_reads_vasp()
    file = read_labeled("d.extxyz", 3.5, LabelNames(energy="energy"))
    assert file.samples[0].energy[0] == pytest.approx(frames[0].calc.results["energy"])


def test_a_label_with_a_weight_that_no_structure_has_is_refused():
    frames = labeled_crystals()
    for atoms in frames:
        atoms.info["dft_energy"] = atoms.info.pop("REF_energy")
    write("d.extxyz", frames)
    with pytest.raises(ValueError, match=r"weight for `energy`.*'REF_energy'.*dft_energy \(6\)"):
        train(config())
    assert list(Path().iterdir()) == [Path("d.extxyz")]
    train(config({"energy": "dft_energy"}))


def test_a_weight_for_stress_needs_stresses():
    write("d.extxyz", labeled_crystals())
    with pytest.raises(ValueError, match=r"weight for `stress`.*REF_stress.*stress: 0\.0"):
        train(config(stress=1.0))


def test_evaluate_refuses_a_name_that_no_structure_has():
    write("d.extxyz", labeled_crystals())
    with pytest.raises(ValueError, match="no structure has energy 'dft'"):
        check_names(read_labeled("d.extxyz", 3.5, LabelNames(energy="dft")))
    check_names(read_labeled("d.extxyz", 3.5, LabelNames()))


@pytest.mark.parametrize("name", ["REF_virial", "REF_virials", "my_virial"])
@pytest.mark.parametrize("shape", [(3, 3), (9,), (6,)])
def test_virials_are_minus_stress_times_volume(name, shape):
    def virial(stress, volume):
        full = -voigt_6_to_full_3x3_stress(stress) * volume
        return -stress * volume if shape == (6,) else full.reshape(shape)

    write("d.extxyz", labeled_crystals(**{name: virial}))
    names = LabelNames(virial=name) if name == "my_virial" else LabelNames()
    file = read_labeled("d.extxyz", 3.5, names)
    for sample, (_, _, _, stress) in zip(file.samples, crystals(), strict=True):
        expected = voigt_6_to_full_3x3_stress(stress)
        assert sample.stress[0].numpy() == pytest.approx(expected, abs=1e-8)
    assert f"stress from {name}" in file.notes[0]


def test_the_virial_that_ase_knows_is_read_where_ase_knows_the_energy():
    frames = as_ase_reads_vasp()
    for atoms in frames:
        stress = atoms.calc.results.pop("stress")
        atoms.info["virial"] = -voigt_6_to_full_3x3_stress(stress) * atoms.get_volume()
    write("d.extxyz", frames)
    file = read_labeled("d.extxyz", 3.5, LabelNames())
    expected = voigt_6_to_full_3x3_stress(crystals()[0][3])
    assert file.samples[0].stress[0].numpy() == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize(
    ("unit", "sign", "factor"),
    [
        ("eV/A^3", "tension", 1.0),
        ("eV/Å³", "tension", 1.0),
        ("GPa", "tension", 160.21766208),
        ("kbar", "compression", -1602.1766208),
    ],
)
def test_units_and_signs_of_stress(unit, sign, factor):
    write("d.extxyz", labeled_crystals(REF_stress=lambda stress, volume: factor * stress))
    names = LabelNames(stress_unit=unit, stress_sign=sign)
    file = read_labeled("d.extxyz", 3.5, names)
    expected = voigt_6_to_full_3x3_stress(crystals()[0][3])
    assert file.samples[0].stress[0].numpy() == pytest.approx(expected, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("given", [{"stress_unit": "MPa·s"}, {"stress_sign": "vasp"}])
def test_unknown_units_and_signs_are_refused(given):
    with pytest.raises(ValueError, match="needed: one of"):
        LabelNames(**given)


def test_stresses_that_no_material_bears_are_refused():
    write("d.extxyz", labeled_crystals(REF_stress=lambda s, v: -s / KBAR))
    with pytest.raises(ValueError, match=r"no material can sustain.*kbar.*stress_unit"):
        read_labeled("d.extxyz", 3.5, LabelNames())


def test_stress_and_virial_that_disagree_name_the_unit():
    write(
        "d.extxyz",
        labeled_crystals(REF_stress=lambda s, v: -s / KBAR, REF_virial=lambda s, v: -s * v),
    )
    with pytest.raises(ValueError, match="in kbar, compression positive"):
        read_labeled("d.extxyz", 3.5, LabelNames())


def test_a_virial_given_as_a_stress_is_refused():
    write("d.extxyz", labeled_crystals(REF_virials=lambda s, v: -s * v))
    with pytest.raises(ValueError, match="write `virial: REF_virials`"):
        read_labeled("d.extxyz", 3.5, LabelNames(stress="REF_virials"))


def with_isolated_atoms(**info):
    atoms = "".join(
        f'1\nProperties=species:S:1:pos:R:3 REF_energy={energy} config_type=IsolatedAtom pbc="F F '
        f'F" {" ".join(f"{k}={v}" for k, v in info.items())}\n{symbol} 0.0 0.0 0.0\n'
        for symbol, energy in (("Na", -1.3), ("Cl", -4.1))
    )
    frames = labeled_crystals()
    for frame in frames:
        frame.info["REF_energy"] += 4 * (-1.3 - 4.1)
    write("d.extxyz", frames)
    Path("d.extxyz").write_text(atoms + Path("d.extxyz").read_text())


def test_isolated_atoms_are_the_atomic_energies():
    with_isolated_atoms()
    result = train(config())
    energies = result.model.config.atomic_energies
    assert energies == pytest.approx({"Na": -1.3, "Cl": -4.1}, abs=1e-12)
    assert result.card["structures"] == {"training": 5, "validation": 1, "test": 0}


def test_the_mark_of_isolated_atoms_is_used():
    with_isolated_atoms()
    told = " ".join(read_labeled("d.extxyz", 3.5, LabelNames()).notes)
    assert "config_type" not in told
    assert "isolated atoms: Na -1.3, Cl -4.1; they are excluded from the training" in told


def test_isolated_atoms_of_some_elements_leave_the_others_to_the_fit():
    with_isolated_atoms()
    text = Path("d.extxyz").read_text().split("\n")
    Path("d.extxyz").write_text("\n".join(text[3:]))
    energies = train(config()).model.config.atomic_energies
    assert energies["Cl"] == -4.1
    # Four atoms of each; one structure is set apart for validation.
    left = [each[1] - 4 * 1.3 for index, each in enumerate(crystals()) if index != 3]
    assert energies["Na"] == pytest.approx(sum(left) / len(left) / 4)


def test_isolated_atoms_leave_given_energies_alone():
    with_isolated_atoms()
    given = {"Na": -1.0, "Cl": -2.0}
    assert train(config(atomic_energies=given)).model.config.atomic_energies == given


def test_isolated_ions_are_no_atoms():
    with_isolated_atoms(charge=1)
    file = read_labeled("d.extxyz", 3.5, LabelNames())
    assert file.atomic_energies == {}
    assert any("isolated ion Na is not used" in note for note in file.notes)


def test_everything_that_is_not_used_is_told_once():
    frames = labeled_crystals()
    for atoms in frames[:2]:
        atoms.info["magmom_total"] = 1.0
    write("d.extxyz", frames)
    (line,) = read_labeled("d.extxyz", 3.5, LabelNames()).notes
    assert line == (
        "d.extxyz: 6 structures; used: energy from REF_energy, forces from REF_forces; "
        "not used: magmom_total (2 of 6)"
    )


def test_coincident_atoms_are_named_before_the_first_epoch():
    frames = labeled_crystals()
    frames[3].positions[5] = frames[3].positions[2] + 0.01
    write("d.extxyz", frames)
    with pytest.raises(ValueError, match=r"structure 3: atoms 2 \(Na\) and 5 \(Cl\) are 0\.0"):
        train(config())


def test_sources_tell_what_a_file_has():
    as_ase_reads_vasp()
    sources = find_labels(read_file("d.extxyz").frames, LabelNames(energy="nothing"))
    assert "ASE's free_energy (6)" in sources.absent("energy")

"""Tables of models say what the cards say, and nothing where they say nothing."""

from ase_les.model_cards import accuracy_table_rst, charges_table_rst, models_table_rst

CARD = {
    "summary": "salt",
    "cutoff_A": 5.0,
    "structures": {"training": 20, "validation": 3, "test": 4},
    "training": {"seconds": 600, "threads": 1},
    "test_errors": {"energy_rmse_meV_per_atom": 0.1234, "forces_rmse_meV_per_A": 12.34},
    "test_response": {"born_effective_charges_e": {"R2": 0.98765, "slope": 0.9512}},
}
TWIN = {"test_errors": {"energy_rmse_meV_per_atom": 1.5, "forces_rmse_meV_per_A": 123.4}}


def row(table: str, name: str) -> list[str]:
    (line,) = (line for line in table.splitlines() if line.startswith(name))
    return line.split("  ")


def cells(table: str, name: str) -> list[str]:
    return [cell.strip() for cell in row(table, name) if cell.strip()]


def test_a_model_stands_beside_its_twin_and_what_was_published():
    published = {"les": {"forces_rmse_meV_per_A": 9.78}}
    card = {**CARD, "short_range": TWIN, "published": published}
    assert cells(accuracy_table_rst({"nacl": card}), "nacl") == [
        *("nacl", "20 + 3, 4", "1.50", "0.12", "–", "123", "12.3", "– / 9.78"),
        *("–", "–", "0.988, 0.95", "10 min, 1 core"),
    ]


def test_what_nobody_measured_is_a_dash():
    assert cells(accuracy_table_rst({"nacl": CARD}), "nacl")[2:8] == [
        *("–", "0.12", "–", "–", "12.3", "–"),
    ]


def test_the_table_of_models_has_the_errors_of_the_test():
    assert cells(models_table_rst({"nacl": CARD}), "nacl") == [
        *("nacl", "salt", "5", "0.12", "12.3", "–", "0.988", "10 min, 1 core"),
    ]


def test_the_time_of_teachers_counts():
    card = {**CARD, "training": {"seconds": 600, "seconds_before": 1800, "threads": 1}}
    assert cells(models_table_rst({"nacl": card}), "nacl")[-1] == "40 min, 1 core"


def test_a_training_on_a_gpu_says_so():
    card = {**CARD, "training": {"seconds": 600, "threads": 1, "device": "cuda:0"}}
    assert cells(models_table_rst({"nacl": card}), "nacl")[-1] == "10 min, cuda:0"


def test_charges_stand_by_element_where_each_atom_has_one():
    charges = {
        "mean_latent_born_charge_by_element_e": {"O": -1.0821, "Mg": 1.079},
        "mean_by_element_e": {"O": -0.0104, "Mg": 0.0104},
    }
    several = {"mean_by_element_e": {"O": -0.5}}
    cards = {
        "mgo": {"charges": {**charges, "physical_over_latent": 2.0}},
        "of an earlier version": {"charges": charges, "dielectric": 4.0},
        "cluster": {"charges": charges},
        "wide": {"charges": several},
        "lj": {},
    }
    table = charges_table_rst(cards, {"mgo": "DFT: O −2.00"})
    physical = ["O −0.02, Mg 0.02", "O −2.16, Mg 2.16"]
    assert cells(table, "mgo")[1:] == [*physical, "DFT: O −2.00"]
    assert cells(table, "of an earlier version")[1:] == [*physical, "–"]
    assert cells(table, "cluster")[1:] == ["O −0.01, Mg 0.01", "O −1.08, Mg 1.08", "–"]
    assert "wide" not in table
    assert "lj" not in table

"""Tables of models for README files, made from the model cards."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

NOTHING = "–"


def models_table_rst(cards: Mapping[str, Mapping]) -> str:
    """Models and their measured errors as a reStructuredText table."""
    head = (
        *("model", "for", "cutoff / Å", "energy meV/atom", "forces meV/Å"),
        *("dipole R²", "Born charge R²", "trained in"),
    )
    rows = []
    for name, card in cards.items():
        errors, response = card.get("test_errors", {}), card.get("test_response", {})
        rows.append(
            (
                name,
                str(card["summary"]),
                f"{card['cutoff_A']:g}",
                _energy(errors),
                _forces(errors),
                _squared_correlation(response, "dipole_eA"),
                _squared_correlation(response, "born_effective_charges_e"),
                _time(card),
            )
        )
    return _simple_table(head, rows)


def accuracy_table_rst(cards: Mapping[str, Mapping]) -> str:
    """Compare each model with its short-range twin and published errors, as a table.

    Energies in meV/atom and forces in meV/Å, root-mean-square errors of held-back structures;
    R² and slope of responses that were learned from energies and forces (or from response labels,
    if stated in the card). Twins trained on other structures are omitted.
    """
    head = (
        *("model", "structures", "E short-range", "E LES", "E published"),
        *("F short-range", "F LES", "F published"),
        *("dipole R², slope", "quadrupole R², slope", "Born charges R², slope", "trained in"),
    )
    rows = []
    for name, card in cards.items():
        twin = card.get("short_range", {}).get("test_errors", {})
        errors, response = card.get("test_errors", {}), card.get("test_response", {})
        counts = card["structures"]
        rows.append(
            (
                name,
                f"{counts['training']} + {counts['validation']}, {counts.get('test', 0)}",
                _energy(twin),
                _energy(errors),
                _published(card, _energy),
                _forces(twin),
                _forces(errors),
                _published(card, _forces),
                *(
                    _agreement(response, each)
                    for each in ("dipole_eA", "quadrupole_eA2", "born_effective_charges_e")
                ),
                _time(card),
            )
        )
    return _simple_table(head, rows)


def charges_table_rst(
    cards: Mapping[str, Mapping], references: Mapping[str, str] | None = None
) -> str:
    r"""Return mean physical charges of every model by element, over training structures.

    GAPT charges :math:`\mathrm{tr}\,Z^*/3` are means over some of the structures. Both are
    :math:`\sqrt{\epsilon_\infty}` times the latent charges in the card. Models with several
    charges per atom, which are not physical charges, are omitted. Reference charges by model, as
    text, are shown beside them.
    """
    rows = []
    for name, card in cards.items():
        charges = card.get("charges", {})
        if "mean_latent_born_charge_by_element_e" in charges:
            sitting, carried = (
                charges[kind]
                for kind in ("mean_by_element_e", "mean_latent_born_charge_by_element_e")
            )
            # Cards of earlier versions have only the dielectric constant.
            scaling = charges.get("physical_over_latent", math.sqrt(card.get("dielectric", 1.0)))
            shown = (charges_by_element(each, scaling) for each in (sitting, carried))
            rows.append((name, *shown, (references or {}).get(name, NOTHING)))
    return _simple_table(("model", "charge q / e", "GAPT charge tr Z*/3 / e", "reference"), rows)


def charges_by_element(charges: Mapping[str, float], scaling: float) -> str:
    """Return charges (e), multiplied by a factor, as text."""
    # A zero has no sign.
    shown = (f"{element} {round(scaling * q, 2) + 0.0:.2f}" for element, q in charges.items())
    return ", ".join(shown).replace("-", "−")


def _energy(errors: Mapping[str, float]) -> str:
    return _number(errors.get("energy_rmse_meV_per_atom"), 3)


def _forces(errors: Mapping[str, float]) -> str:
    return _number(errors.get("forces_rmse_meV_per_A"), 3)


def _number(value: float | None, digits: int) -> str:
    # Fixed-point notation: 0.00, 1.23, 12.3, 123.
    if value is None:
        return NOTHING
    before_point = len(str(int(abs(value))))
    return f"{value:.{max(digits - before_point, 0)}f}"


def _published(card: Mapping, error) -> str:
    """Return the published errors of the short-range and the LES model."""
    published = card.get("published", {})
    both = [error(published.get(kind, {})) for kind in ("short_range", "les")]
    return NOTHING if both == [NOTHING] * 2 else " / ".join(both)


def _squared_correlation(response: Mapping, name: str) -> str:
    return f"{response[name]['R2']:.3f}" if name in response else NOTHING


def _agreement(response: Mapping, name: str) -> str:
    if name not in response:
        return NOTHING
    return f"{response[name]['R2']:.3f}, {response[name]['slope']:.2f}"


def _time(card: Mapping) -> str:
    training = card["training"]
    # Includes the training of the initial model and of the teachers.
    seconds = training["seconds"] + training.get("seconds_before", 0)
    device = training.get("device", "cpu")
    where = f"{training['threads']} core" if device == "cpu" else device
    return f"{seconds / 60:.0f} min, {where}"


def _simple_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    rule = "  ".join("=" * width for width in widths)
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in (head, *rows)]
    return "\n".join([rule, lines[0], rule, *lines[1:], rule]) + "\n"

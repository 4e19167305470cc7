"""Limits of models, as stated in their cards."""

from __future__ import annotations

from ase_les.calculator_extensions import model_card


def limits_notes(calculator: object, excluded: str = "") -> tuple[str, ...]:
    """Return a note on the limits of the calculator's model; none without stated limits.

    Parameters
    ----------
    calculator : ASE calculator
    excluded : str
        Limit that the calculation exceeds if the card contains it, such as "no surfaces".
    """
    limits = str(model_card(calculator).get("limits") or "")
    if not limits:
        return ()
    beyond = bool(excluded) and excluded in limits
    start = "this result exceeds the limits of the model" if beyond else "limits of the model"
    return (f"{start}: {limits}",)

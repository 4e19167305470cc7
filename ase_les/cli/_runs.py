"""Settings and calculators of runs that can be resumed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple

import typer

ResumedStem = Annotated[
    str | None, typer.Option(help="Continue the run of this stem.", metavar="STEM")
]


# Settings of the calculator.
_DEFAULT_DTYPE = "float32"


def given_settings(options: object, settings: Mapping[str, str]) -> dict[str, Any]:
    """Return the settings that were given as options.

    Parameters
    ----------
    options : object
        With one attribute per option.
    settings : mapping of str to str
        Names of settings by name of the option.
    """
    return {
        setting: value
        for option, setting in settings.items()
        if (value := getattr(options, option)) not in (None, [], ())
    }


class ModelOptions(NamedTuple):
    """Options for the model, device, precision, total charge and electrodes."""

    model: str | None
    device: str | None
    dtype: str | None
    charge: int | None
    electrodes: Mapping[str, Any] | None = None


def recorded_calculator(stem: str, recorded: Mapping[str, Any], given: ModelOptions) -> Any:
    """Return the calculator recorded in a run, with settings replaced by options.

    A different device, or another path of the same model, is accepted: forces are compared later.
    """
    from ase_les.cli._calculator import make_calculator

    dtype = recorded.get("dtype") or _DEFAULT_DTYPE
    if "model" in recorded and given.dtype not in (None, dtype):
        raise ValueError(
            f"run {stem} is calculated in {dtype}, got --dtype {given.dtype}: a run keeps its "
            "precision. Omit --dtype, or start a new run"
        )
    model = given.model or recorded.get("model")
    if model is None:
        raise ValueError(
            f"run {stem} was not started from the command line and has no model: give --model, or "
            "resume it in Python"
        )
    electrodes = recorded.get("electrodes")
    _check_electrodes(stem, electrodes, given.electrodes)
    return make_calculator(
        model,
        given.device or recorded.get("device", "cpu"),
        given.dtype or recorded.get("dtype"),
        **({} if electrodes is None else {"electrodes": electrodes}),
    )


def _check_electrodes(
    stem: str, recorded: Mapping[str, Any] | None, given: Mapping[str, Any] | None
) -> None:
    """Refuse to continue a run with other potentials or charges; selections are not compared."""
    from ase_les.calculator.electrodes import HELD

    values = [[(each or {}).get(name) for name in HELD] for each in (recorded, given)]
    if given is not None and values[0] != values[1]:
        raise ValueError(
            f"run {stem} has electrodes with potential_V, charge_e = {values[0]}, given "
            f"{values[1]}: a run keeps its electrodes. Omit --electrodes, or start a new run"
        )

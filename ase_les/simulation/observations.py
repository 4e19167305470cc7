"""What can be observed while atoms move, and how it is asked for.

=============  ==========================  ======================================================
Name           Files                       What
=============  ==========================  ======================================================
``current``    ``<stem>-current.npz``      J = ΣZ*v in e Å/fs (:mod:`charge_motion`)
``dipole``     ``<stem>-dipole.npz``       itinerant dipole in e Å (:mod:`charge_motion`)
``pressure``   the log                     pressure in NVE and NVT; costs the stress
``rdf``        ``<stem>-rdf.npz``, .png    radial distribution functions
``profile``    ``<stem>-profile.npz``, …   densities along an axis
``msd``        ``<stem>-msd.npz``, .png    mean-square displacements
=============  ==========================  ======================================================

Asked for by name and stride, ``{"current": 1}`` or ``["current:1"]``, or with options,
``{"rdf": {"stride": 10, "r_max_A": 6.0}}``; options are the arguments of the classes in
``ase_les.simulation.accumulators``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ase_les.runs.output import ACCUMULATED, SERIES
from ase_les.runs.provenance import plain

OBSERVABLES = (*SERIES, "pressure", *ACCUMULATED)


def canonical_observations(given: Mapping | Sequence) -> dict[str, dict[str, object]]:
    """What to observe, as a mapping of name to ``stride`` and options.

    Parameters
    ----------
    given : mapping or sequence
        Name to stride, or to a mapping with ``stride`` (1 if absent) and options; or a sequence
        of ``"name:stride"``, of names, and of such mappings.

    Raises
    ------
    ValueError
        If there is no observable of that name, or a stride is not a positive integer.
    """
    if isinstance(given, str):
        given = [given]
    if not isinstance(given, Mapping):
        merged: dict = {}
        for each in given:
            merged |= each if isinstance(each, Mapping) else dict([_named_stride(str(each))])
        given = merged
    wanted = {}
    for name, how in given.items():
        if name not in OBSERVABLES:
            raise ValueError(f"cannot observe {name!r}; there are {', '.join(OBSERVABLES)}")
        options = dict(how) if isinstance(how, Mapping) else {"stride": how}
        options.setdefault("stride", 1)
        stride = options["stride"]
        if not isinstance(stride, int) or isinstance(stride, bool) or stride < 1:
            raise ValueError(
                f"the stride of '{name}' must be an integer of at least 1, got {stride!r}"
            )
        if name not in ACCUMULATED and len(options) > 1:
            raise ValueError(f"'{name}' has a stride and no options, got {sorted(options)}")
        wanted[name] = plain(options)
    return wanted


def _named_stride(text: str) -> tuple[str, int]:
    name, _, stride = text.partition(":")
    try:
        return name, int(stride or 1)
    except ValueError:
        raise ValueError(f"observe NAME or NAME:STRIDE, such as current:1, got {text!r}") from None

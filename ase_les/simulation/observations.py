"""Observables of a dynamics run, and how to request them.

==================  =============================  ================================================
Name                Files                          Quantity
==================  =============================  ================================================
``current``         ``<stem>-current.npz``         J = ΣZ*v in e Å/fs
``dipole``          ``<stem>-dipole.npz``          itinerant dipole in e Å
``polarizability``  ``<stem>-polarizability.npz``  electronic polarizability in Å³
``spread``          ``<stem>-spread.npz``          disagreement of a committee
``layers``          ``<stem>-layers.npz``          currents and dipoles of layers
``electrodes``      ``<stem>-electrodes.npz``      charge and potential of electrodes
``pressure``        the log                        pressure in NVE and NVT; costs the stress
``rdf``             ``<stem>-rdf.npz``, .png       radial distribution functions
``profile``         ``<stem>-profile.npz``, …      densities along an axis
``msd``             ``<stem>-msd.npz``, .png       mean-square displacements
``sfg``             ``<stem>-sfg.npz``             correlations of sum-frequency generation
==================  =============================  ================================================

Requested by name and stride, ``{"current": 4}`` or ``["current:4"]``, or with options,
``{"rdf": {"stride": 10, "r_max_A": 6.0}}``; options are the arguments of the classes in
``ase_les.simulation.accumulators`` and of
`ase_les.simulation.surface_layers.SurfaceLayers`. Without a stride current, polarizability and
``sfg`` are measured about every 2 fs, which resolves vibrations up to 8300 1/cm, radial
distributions about every 20 fs, in which neighbors hardly move, the spread and electrodes every
5 fs, and everything else at every step.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.constants import speed_of_light

from ase_les.runs.output import ACCUMULATED, SERIES
from ase_les.runs.provenance import plain

OBSERVABLES = (*SERIES, "pressure", *ACCUMULATED)
DEFAULT_INTERVAL_FS = {
    "current": 2.0,
    "polarizability": 2.0,
    "rdf": 20.0,
    "spread": 5.0,
    "layers": 2.0,
    "sfg": 2.0,
    "electrodes": 5.0,
}
#: Observables with options besides the stride.
WITH_OPTIONS = (*ACCUMULATED, "layers")


def canonical_observations(given: Mapping | Sequence) -> dict[str, dict[str, object]]:
    """Return the observations as a mapping of name to options.

    Parameters
    ----------
    given : mapping or sequence
        Name to stride, or to a mapping of options, ``stride`` among them; or a sequence of
        ``"name:stride"``, of names, and of such mappings. Without ``stride`` the default is
        taken, see `with_default_strides`.

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
            merged.update(each if isinstance(each, Mapping) else [_named_stride(str(each))])
        given = merged
    observations: dict[str, dict[str, object]] = {}
    for name, request in given.items():
        if name not in OBSERVABLES:
            raise ValueError(f"cannot observe {name!r}; observables are {', '.join(OBSERVABLES)}")
        options = dict(request) if isinstance(request, Mapping) else {"stride": request}
        if name not in DEFAULT_INTERVAL_FS:
            options.setdefault("stride", 1)
        stride = options.get("stride", 1)
        if not isinstance(stride, int | np.integer) or isinstance(stride, bool) or stride < 1:
            raise ValueError(
                f"the stride of '{name}' must be an integer of at least 1, got {stride!r}"
            )
        if name not in WITH_OPTIONS and set(options) - {"stride"}:
            raise ValueError(f"'{name}' has a stride but no options, got {sorted(options)}")
        observations[name] = {str(option): plain(value) for option, value in options.items()}
    return observations


def with_default_strides(
    observations: Mapping[str, Mapping[str, object]], timestep_fs: float
) -> dict[str, dict[str, object]]:
    """Return canonical observations in which each has a stride.

    Parameters
    ----------
    observations : mapping
        As returned by `canonical_observations`.
    timestep_fs : float
        The stride of current and radial distributions is the longest that does not exceed 2
        and 20 fs.
    """
    strides = {
        name: max(1, int(interval / timestep_fs * (1 + 1e-9)))
        for name, interval in DEFAULT_INTERVAL_FS.items()
    }
    return {
        name: {"stride": strides.get(name, 1), **options} for name, options in observations.items()
    }


def resolved_per_cm(interval_fs: float) -> float:
    r"""Return the Nyquist limit :math:`1 / 2 c \Delta t` of samples, in 1/cm."""
    return 1e13 / (2 * speed_of_light * interval_fs)


def _named_stride(text: str) -> tuple[str, Mapping[str, int]]:
    name, _, stride = text.partition(":")
    try:
        return name, {"stride": int(stride)} if stride else {}
    except ValueError:
        raise ValueError(f"observe NAME or NAME:STRIDE, such as current:4, got {text!r}") from None

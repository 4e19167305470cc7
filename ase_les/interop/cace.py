r"""Published LES models: conversion of CACE networks saved by torch to an `LESModel`.

The files are read by `ase_les.interop.torch_archive`, which executes nothing. Their conventions,
determined from reference energies, forces and charges of the authors' program:

====================  ==========================================================================
Quantity              Convention of the files
====================  ==========================================================================
edge channel          :math:`c = (s, r)`: sender first
feature               flattened as (mixed radial m, invariant, c, layer)
values of "Bchi"      flattened as (angular degree, c)
radial message        :math:`a\, e^{-r/r_0}` with the sign of :math:`1/r_0` as stored
norm of messages      on the messages, not on the memory
charge                :math:`E = \frac{f}{V} \sum_{\mathbf{k}} \ldots |S(\mathbf{k})|^2` with their
                      own :math:`f` for :math:`1/(2\epsilon_0) = 2\pi k_e`; charges are scaled by
                      :math:`\sqrt{f/2\pi k_e}` into e, so that the energy remains theirs
k-cutoff              :math:`2\pi/dl`, compared to the last digit
background            none
removed self-energy   that of all charge channels, once per channel
weight                of the long-range energy only: charges do not include it
open boundaries       the same kernel; old files divide by r + 1e-6 Å, which is left out here
====================  ==========================================================================
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ase.data import chemical_symbols

from ase_les.charges import ChargesConfig
from ase_les.electrostatics import ElectrostaticsConfig
from ase_les.electrostatics.wave_vectors import SHELL_TOLERANCE
from ase_les.interop.cace_network import (
    Features,
    Outputs,
    expect,
    read_readout,
    read_representation,
    single,
    unsupported,
)
from ase_les.interop.torch_archive import Record
from ase_les.model import LESModel, LongRangeConfig, ModelConfig, ShortRangeConfig
from ase_les.model_sizes import with_weights
from ase_les.units import COULOMB_CONSTANT

#: 1/(2ε₀) in eV Å, prefactor of the reciprocal sum.
PREFACTOR = 2 * math.pi * COULOMB_CONSTANT


LICENSE = "CC BY-NC 4.0, as published by its authors; not redistributable here"


_TERMS = ("Atomwise", "EwaldPotential", "LesWrapper")


def cace_model(
    root, path: Path, atomic_energies: Mapping[str, float] | None, converged_ewald: bool
) -> LESModel:
    """Return a CACE network as a model in float64, with a card that names its source.

    Parameters
    ----------
    root : object
        Content of the file.
    path : Path
    atomic_energies : mapping of str to float or None
        Energy of every element in eV; None sets all to zero.
    converged_ewald : bool
        Whether to converge the reciprocal sum instead of using the authors' cutoff.

    Raises
    ------
    ValueError
        If it is not a network, has unsupported parts, or an element has no energy.
    """
    if not isinstance(root, Record):
        raise ValueError(
            f"it holds a {type(root).__name__}, not a network. Weights alone are not "
            "sufficient: save the network itself with torch.save"
        )
    terms = list(_terms(root))
    short = single([term for term in terms if term.module.class_name == "Atomwise"], "short range")
    features = read_representation(short.potential["representation"])
    energy = read_readout(short.module, features)
    weights = features.prefixed("representation.") | energy.prefixed("short_range.")

    long_range, facts = None, {}
    others = [term for term in terms if term is not short]
    if others:
        term = single(others, "long range")
        stored = read_representation(term.potential["representation"], features.elements)
        own = None if stored.same_as(features) else stored
        if own is not None:
            weights |= own.prefixed("charge_representation.")
        charges = read_readout(_charges(term), own or features)
        weights |= charges.prefixed("charges.readout.")
        long_range = _long_range(term, charges, own, converged_ewald)
        facts = {"long_range": _facts(long_range, _stored_prefactor(term), converged_ewald)}
    config = ModelConfig(
        atomic_energies=_complete(atomic_energies, features.elements),
        representation=features.config,
        short_range=ShortRangeConfig(
            hidden=energy.hidden,
            bias=energy.bias,
            linear=energy.linear,
            scale=energy.scale * short.weight,
        ),
        long_range=long_range,
    )
    model = with_weights(config, weights)
    model.card = {
        "name": path.stem,
        "source": {
            "file": path.name,
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            "network": root.name,
            "ignored": sorted(_ignored(root, terms)),
        },
        "license": LICENSE,
        "atomic_energies": (
            "given by the user" if atomic_energies else "none: energies are without offsets"
        ),
        **facts,
    }
    return model


def _long_range(
    term: _Term, charges: Outputs, own: Features | None, converged_ewald: bool
) -> LongRangeConfig:
    electrostatics = _electrostatics(term, charges.n_outputs)
    if converged_ewald:
        electrostatics = replace(electrostatics, k_cutoff=None, shell_tolerance=SHELL_TOLERANCE)
    return LongRangeConfig(
        charges=ChargesConfig(
            n_channels=charges.n_outputs,
            hidden=charges.hidden,
            bias=charges.bias,
            linear=charges.linear,
            scale=charges.scale * math.sqrt(_stored_prefactor(term) / PREFACTOR),
            neutrality="none",
        ),
        electrostatics=electrostatics,
        representation=own.config if own else None,
    )


def _facts(config: LongRangeConfig, stored_prefactor: float, converged_ewald: bool) -> dict:
    electrostatics = config.electrostatics
    removed = f"removed, {electrostatics.self_energy_copies} times from a periodic sum"
    return {
        "stored_prefactor_eV_A": stored_prefactor,
        "prefactor_eV_A": PREFACTOR,
        "stored_charge_per_e": math.sqrt(PREFACTOR / stored_prefactor),
        "smearing_A": electrostatics.smearing,
        "k_cutoff_per_A": electrostatics.kernel().k_cutoff,
        "k_cutoff": "converged" if converged_ewald else "as published",
        "self_energy": removed if electrostatics.remove_self_energy else "kept",
        "background": electrostatics.background,
        "weight": electrostatics.weight,
    }


def _complete(given: Mapping[str, float] | None, elements: tuple[int, ...]) -> dict[str, float]:
    symbols = [chemical_symbols[number] for number in elements]
    if given is None:
        return dict.fromkeys(symbols, 0.0)
    missing = [symbol for symbol in symbols if symbol not in given]
    if missing:
        raise ValueError(
            f"`atomic_energies` needs {', '.join(symbols)}; {', '.join(missing)} are missing"
        )
    return {symbol: float(given[symbol]) for symbol in symbols}


@dataclass(frozen=True)
class _Term:
    """Energy term: the module that computes it, its potential and its weight."""

    module: Record
    potential: Record
    weight: float


def _terms(root: Record) -> Iterator[_Term]:
    if root.class_name == "NeuralNetworkPotential":
        yield from _expanded(root, _energy_key(root), 1.0)
    elif root.class_name == "CombinePotential":
        operation = root.get("operation")
        if operation is not None and not operation.name.endswith(".default_operation"):
            raise ValueError(f"potentials are combined by {operation.name}; supported is their sum")
        potentials, keys = list(root["models"]), list(root["potential_keys"])
        energy_keys = [_energy_key(potential) for potential in potentials]
        for potential, energy_key, names in zip(potentials, energy_keys, keys, strict=True):
            if energy_key not in names.values():
                raise ValueError(f"the energy {energy_key!r} is not among the combined {names}")
            yield from _expanded(potential, energy_key, float(names.get("weight", 1.0)))
    else:
        raise unsupported("network", root, ("NeuralNetworkPotential", "CombinePotential"))


def _energy_key(potential: Record) -> str:
    """Return the output whose gradient the potential calls forces."""
    if potential.class_name != "NeuralNetworkPotential":
        raise unsupported("potential", potential, ("NeuralNetworkPotential",))
    if potential.get("do_postprocessing") and list(potential["postprocessors"]):
        raise ValueError(f"outputs are changed by {list(potential['postprocessors'])}")
    modules = list(potential["output_modules"])
    keys = {m["energy_key"] for m in modules if m.class_name == "Forces"}
    if not keys:
        keys = {m["output_key"] for m in modules if m.class_name == "FeatureAdd"}
    if not keys:
        keys = {_output_key(m) for m in modules if m.class_name in _TERMS}
    if len(keys) != 1:
        raise ValueError(f"one energy is needed, its outputs offer {sorted(keys)}")
    return keys.pop()


def _expanded(potential: Record, key: str, weight: float) -> Iterator[_Term]:
    module = _producer(potential, key)
    if module.class_name == "FeatureAdd":
        for part in module["feature_keys"]:
            yield from _expanded(potential, part, weight)
    elif module.class_name in _TERMS:
        yield _Term(module, potential, weight)
    else:
        raise unsupported(f"energy {key!r}", module, (*_TERMS, "FeatureAdd"))


def _producer(potential: Record, key: str) -> Record:
    for module in potential["output_modules"]:
        if key in (_output_key(module), module.get("per_atom_output_key")):
            return module
    raise ValueError(f"no output module computes {key!r}")


def _output_key(module: Record) -> str | None:
    # Forces also have an energy_key, but only read it.
    if module.class_name == "LesWrapper":
        return module.get("energy_key", module.get("output_key"))
    return module.get("output_key")


def _ignored(root: Record, terms: list[_Term]) -> set[str]:
    """Modules after the energy: derivatives, polarization and the like."""
    potentials = list(root["models"]) if root.class_name == "CombinePotential" else [root]
    used = {id(term.module) for term in terms}
    used |= {id(_charges(t)) for t in terms if t.module.class_name != "Atomwise"}
    return {
        module.name
        for potential in potentials
        for module in potential["output_modules"]
        if id(module) not in used and module.class_name not in ("Forces", "FeatureAdd")
    }


def _charges(term: _Term) -> Record:
    """Return the readout of the charges that a long-range term reads."""
    if term.module.class_name == "LesWrapper":
        les = term.module["les"]
        if not les.get("use_atomwise", True):
            raise ValueError("LES without a separate charge readout is not supported")
        return les["atomwise"]
    module = _producer(term.potential, term.module["feature_key"])
    if module.class_name != "Atomwise":
        raise unsupported("charges", module, ("Atomwise",))
    return module


def _ewald(term: _Term) -> Record:
    return term.module["les"]["ewald"] if term.module.class_name == "LesWrapper" else term.module


def _stored_prefactor(term: _Term) -> float:
    return float(_ewald(term).get("norm_factor", 1.0))


def _electrostatics(term: _Term, n_channels: int) -> ElectrostaticsConfig:
    ewald = _ewald(term)
    expect(ewald, exponent=1, external_field=None, charge_neutral_lambda=None)
    expect(ewald, aggregation_mode="sum")
    k_cutoff = 2 * math.pi / float(ewald["dl"])
    squared = float(ewald.get("k_sq_max", k_cutoff**2))
    return ElectrostaticsConfig(
        smearing=float(ewald["sigma"]),
        k_cutoff=k_cutoff if k_cutoff**2 == squared else math.sqrt(squared),
        remove_self_energy=bool(ewald["remove_self_interaction"]),
        background=False,
        weight=term.weight,
        self_energy_copies=n_channels,
        shell_tolerance=0.0,
    )

r"""Published MACE-LES and MACE models: conversion of networks saved by torch to an `LESModel`.

The files are read by `ase_les.interop.torch_archive`, which executes neither the Python source of
their contractions nor their TorchScript. Their conventions:

====================  ==========================================================================
Quantity              Convention of the files
====================  ==========================================================================
precision             float32 throughout, atomic energies included; converted to float64
couplings             exact here, rounded to float32 in the files: energies and forces of models
                      with hidden l > 0 differ by about 1e-8 eV and 1e-8 eV/Å
edge vector           from sender to receiver: the negative of ours
energy                :math:`E = \sum_i E_0(z_i) + s\,(\text{readouts} + \text{ZBL}) + \Delta`
                      with :math:`\Delta` per atom, which becomes part of :math:`E_0` here
charge                sum of the charge readouts, times ``les_output_scale`` in newer files;
                      :math:`E = \frac{f}{V} \sum_{\mathbf{k}} \ldots |S(\mathbf{k})|^2` with
                      their own :math:`f` for :math:`2\pi k_e`, so that charges in e are theirs
                      times :math:`\sqrt{f/2\pi k_e}`
k-cutoff              :math:`2\pi/dl`; newer programs leave out wave vectors of cells longer than
                      ``N_max`` · dl, which are summed here
background            none; total charge none
open boundaries       the same kernel; old files divide by r + 1e-6 Å, which is left out here
heads                 several fits in one file: one is chosen by name
====================  ==========================================================================
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import torch
from ase.data import chemical_symbols
from torch import Tensor

from ase_les.charges import ChargesConfig
from ase_les.electrostatics import ElectrostaticsConfig
from ase_les.electrostatics.wave_vectors import SHELL_TOLERANCE
from ase_les.interop.cace import PREFACTOR
from ase_les.interop.cace_network import expect, unsupported
from ase_les.interop.mace_network import (
    linear_blocks,
    radii_of_elements,
    read_network,
    silu_factor,
)
from ase_les.interop.torch_archive import Record
from ase_les.mace_repulsion import MaceRepulsionConfig
from ase_les.messages import one_line
from ase_les.model import LESModel, LongRangeConfig, ModelConfig, ShortRangeConfig
from ase_les.model_sizes import with_weights
from ase_les.representation import MaceConfig

LICENSE = "as published by its authors; check it before passing the model on"

_NETWORKS = ("MACELES", "ScaleShiftMACE", "MACE")
_READOUTS = ("LinearReadoutBlock", "NonLinearReadoutBlock")

# Further readouts of extended models, which change the energy.
_EXTENSIONS = ("les_u", "les_quad", "les_alpha", "les_kappa", "les_dipole")


def is_mace(root: object) -> bool:
    """Return whether the content of an archive is a MACE network."""
    return isinstance(root, Record) and root.name.startswith("mace.")


def mace_model(
    root: Record,
    path: Path,
    atomic_energies: Mapping[str, float] | None = None,
    *,
    converged_ewald: bool = False,
    head: str | None = None,
) -> LESModel:
    """Return a MACE network as a model in float64, with a card that names its source.

    Parameters
    ----------
    root : Record
        Content of the file.
    path : Path
    atomic_energies : mapping of str to float or None
        Energies in eV that replace those of the file; None keeps those of the file.
    converged_ewald : bool
        Whether to converge the reciprocal sum instead of using the authors' cutoff.
    head : str or None
        Name of the head; None if there is only one.

    Raises
    ------
    ValueError
        If a part is not supported, or the head is missing or unknown.
    """
    if root.class_name not in _NETWORKS:
        raise unsupported("network", root, _NETWORKS)
    network = read_network(root)
    heads = [one_line(name, 100) for name in root.get("heads") or ["Default"]]
    number = _head(heads, head)
    scale, shift = _scale_and_shift(root, number)
    energy = _readout(list(root["readouts"]), network.config, number, len(heads))
    weights = {f"representation.{name}": value for name, value in network.weights.items()}
    weights |= energy.prefixed("short_range.")
    long_range, facts = None, {}
    if root.class_name == "MACELES":
        _refuse_extensions(root)
        charges = _readout(list(root["les_readouts"]), network.config, number, len(heads))
        weights |= charges.prefixed("charges.readout.")
        long_range = _long_range(root, charges, converged_ewald)
        facts = {"long_range": _facts(root, long_range, converged_ewald)}
    own = _atomic_energies(root, network.elements, number, shift)
    energies = {**own, **(atomic_energies or {})}
    if unknown := sorted(set(energies) - set(own)):
        raise ValueError(f"`atomic_energies` of {', '.join(unknown)}, which it does not cover")
    config = ModelConfig(
        atomic_energies=energies,
        representation=network.config,
        short_range=ShortRangeConfig(energy.hidden, False, energy.linear, scale),
        long_range=long_range,
        core_repulsion=_repulsion(root, scale),
    )
    model = with_weights(config, weights)
    model.card = {
        "name": path.stem,
        "source": {
            "file": path.name,
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            "network": root.name,
            "head": heads[number],
            "heads": heads,
        },
        "license": LICENSE,
        "atomic_energies": _origin(atomic_energies, shift),
        "charges": {} if long_range else {"none": "a short-range model without charges"},
        **facts,
    }
    if not long_range:
        model.card["limits"] = "no charges: energies, forces and stress only"
    return model


def _origin(given: Mapping[str, float] | None, shift: float) -> str:
    own = f"of the file, with its shift of {shift:.6g} eV per atom"
    return f"given by the user for {', '.join(given)}; others {own}" if given else own


def _head(heads: Sequence[str], asked: str | None) -> int:
    if asked is None:
        if len(heads) > 1:
            raise ValueError(
                f"it has the heads {', '.join(heads)}; name one: load_model(path, head=...), "
                "--head on the command line of `ase-les convert`"
            )
        return 0
    if asked not in heads:
        raise ValueError(f"it has no head {asked!r}; its heads are {', '.join(heads)}")
    return heads.index(asked)


def _of_head(values: Tensor, head: int) -> float:
    flat = values.double().flatten()
    return float(flat[head if len(flat) > 1 else 0])


def _scale_and_shift(root: Record, head: int) -> tuple[float, float]:
    block = root.get("scale_shift")
    if block is None:
        return 1.0, 0.0
    if block.class_name != "ScaleShiftBlock":
        raise unsupported("scale", block, ("ScaleShiftBlock",))
    return _of_head(block["scale"], head), _of_head(block["shift"], head)


def _atomic_energies(
    root: Record, elements: Sequence[int], head: int, shift: float
) -> dict[str, float]:
    table = root["atomic_energies_fn"]["atomic_energies"].double().view(-1, len(elements))
    row = table[head if len(table) > 1 else 0] + shift
    symbols = [chemical_symbols[number] for number in elements]
    return dict(zip(symbols, row.tolist(), strict=True))


class _Outputs(NamedTuple):
    """Weights of a `Readout` over the scalars of all layers."""

    tensors: dict[str, Tensor]
    hidden: tuple[int, ...]
    linear: bool

    def prefixed(self, prefix: str) -> dict[str, Tensor]:
        return {prefix + name: value for name, value in self.tensors.items()}


def _readout(records: Sequence[Record], config: MaceConfig, head: int, n_heads: int) -> _Outputs:
    """Combine the readouts of the layers into one, over the concatenated scalars."""
    n_layers, channels = config.n_layers, config.channels
    if len(records) not in (1, n_layers):
        raise ValueError(f"{len(records)} readouts for {n_layers} layers are not supported")
    layers = range(n_layers - len(records), n_layers)
    direct = torch.zeros(1, n_layers * channels, dtype=torch.float64)
    first, second = [], []
    for layer, record in zip(layers, records, strict=True):
        columns = slice(layer * channels, (layer + 1) * channels)
        if record.class_name == "LinearReadoutBlock":
            direct[0, columns] += _scalars(record["linear"])[:, head]
            continue
        if record.class_name != "NonLinearReadoutBlock":
            raise unsupported("readout", record, _READOUTS)
        inner, outer = _scalars(record["linear_1"]), _scalars(record["linear_2"])
        (activation,) = record["non_linearity"]["acts"]
        # Hidden units of a head are contiguous.
        width = inner.shape[1] // n_heads
        if len(inner) != channels:
            raise ValueError(f"a readout reads {len(inner)} scalars of {channels} channels")
        units = slice(head * width, (head + 1) * width)
        if activation is None:
            direct[0, columns] += inner[:, units] @ outer[units, head]
            continue
        weight = torch.zeros(width, n_layers * channels, dtype=torch.float64)
        weight[:, columns] = inner[:, units].T
        first.append(weight)
        second.append(silu_factor(activation) * outer[units, head])
    if not first:
        return _Outputs({"network.0.weight": direct}, (), linear=False)
    tensors = {
        "linear.weight": direct,
        "network.0.weight": torch.cat(first),
        "network.2.weight": torch.cat(second)[None],
    }
    return _Outputs(tensors, (sum(map(len, first)),), linear=True)


def _scalars(linear: Record) -> Tensor:
    """Return the block (inputs, outputs) of a linear map between scalars."""
    for source, target, block in linear_blocks(linear):
        if source == 0 and target == 0:
            return block
    raise ValueError("a readout does not read scalars")


def _repulsion(root: Record, scale: float) -> MaceRepulsionConfig | None:
    block = root.get("pair_repulsion_fn")
    if block is None or not root.get("pair_repulsion", True):
        return None
    if block.class_name != "ZBLBasis":
        raise unsupported("pair repulsion", block, ("ZBLBasis",))
    return MaceRepulsionConfig(
        scale=scale,
        strengths=tuple(block["c"].double().tolist()),
        screening=float(block["a_prefactor"]),
        power=float(block["a_exp"]),
        exponent=int(block["p"]),
        radii=radii_of_elements(block["covalent_radii"].double(), root),
    )


def _refuse_extensions(root: Record) -> None:
    for name in _EXTENSIONS:
        for found in (name, f"{name}_readouts", f"{name}_readout"):
            if root.get(found) is not None:
                raise ValueError(
                    f"it has `{found}` (atomic dipoles, quadrupoles or polarizabilities), which "
                    "are not supported; use a model of charges only"
                )
    les = root["les"]
    if les.get("use_atomwise", False):
        raise ValueError("its charges come from a network inside LES, which is not supported")


def _long_range(root: Record, charges: _Outputs, converged_ewald: bool) -> LongRangeConfig:
    ewald = root["les"]["ewald"]
    expect(ewald, exponent=1, external_field=None, charge_neutral_lambda=None)
    electrostatics = ElectrostaticsConfig(
        smearing=float(ewald["sigma"]),
        k_cutoff=2 * math.pi / float(ewald["dl"]),
        remove_self_energy=bool(ewald["remove_self_interaction"]),
        background=False,
        shell_tolerance=0.0,
    )
    if converged_ewald:
        electrostatics = replace(electrostatics, k_cutoff=None, shell_tolerance=SHELL_TOLERANCE)
    return LongRangeConfig(
        charges=ChargesConfig(
            hidden=charges.hidden,
            bias=False,
            linear=charges.linear,
            scale=_output_scale(root) * math.sqrt(_stored_prefactor(root) / PREFACTOR),
            neutrality="none",
        ),
        electrostatics=electrostatics,
    )


def _output_scale(root: Record) -> float:
    """Return the factor of the charges, 1 in files without it."""
    for record in (root, root["les"]):
        given = record.get("les_output_scale")
        if given is not None:
            return float(given)
    return 1.0


def _stored_prefactor(root: Record) -> float:
    return float(root["les"]["ewald"]["norm_factor"])


def _facts(root: Record, config: LongRangeConfig, converged_ewald: bool) -> dict:
    electrostatics = config.electrostatics
    facts = {
        "stored_prefactor_eV_A": _stored_prefactor(root),
        "prefactor_eV_A": PREFACTOR,
        "stored_charge_per_e": 1 / config.charges.scale,
        "output_scale": _output_scale(root),
        "smearing_A": electrostatics.smearing,
        "k_cutoff_per_A": electrostatics.kernel().k_cutoff,
        "k_cutoff": "converged" if converged_ewald else "as published",
        "self_energy": "removed" if electrostatics.remove_self_energy else "kept",
        "background": electrostatics.background,
    }
    largest = root["les"]["ewald"].get("N_max")
    if largest is not None:
        length = float(largest) * float(root["les"]["ewald"]["dl"])
        facts["wave_vectors"] = (
            f"all up to the cutoff; the program of its authors leaves some out in cells longer "
            f"than {length:g} Å (N_max = {largest})"
        )
    return facts

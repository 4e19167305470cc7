"""Random MACE models and their numbers, by mace-torch.

A program of its own: importing mace changes how torch loads files in the whole process.
Usage: python by_mace_torch.py FOLDER [float32]
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
from ase import Atoms
from ase.build import bulk

CUTOFF = 4.0
ELEMENTS = (1, 8, 11)
CASES = {
    "scalars": {"hidden": "8x0e", "layers": 1},
    "mixed": {"hidden": "8x0e", "first": "RealAgnosticInteractionBlock", "zbl": True},
    "vectors": {"hidden": "6x0e+6x1o", "correlation": 3},
    "three": {
        "hidden": "6x0e+6x1o",
        "layers": 3,
        "first": "RealAgnosticInteractionBlock",
        "zbl": True,
    },
    "quadrupoles": {"hidden": "4x0e+4x1o+4x2e"},
    "heads": {"hidden": "6x0e+6x1o", "heads": ["pbe", "r2scan"], "zbl": True},
    "late": {"hidden": "6x0e", "apply_cutoff": False},
    "agnostic": {
        "hidden": "6x0e",
        "use_agnostic_product": True,
        "use_last_readout_only": True,
    },
    # As MACE-MP-0, MACE-OFF, MACE-MP-0b and MACE-MPA-0, with few channels.
    "foundation": {"hidden": "8x0e+8x1o", "correlation": 3, "radial_MLP": [64, 64, 64]},
    "organic": {"hidden": "4x0e+4x1o+4x2e", "correlation": 3},
    "transformed": {"hidden": "6x0e+6x1o", "distance_transform": "Agnesi", "zbl": True},
    "densities": {
        "hidden": "16x0e+16x1o",
        "first": "RealAgnosticDensityInteractionBlock",
        "later": "RealAgnosticDensityResidualInteractionBlock",
    },
    "densities of transformed": {
        "hidden": "6x0e+6x1o",
        "correlation": 3,
        "first": "RealAgnosticDensityInteractionBlock",
        "later": "RealAgnosticDensityResidualInteractionBlock",
        "distance_transform": "Agnesi",
        "zbl": True,
        "heads": ["pbe", "r2scan"],
    },
    "residual densities": {
        "hidden": "6x0e",
        "first": "RealAgnosticDensityResidualInteractionBlock",
        "later": "RealAgnosticDensityResidualInteractionBlock",
        "apply_cutoff": False,
    },
    "low degree": {"hidden": "16x0e+16x1o", "max_ell": 1, "correlation": 1, "layers": 3},
    "second degree": {"hidden": "16x0e+16x1o+16x2e", "max_ell": 2, "correlation": 3},
    "without scale": {"hidden": "16x0e", "network": "MACE", "zbl": True},
    "wide readout": {"hidden": "6x0e", "MLP_irreps": "5x0e"},
    "kept irreps": {"hidden": "6x0e+6x1o", "keep_last_layer_irreps": True},
    "one layer of vectors": {"hidden": "6x0e+6x1o", "layers": 1},
    "all couplings": {"hidden": "6x0e+6x1o", "use_reduced_cg": False, "correlation": 3},
    "linear gate": {"hidden": "6x0e", "gate": "None"},
}
# The remedy in the message of what has no counterpart.
REFUSED = {
    "gaussian": ({"radial_type": "gaussian"}, "supported: BesselBasis"),
    "chebyshev": ({"radial_type": "chebyshev"}, "supported: BesselBasis"),
    "soft": ({"distance_transform": "Soft"}, "use a model trained with"),
    "gate": ({"gate": "tanh"}, "it uses 'torch._C._VariableFunctionsClass'"),
    "attention": (
        {"later": "RealAgnosticAttResidualInteractionBlock"},
        "RealAgnosticAttResidualInteractionBlock is not supported; supported: Real",
    ),
    "nonlinear": (
        {"first": "RealAgnosticResidualNonLinearInteractionBlock"},
        "RealAgnosticResidualNonLinearInteractionBlock is not supported; supported: Real",
    ),
    "uneven": ({"hidden": "6x0e+4x1o"}, "supported are the same number of channels"),
    "orders": ({"correlation": [3, 2]}, "products of different orders"),
    "mixed": (
        {"first": "RealAgnosticDensityInteractionBlock"},
        "layers with and without normalization by a density",
    ),
    "edges": ({"edge_irreps": "4x0e+4x1o"}, "messages with separate channels"),
}


def structures() -> list[Atoms]:
    crystal = bulk("NaO", "rocksalt", a=4.4).repeat((2, 1, 1))
    crystal += Atoms("H2", [[1.1, 0.7, 0.9], [3.0, 1.0, 2.2]])
    crystal.rattle(0.15, seed=3)
    places = np.random.default_rng(0).uniform(0, 3.0, (5, 3))
    return [crystal, Atoms("OHHNaO", places)]


def build(
    seed,
    hidden="6x0e+6x1o",
    layers=2,
    correlation=2,
    first=None,
    later=None,
    zbl=False,
    heads=None,
    network="ScaleShiftMACE",
    gate="silu",
    MLP_irreps="16x0e",
    **options,
):
    # mace first: it lets e3nn load its constants.
    from mace import modules  # isort: skip
    from e3nn import o3

    torch.manual_seed(seed)
    blocks = modules.interaction_classes
    several = len(heads) if heads else 1
    if network == "ScaleShiftMACE":
        options |= {
            "atomic_inter_scale": [1.7, 0.8][:several] if heads else 1.7,
            "atomic_inter_shift": [0.3, -0.2][:several] if heads else 0.3,
        }
    if "edge_irreps" in options:
        options["edge_irreps"] = o3.Irreps(options["edge_irreps"])
    return getattr(modules, network)(
        r_max=CUTOFF,
        num_bessel=6,
        num_polynomial_cutoff=5,
        interaction_cls=blocks[later or "RealAgnosticResidualInteractionBlock"],
        interaction_cls_first=blocks[first or "RealAgnosticResidualInteractionBlock"],
        num_interactions=layers,
        num_elements=len(ELEMENTS),
        hidden_irreps=o3.Irreps(hidden),
        MLP_irreps=o3.Irreps(MLP_irreps),
        atomic_energies=np.random.default_rng(1).normal(size=(several, len(ELEMENTS))) * 10,
        avg_num_neighbors=11.3,
        atomic_numbers=list(ELEMENTS),
        correlation=correlation,
        gate=modules.gate_dict[gate],
        pair_repulsion=zbl,
        heads=heads,
        **{"max_ell": 3, "radial_MLP": [16, 16, 16], **options},
    )


def numbers(model, atoms: Atoms, heads: list[str], head: str) -> dict[str, np.ndarray]:
    from mace import data
    from mace.tools import torch_geometric, utils

    table = utils.AtomicNumberTable(list(ELEMENTS))
    given = data.config_from_atoms(atoms, head_name=head)
    graph = data.AtomicData.from_config(given, z_table=table, cutoff=CUTOFF, heads=heads)
    batch = next(iter(torch_geometric.dataloader.DataLoader([graph], batch_size=1)))
    periodic = bool(atoms.pbc.any())
    found = model(batch.to_dict(), compute_force=True, compute_stress=periodic)
    names = ("energy", "forces", "node_feats", *(("stress",) if periodic else ()))
    return {name: found[name].detach().numpy() for name in names}


def with_exact_couplings(model):
    """Undo the rounding of e3nn's Wigner 3j symbols, which ase_les computes exactly."""
    from e3nn import o3

    for name, buffer in model.named_buffers():
        _, found, degrees = name.rpartition("_w3j_")
        if found:
            buffer.copy_(o3.wigner_3j(*map(int, degrees.split("_")), dtype=buffer.dtype))
    return model


def main(folder: Path, single: bool) -> None:
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(1)
    for seed, (name, case) in enumerate(CASES.items()):
        model = build(seed, **case)
        if single:
            torch.save(model.float(), folder / f"{name}.model")
            model = with_exact_couplings(model.double())
        else:
            torch.save(model, folder / f"{name}.model")
        heads = case.get("heads") or ["Default"]
        stored = {}
        for number, atoms in enumerate(structures()):
            for head in heads:
                for key, value in numbers(model, atoms, heads, head).items():
                    stored[f"{number} {head} {key}"] = value
        np.savez(folder / f"{name}.npz", **stored)
    for name, (case, _) in REFUSED.items():
        torch.save(build(0, **case), folder / f"refused-{name}.model")


if __name__ == "__main__":
    main(Path(sys.argv[1]), "float32" in sys.argv[2:])

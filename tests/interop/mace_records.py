"""Small MACE networks as the reader of archives gives them: records, without any file."""

from __future__ import annotations

import sys
from itertools import accumulate, pairwise
from pathlib import Path
from types import ModuleType

import torch
from ase.data import covalent_radii
from torch import Tensor

from ase_les.interop.torch_archive import Record
from ase_les.representation.mace.couplings import coupled_degrees, monomials, polynomials

ELEMENTS = (1, 8)
CHANNELS, L_MAX, N_RADIAL, WIDTH = 4, 3, 5, 6
BLOCKS, E3NN = "mace.modules.blocks.", "e3nn."


def record(name: str, *arguments, **attributes) -> Record:
    """A record of a class, with its arguments and attributes."""
    made = type("Record", (Record,), {"name": name})(*arguments)
    made.state = attributes
    return made


def container(*entries: Record) -> Record:
    """A torch container of modules."""
    modules = {str(number): entry for number, entry in enumerate(entries)}
    return record("torch.nn.modules.container.ModuleList", _modules=modules)


def irreps(*entries: tuple[int, int]) -> Record:
    """Multiplicities and degrees, of natural parity."""
    members = tuple(
        record(
            "e3nn.o3._irreps._MulIr",
            count,
            record("e3nn.o3._irreps.Irrep", degree, (-1) ** degree),
        )
        for count, degree in entries
    )
    return record("e3nn.o3._irreps.Irreps", members)


class Numbers:
    """Random weights, in single precision as in published files."""

    def __init__(self, seed: int):
        self._generator = torch.Generator().manual_seed(seed)

    def __call__(self, *shape: int) -> Tensor:
        return torch.randn(*shape, generator=self._generator)


def linear(random: Numbers, *shapes: tuple[int, int, int, int, float]) -> Record:
    """An equivariant linear map of blocks (input, output, rows, columns, scale)."""
    instructions = [
        record("e3nn.o3._linear.Instruction", source, target, (rows, columns), scale)
        for source, target, rows, columns, scale in shapes
    ]
    size = sum(rows * columns for _, _, rows, columns, _ in shapes)
    return record("e3nn.o3._linear.Linear", weight=random(size), instructions=instructions)


def selector(random: Numbers, degrees: range, results: range) -> Record:
    """The tensor product with the element."""
    shape = (CHANNELS, len(ELEMENTS), CHANNELS)
    shared = [degree for degree in degrees if degree in results]
    instructions = [
        record(
            "e3nn.o3._tensor_product._instruction.Instruction",
            *(degree, 0, degree, "uvw", True, (2 * degree + 1) ** 0.5 / 8**0.5, shape),
        )
        for degree in shared
    ]
    return record(
        "e3nn.o3._tensor_product._sub.FullyConnectedTensorProduct",
        irreps_in1=irreps(*((CHANNELS, degree) for degree in degrees)),
        weight=random(len(shared) * CHANNELS * len(ELEMENTS) * CHANNELS),
        instructions=instructions,
    )


def activation() -> Record:
    return record(
        "e3nn.math._normalize_activation.normalize2mom",
        f=type("Record", (Record,), {"name": "torch.nn.functional.silu"}),
        cst=1.6791767923989418,
    )


def interaction(random: Numbers, l_input: int, l_result: int, residual: bool) -> Record:
    paths = coupled_degrees(L_MAX, l_input)
    widths = [N_RADIAL, WIDTH, len(paths) * CHANNELS]
    layers = {
        f"layer{number}": record(
            "e3nn.nn._fc._Layer",
            weight=random(before, after),
            act=activation() if number == 0 else None,
        )
        for number, (before, after) in enumerate(pairwise(widths))
    }
    into = [sum(path[2] == degree for path in paths) for degree in range(L_MAX + 1)]
    starts = [0, *accumulate(into)]
    everywhere = irreps(*((CHANNELS, degree) for degree in range(L_MAX + 1)))
    name = "RealAgnosticResidualInteractionBlock" if residual else "RealAgnosticInteractionBlock"
    degrees = range(l_input + 1) if residual else range(L_MAX + 1)
    results = range(l_result + 1) if residual else degrees
    return record(
        BLOCKS + name,
        linear_up=linear(
            random,
            *((degree, degree, CHANNELS, CHANNELS, 0.5) for degree in range(l_input + 1)),
        ),
        conv_tp=record(
            "e3nn.o3._tensor_product._tensor_product.TensorProduct",
            irreps_in1=irreps(*((CHANNELS, degree) for degree in range(l_input + 1))),
            irreps_in2=irreps(*((1, degree) for degree in range(L_MAX + 1))),
            irreps_out=irreps(*((CHANNELS, path[2]) for path in paths)),
            instructions=[
                record(
                    "e3nn.o3._tensor_product._instruction.Instruction",
                    *(one, two, number, "uvu", True, (2 * three + 1) ** 0.5, (CHANNELS, 1)),
                )
                for number, (one, two, three) in enumerate(paths)
            ],
        ),
        conv_tp_weights=record("e3nn.nn._fc.FullyConnectedNet", _modules=layers),
        # One block for all paths into a degree, as files of older programs have it.
        linear=linear(
            random,
            *(
                (degree, degree, into[degree] * CHANNELS, CHANNELS, 0.3)
                for degree in range(L_MAX + 1)
                if starts[degree + 1] > starts[degree]
            ),
        ),
        skip_tp=selector(random, degrees, results),
        node_feats_irreps=irreps(*((CHANNELS, degree) for degree in range(l_input + 1))),
        edge_attrs_irreps=irreps(*((1, degree) for degree in range(L_MAX + 1))),
        irreps_out=everywhere,
        avg_num_neighbors=3.0,
        cueq_config=None,
    )


def full_tensor(order: int, degree: int) -> Tensor:
    """Coefficients (2 L + 1, 16, …, 16, n): each monomial at the place of its sorted factors."""
    coefficients = polynomials(L_MAX, order, degree)
    shape = (2 * degree + 1, *[16] * order, coefficients.shape[2])
    result = torch.zeros(shape, dtype=torch.float64)
    for row, factors in enumerate(monomials(L_MAX, order, degree)):
        result[(slice(None), *factors)] = coefficients[row]
    return (result if degree else result[0]).float()


def product(random: Numbers, l_result: int, correlation: int, residual: bool) -> Record:
    parts = []
    for degree in range(l_result + 1):
        tensors = {
            f"U_matrix_{order}": full_tensor(order, degree) for order in range(1, correlation + 1)
        }
        counts = [tensors[f"U_matrix_{order}"].shape[-1] for order in range(1, correlation + 1)]
        lower = [random(len(ELEMENTS), count, CHANNELS) for count in reversed(counts[:-1])]
        parts.append(
            record(
                "mace.modules.symmetric_contraction.Contraction",
                weights_max=random(len(ELEMENTS), counts[-1], CHANNELS),
                weights=lower,
                correlation=correlation,
                **tensors,
            )
        )
    return record(
        BLOCKS + "EquivariantProductBasisBlock",
        symmetric_contractions=record(
            "mace.modules.symmetric_contraction.SymmetricContraction",
            contractions=container(*parts),
        ),
        linear=linear(
            random, *((degree, degree, CHANNELS, CHANNELS, 0.5) for degree in range(l_result + 1))
        ),
        use_sc=residual,
    )


def readout(random: Numbers, n_heads: int, hidden: int | None) -> Record:
    if hidden is None:
        map_ = linear(random, (0, 0, CHANNELS, n_heads, 0.5))
        return record(BLOCKS + "LinearReadoutBlock", linear=map_)
    return record(
        BLOCKS + "NonLinearReadoutBlock",
        linear_1=linear(random, (0, 0, CHANNELS, n_heads * hidden, 0.5)),
        linear_2=linear(random, (0, 0, n_heads * hidden, n_heads, 0.4)),
        non_linearity=record("e3nn.nn._activation.Activation", acts=container(activation())),
        num_heads=n_heads,
    )


def network(
    *,
    l_hidden: int = 0,
    n_layers: int = 2,
    correlation: int = 2,
    residual_first: bool = True,
    charges: bool = True,
    heads: tuple[str, ...] = ("Default",),
    seed: int = 0,
) -> Record:
    """A MACELES network of two elements, or a ScaleShiftMACE network without charges."""
    random = Numbers(seed)
    results = [*[l_hidden] * (n_layers - 1), 0]
    inputs = [0, *results[:-1]]
    first = [residual_first, *[True] * (n_layers - 1)]

    def readouts() -> Record:
        last = None if n_layers == 1 else 7
        return container(
            *(
                readout(random, len(heads), last if n == n_layers - 1 else None)
                for n in range(n_layers)
            )
        )

    made = record(
        "mace.modules.extensions.MACELES" if charges else "mace.modules.models.ScaleShiftMACE",
        atomic_numbers=torch.tensor(ELEMENTS),
        r_max=torch.tensor(3.5),
        heads=list(heads),
        node_embedding=record(
            BLOCKS + "LinearNodeEmbeddingBlock",
            linear=linear(random, (0, 0, len(ELEMENTS), CHANNELS, 0.7)),
        ),
        radial_embedding=record(
            BLOCKS + "RadialEmbeddingBlock",
            bessel_fn=record(
                "mace.modules.radial.BesselBasis",
                bessel_weights=torch.arange(1.0, N_RADIAL + 1) * torch.pi / 3.5,
                prefactor=torch.tensor((2 / 3.5) ** 0.5),
            ),
            cutoff_fn=record("mace.modules.radial.PolynomialCutoff", p=torch.tensor(5)),
        ),
        atomic_energies_fn=record(
            BLOCKS + "AtomicEnergiesBlock", atomic_energies=random(len(heads), len(ELEMENTS))
        ),
        interactions=container(
            *(
                interaction(random, one, two, residual)
                for one, two, residual in zip(inputs, results, first, strict=True)
            )
        ),
        products=container(
            *(
                product(random, result, correlation, residual)
                for result, residual in zip(results, first, strict=True)
            )
        ),
        readouts=readouts(),
        scale_shift=record(
            BLOCKS + "ScaleShiftBlock",
            scale=1.5 + 0.1 * torch.arange(len(heads)),
            shift=0.25 - torch.arange(len(heads)),
        ),
    )
    if charges:
        made.state["les_readouts"] = readouts()
        made.state["les"] = record(
            "les.les.Les",
            ewald=record(
                "les.module.ewald.Ewald",
                sigma=1.0,
                dl=2.0,
                remove_self_interaction=False,
                norm_factor=90.0474,
            ),
        )
    return made


def repulsion() -> Record:
    """The repulsion of nuclei of a network."""
    return record(
        "mace.modules.radial.ZBLBasis",
        c=torch.tensor([0.1818, 0.5099, 0.2802, 0.02817]),
        p=torch.tensor(6),
        covalent_radii=torch.tensor(covalent_radii, dtype=torch.float32),
        a_exp=torch.tensor(0.3),
        a_prefactor=torch.tensor(0.4543),
    )


def as_file(network: Record, path: Path) -> Path:
    """Write records as the objects they stand for, in the layout of ``torch.save``."""
    classes: dict[str, type] = {}

    def stub(name: str) -> type:
        if name not in classes:
            module, _, class_name = name.rpartition(".")
            body = {"__module__": module, "__reduce__": lambda self: self.reduced}
            classes[name] = type(class_name, (), body)
        return classes[name]

    def of(value):
        if isinstance(value, type):
            return stub(value.name)
        if isinstance(value, list) and value and all(isinstance(e, Tensor) for e in value):
            parameters = {str(number): entry for number, entry in enumerate(value)}
            value = record("torch.nn.modules.container.ParameterList", _parameters=parameters)
        if isinstance(value, list | tuple):
            return type(value)(map(of, value))
        if isinstance(value, dict):
            return {key: of(entry) for key, entry in value.items()}
        if not isinstance(value, Record):
            return value
        made = stub(value.name)()
        state = {key: of(entry) for key, entry in value.state.items()}
        made.reduced = (stub(value.name), tuple(map(of, value.arguments)), state)
        return made

    content = of(network)
    added, replaced = [], []
    for full, made in classes.items():
        *parts, class_name = full.split(".")
        for depth in range(1, len(parts) + 1):
            name = ".".join(parts[:depth])
            if name not in sys.modules:
                added.append(name)
                sys.modules[name] = ModuleType(name)
        module = sys.modules[".".join(parts)]
        replaced.append((module, class_name, getattr(module, class_name, None)))
        setattr(module, class_name, made)
    try:
        torch.save(content, path)
    finally:
        for module, class_name, before in replaced:
            setattr(module, class_name, before)
        for name in added:
            del sys.modules[name]
    return path

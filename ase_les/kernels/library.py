"""The compiled kernels and their arguments in C.

``fused.c`` is compiled when the package is installed, if there is a C compiler. It is optional:
without the shared object, or with kernels switched off, the torch definition is used.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable
from ctypes import POINTER, c_double, c_int, c_int64, c_void_p
from functools import cache
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ase_les.graph import Graph

INSTRUCTIONS = ("the compiler's default instructions", "AVX2", "AVX-512")
"""Names of the instruction sets, indexed by `Kernels.level`."""

# With fewer atoms per thread, starting threads costs more than they save.
_ATOMS_PER_THREAD = 128

# As in template.c.
_PAD = 8

_FOLDER = Path(__file__).parent


class ModelArguments(ctypes.Structure):
    """``fused_model``: a representation without messages."""

    _fields_ = [
        *(
            (name, c_int64)
            for name in (
                "l_max",
                "nu_max",
                "n_embedding",
                "n_radial",
                "n_mixed",
                "n_kinds",
                "n_intervals",
            )
        ),
        ("cutoff", c_double),
        *((name, c_void_p) for name in ("radial", "sender", "receiver", "mixing", "unmixing")),
    ]


class GraphArguments(ctypes.Structure):
    """``fused_graph``: atoms and edges, with the properties of atoms used by kernels."""

    _fields_ = [
        ("n_edges", c_int64),
        *(
            (name, c_void_p)
            for name in (
                "positions",
                "cells",
                "shifts",
                "receivers",
                "senders",
                "structures",
                "kinds",
            )
        ),
    ]


class SplitArguments(ctypes.Structure):
    """``fused_split``: constants of split charges."""

    _fields_ = [
        ("n_channels", c_int64),
        ("n_kinds", c_int64),
        *((name, c_double) for name in ("cutoff", "wave_height", "bonded", "not_bonded")),
        ("weights", c_void_p),
        ("inverse_lengths", c_void_p),
    ]


class MessageArguments(ctypes.Structure):
    """``fused_messages``: shapes of the messages of a MACE layer, paths and edges."""

    _fields_ = [
        *(
            (name, c_int64)
            for name in ("n_atoms", "n_channels", "n_paths", "n_sent", "n_angles", "n_rows")
        ),
        *((name, c_void_p) for name in ("paths", "starts", "senders")),
    ]


class RadialArguments(ctypes.Structure):
    """``fused_radial``: a table of radial functions."""

    _fields_ = [("n_intervals", c_int64), ("step", c_double), ("rows", c_void_p)]


class PolynomialArguments(ctypes.Structure):
    """``fused_polynomials``: weighted polynomials of a MACE layer."""

    _fields_ = [
        *(
            (name, c_int64)
            for name in (
                "n_channels",
                "n_components",
                "n_pairs",
                "n_results",
                "n_weights",
                "component_stride",
            )
        ),
        *(
            (name, c_void_p)
            for name in (
                "pairs",
                "terms",
                "value_starts",
                "result_starts",
                "weight_rows",
                "elements",
                "factors",
                "weights",
            )
        ),
    ]


class MeshArguments(ctypes.Structure):
    """``fused_mesh``: size and splines of a mesh."""

    _fields_ = [
        ("order", c_int64),
        ("size", c_int64 * 3),
        ("spline", c_void_p),
    ]


class EwaldArguments(ctypes.Structure):
    """``fused_ewald``: wave vectors of a direct sum."""

    _fields_ = [
        ("n_first", c_int64),
        ("bounds", c_int64 * 3),
        ("first", c_void_p),
    ]


class Kernels(NamedTuple):
    """The shared object and the instructions of this processor that it uses."""

    library: ctypes.CDLL
    level: int

    # Models are copied and sent to other processes, but not the shared object.

    def __deepcopy__(self, _: object) -> Kernels:
        return self

    def __reduce__(self) -> tuple:
        return compiled_kernels, ()

    def call(self, name: str, dtype: torch.dtype, *arguments) -> None:
        """Call an entry point with the GIL released.

        Raises
        ------
        MemoryError
            If there is no memory for the neighbors of an atom.
        RuntimeError
            If the entry point does not support the model.
        """
        given = [
            ctypes.byref(argument) if isinstance(argument, ctypes.Structure) else argument
            for argument in arguments
        ]
        code = getattr(self.library, f"fused_{name}")(
            int(dtype == torch.float64), self.level, *given
        )
        if code == 1:
            raise MemoryError("no memory for the neighbors of an atom")
        if code:
            raise RuntimeError(f"kernel {name!r} does not support this model")


@cache
def compiled_kernels() -> Kernels | None:
    """Return the kernels, or None if they were not compiled."""
    path = next(
        (file for suffix in EXTENSION_SUFFIXES if (file := _FOLDER / f"_fused{suffix}").is_file()),
        None,
    )
    if path is None:
        return None
    try:
        library = ctypes.CDLL(str(path))
        _declare(library)
    except (OSError, AttributeError):
        # Built for another machine or an earlier version of the source.
        return None
    return Kernels(library, library.fused_best_level())


def _declare(library: ctypes.CDLL) -> None:
    kinds = (ModelArguments, GraphArguments, SplitArguments, MeshArguments, MessageArguments)
    model, graph, split, mesh, messages = (POINTER(kind) for kind in kinds)
    choice: list[Any] = [c_int, c_int]
    atoms: list[Any] = [c_int64, c_int64]
    library.fused_best_level.argtypes = []
    library.fused_select_edges.argtypes = [graph, c_double, *4 * [c_void_p]]
    library.fused_select_edges.restype = c_int64
    library.fused_forward.argtypes = [*choice, model, graph, *atoms, c_void_p, c_void_p]
    library.fused_backward.argtypes = [*choice, model, graph, *atoms, *4 * [c_void_p]]
    # `fused_cace` and `fused_cace_results`, declared in training.py.
    library.fused_cace_values.argtypes = [*choice, c_void_p, *atoms, c_void_p]
    library.fused_cace_gradients.argtypes = [*choice, c_void_p, *atoms, *3 * [c_void_p]]
    library.fused_split_forward.argtypes = [*choice, split, graph, *atoms, *2 * [c_void_p]]
    library.fused_split_backward.argtypes = [*choice, split, graph, *atoms, *5 * [c_void_p]]
    for name, n_arrays in (("sum", 4), ("gradient", 7), ("second", 11)):
        entry = getattr(library, f"fused_messages_{name}")
        entry.argtypes = [*choice, messages, *n_arrays * [c_void_p]]
    table, polynomials = POINTER(RadialArguments), POINTER(PolynomialArguments)
    of_table: list[Any] = [*choice, messages, table, *atoms]
    library.fused_table_sum.argtypes = [*of_table, *4 * [c_void_p]]
    library.fused_table_gradient.argtypes = [*of_table, *7 * [c_void_p]]
    library.fused_polynomials_values.argtypes = [*choice, polynomials, *atoms, *2 * [c_void_p]]
    library.fused_polynomials_gradients.argtypes = [*choice, polynomials, *atoms, *3 * [c_void_p]]
    on_mesh: list[Any] = [c_int64, c_void_p, c_void_p, c_int64]
    library.fused_mesh_spread.argtypes = [*choice, mesh, *on_mesh, c_void_p]
    library.fused_mesh_gather.argtypes = [*choice, mesh, *on_mesh, *3 * [c_void_p]]
    for name in ("mesh_spread", "mesh_gather"):
        getattr(library, f"fused_{name}").restype = None
    of_atoms: list[Any] = [*choice, POINTER(EwaldArguments), *atoms, *2 * [c_void_p], c_int64]
    library.fused_ewald_factors.argtypes = [*of_atoms, c_void_p]
    library.fused_ewald_potentials.argtypes = [*of_atoms, *3 * [c_void_p]]


def padded_length(length: int) -> int:
    """Return a length rounded up as in template.c, where vectors run over it."""
    return -(-length // _PAD) * _PAD


def pointer(tensor: Tensor | None) -> int | None:
    """Return the address of a contiguous tensor; it must outlive the call."""
    return None if tensor is None else tensor.data_ptr()


class PreparedGraph:
    """A graph in the form of `GraphArguments`, with the tensors it points to.

    Parameters
    ----------
    graph : Graph
    positions, cell : Tensor
        Used instead of those of the graph, shapes (N, 3) and (S, 3, 3).
    kinds : Tensor, shape (N,)
        int64.
    """

    def __init__(self, graph: Graph, positions: Tensor, cell: Tensor, kinds: Tensor):
        # Lists instead of generators: fewer Python calls in every force call.
        self.tensors = [
            tensor.detach().contiguous()
            for tensor in (
                positions,
                cell,
                graph.shifts,
                graph.receivers,
                graph.senders,
                graph.structure,
                kinds,
            )
        ]
        self.n_atoms = len(positions)
        self.n_structures = len(cell)
        addresses = [tensor.data_ptr() for tensor in self.tensors]
        self.arguments = GraphArguments(len(graph.receivers), *addresses)


def in_ranges(bounds: list[int], work: Callable[[int, int, int], None]) -> None:
    """Call ``work(part, first, last)`` for all ranges of atoms in parallel, one thread each.

    Kernels release the GIL. Results that several ranges would write to the same place need one
    buffer per part.

    Parameters
    ----------
    bounds : list of int
        Bounds from `ranges`.
    work : callable
    """
    errors: list[BaseException] = []

    def run(part: int) -> None:
        try:
            work(part, bounds[part], bounds[part + 1])
        except BaseException as error:
            errors.append(error)

    others = [threading.Thread(target=run, args=(part,)) for part in range(1, len(bounds) - 1)]
    for thread in others:
        thread.start()
    run(0)
    for thread in others:
        thread.join()
    if errors:
        raise errors[0]


def ranges(n_atoms: int) -> list[int]:
    """Return the bounds of the atom ranges of the threads, from 0 to `n_atoms`."""
    parts = max(1, min(torch.get_num_threads(), n_atoms // _ATOMS_PER_THREAD))
    return [n_atoms * part // parts for part in range(parts + 1)]


def total(parts: Tensor) -> Tensor:
    """Return the sum over the first axis, which has one entry per thread."""
    return parts[0] if len(parts) == 1 else parts.sum(0)

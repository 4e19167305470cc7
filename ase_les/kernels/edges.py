"""Edges within the cutoff, selected from those of a neighbor list with a skin."""

from __future__ import annotations

import ctypes

import torch
from torch import Tensor

from ase_les.graph import Graph, edge_vectors, select_edges
from ase_les.kernels.library import Kernels, PreparedGraph


def edges_within(graph: Graph, cutoff: float, kernels: Kernels | None) -> tuple[Graph, Tensor]:
    """Return the graph with edges shorter than `cutoff`, and their lengths in Å.

    Parameters
    ----------
    graph : Graph
    cutoff : float
        In Å.
    kernels : Kernels or None
        None for torch.
    """
    if kernels is None:
        lengths = torch.linalg.vector_norm(edge_vectors(graph), dim=1)
        inside = lengths < cutoff
        return select_edges(graph, inside), lengths[inside]
    prepared = PreparedGraph(graph, graph.positions, graph.cell, graph.numbers)
    receivers, senders = torch.empty_like(graph.receivers), torch.empty_like(graph.senders)
    shifts, lengths = torch.empty_like(graph.shifts), graph.shifts.new_empty(len(senders))
    n_edges = kernels.library.fused_select_edges(
        ctypes.byref(prepared.arguments),
        cutoff,
        receivers.data_ptr(),
        senders.data_ptr(),
        shifts.data_ptr(),
        lengths.data_ptr(),
    )
    nearer = graph._replace(
        receivers=receivers[:n_edges], senders=senders[:n_edges], shifts=shifts[:n_edges]
    )
    return nearer, lengths[:n_edges]

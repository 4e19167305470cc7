"""Warnings about structures outside the training data: short contacts, forces, environments."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from ase import Atoms
from ase.data import atomic_numbers, covalent_radii

from ase_les.environments import BLOCK, Edges, Environments
from ase_les.graph import Graph, edge_vectors

#: Shortest accepted distance relative to the closest contact of all training data, to that of the
#: same elements, and to the sum of covalent radii where the card has no contacts. Dynamics reaches
#: slightly shorter distances than a limited number of frames.
CONTACT_FRACTION, PAIR_FRACTION, COVALENT_FRACTION = 0.95, 0.85, 0.5
#: Accepted force relative to the largest in the training data, a limited number of frames.
FORCE_FACTOR = 1.2
#: Accepted distance of an environment relative to the largest in the training data.
ENVIRONMENT_FACTOR = 1.5
#: Displacement in Å after which contacts and environments are checked again. While atoms move less
#: than `SLOW` per call, as in dynamics, they are checked at most every `WAIT` calls, and forces
#: every `STRIDE` calls.
MOVED, SLOW, WAIT, STRIDE = 0.2, 0.05, 32, 8

KINDS = ("contact", "force", "environment")


class DomainWarnings:
    """Warn once of each kind of extrapolation, based on the training data in the card.

    Parameters
    ----------
    card : mapping
        ``closest_contact_A``, ``closest_contacts_A``, ``largest_force_eV_per_A`` and
        ``environments``; missing entries are not checked.
    warn : callable
        Called with kind and message.
    """

    def __init__(self, card: Mapping[str, Any], warn: Callable[[str, str], None]):
        self._closest = _shortest_distances(card)
        self._largest_force = float(card.get("largest_force_eV_per_A") or np.inf)
        self._environments = Environments.of_entry(card.get("environments"))
        self._warn = warn
        self._given: set[str] = set()
        self._compared: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None
        self._calls = 0
        self._unchecked = 0

    def check(self, atoms: Atoms, graph: Callable[[], Graph], forces: np.ndarray | None) -> None:
        """Compare a structure and its forces with the training data.

        Contacts and environments are checked for new structures and after an atom has moved by
        `MOVED`; less often in dynamics.

        Parameters
        ----------
        atoms : ase.Atoms
        graph : callable
            Returns the graph of the structure, if it is needed.
        forces : array, shape (N, 3), or None
            In eV/Å, if they were calculated.
        """
        self._calls += 1
        if len(self._given) == len(KINDS):
            return
        if self._unchecked and self._is_slow(atoms):
            self._unchecked -= 1
            return
        self._unchecked = 0
        if forces is not None and "force" not in self._given:
            self._check_forces(atoms, forces)
        if not {"contact", "environment"} <= self._given and self._has_moved(atoms):
            edges = edges_of(graph())
            if "contact" not in self._given and len(edges.lengths):
                self._check_contacts(edges, atoms)
            if "environment" not in self._given and self._environments is not None:
                self._check_environments(edges, atoms, self._environments)

    def _is_slow(self, atoms: Atoms) -> bool:
        """Return whether the atoms have moved as slowly as in dynamics since they were compared."""
        before = self._compared
        if before is None or not np.array_equal(atoms.numbers, before[1]):
            return False
        moved = float(np.abs(atoms.positions - before[0]).max(initial=0.0))
        return moved < SLOW * self._calls

    def _has_moved(self, atoms: Atoms) -> bool:
        """Return whether the atoms have moved far since the last check; if so, mark this one."""
        before = self._compared
        if (
            before is not None
            and np.array_equal(atoms.numbers, before[1])
            and np.abs(atoms.cell.array - before[2]).max() < MOVED
        ):
            moved = float(np.abs(atoms.positions - before[0]).max(initial=0.0))
            slow = moved < SLOW * self._calls
            # The first calls of a scan with small steps are not dynamics yet.
            self._unchecked = STRIDE - 1 if slow and self._calls >= STRIDE else 0
            if moved < MOVED or (slow and self._calls < WAIT):
                return False
        self._calls = 0
        self._compared = (atoms.positions.copy(), atoms.numbers.copy(), atoms.cell.array.copy())
        return True

    def _warn_once(self, kind: str, message: str) -> None:
        self._given.add(kind)
        self._warn(
            kind,
            f"{message}: results are an extrapolation, which may be far off. Further structures "
            "are not checked for this",
        )

    def _check_forces(self, atoms: Atoms, forces: np.ndarray) -> None:
        squares = np.einsum("na,na->n", forces, forces)
        if not len(squares) or squares.max() <= (FORCE_FACTOR * self._largest_force) ** 2:
            return
        worst = int(squares.argmax())
        self._warn_once(
            "force",
            f"the force on atom {worst} ({atoms.symbols[worst]}) is "
            f"{np.sqrt(squares[worst]):.4g} eV/Å, the largest in the training data "
            f"{self._largest_force:.4g} eV/Å",
        )

    def _check_contacts(self, edges: Edges, atoms: Atoms) -> None:
        ratios = np.concatenate([self._ratios(part) for part in edges.blocks()])
        worst = int(ratios.argmin())
        if ratios[worst] >= 1:
            return
        limit = edges.lengths[worst] / ratios[worst]
        first, second = sorted((int(edges.receivers[worst]), int(edges.senders[worst])))
        self._warn_once(
            "contact",
            f"atoms {first} ({atoms.symbols[first]}) and {second} ({atoms.symbols[second]}) are "
            f"{edges.lengths[worst]:.3f} Å apart, closer than {limit:.3f} Å, "
            "the limit from the training data",
        )

    def _ratios(self, edges: Edges) -> np.ndarray:
        """Return lengths relative to the shortest accepted ones."""
        numbers = edges.numbers
        return edges.lengths / self._closest[numbers[edges.receivers], numbers[edges.senders]]

    def _check_environments(self, edges: Edges, atoms: Atoms, known: Environments) -> None:
        relative = known.distances(edges)
        if not len(relative) or relative.max() <= ENVIRONMENT_FACTOR:
            return
        worst = int(relative.argmax())
        self._warn_once(
            "environment",
            f"the environment of atom {worst} ({atoms.symbols[worst]}) is {relative[worst]:.1f} "
            "times as far from the mean of its element as any in the training data",
        )


def edges_of(graph: Graph) -> Edges:
    """Return the neighbors of a graph of one structure as arrays."""
    lengths = graph.positions.new_empty(len(graph.receivers))
    with torch.no_grad():
        for start in range(0, len(lengths), BLOCK):
            own = slice(start, start + BLOCK)
            part = graph._replace(
                receivers=graph.receivers[own],
                senders=graph.senders[own],
                shifts=graph.shifts[own],
            )
            lengths[own] = torch.linalg.vector_norm(edge_vectors(part), dim=1)
    parts = (graph.numbers, graph.receivers, graph.senders, lengths)
    return Edges(*(part.detach().cpu().numpy() for part in parts))


def _shortest_distances(card: Mapping[str, Any]) -> np.ndarray:
    """Return the shortest accepted distance in Å of every pair of elements, by atomic number."""
    closest = card.get("closest_contact_A")
    if not closest:
        return COVALENT_FRACTION * (covalent_radii[:, None] + covalent_radii)
    found = np.full((len(covalent_radii),) * 2, CONTACT_FRACTION * float(closest))
    for pair, distance in dict(card.get("closest_contacts_A") or {}).items():
        symbols = str(pair).split("-")
        if len(symbols) != 2 or not all(symbol in atomic_numbers for symbol in symbols):
            continue
        one, other = (atomic_numbers[symbol] for symbol in symbols)
        shortest = max(PAIR_FRACTION * float(distance), found[one, other])
        found[one, other] = found[other, one] = shortest
    return found

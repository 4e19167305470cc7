"""Forces for i-PI: evaluation of structures in atomic units, and a client of its socket.

i-PI moves the atoms (path integrals, replica exchange, dynamics in a field); each client evaluates
one structure at a time and does not reconnect: i-PI repeats the structure of a lost client.
"""

from __future__ import annotations

import json
import select
import socket
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from ase import Atoms, units
from ase.calculators.calculator import Calculator
from ase.calculators.socketio import IPIProtocol, SocketClosed

#: Properties sent besides energy, forces and virial.
EXTRAS = ("dipole", "BEC", "charges", "committee")

DEFAULT_PORT = 31415

# i-PI sends the request for forces with the positions, or asks for the status at once.
_NEXT_MESSAGE_SECONDS = 0.002


class Evaluation(NamedTuple):
    """Energy in eV, forces (N, 3) in eV/Å, virial (3, 3) in eV, and extras as JSON.

    The virial is −V times the stress, zero without two or three periodic directions. Extras are in
    atomic units: ``dipole`` (3) in e a₀; ``BEC`` (3N, 3) in e with a row for each displacement and
    a column for each component of the dipole; ``charges`` (N) in e; ``committee_pot``,
    ``committee_force`` and ``committee_virial`` with an entry for each model, as read by the
    ``ffcommittee`` of i-PI with ``parse_json``.
    """

    energy: float
    forces: np.ndarray
    virial: np.ndarray
    extras: str


class Evaluator:
    """Evaluator of structures that differ from a template in positions and cell.

    Parameters
    ----------
    template : Atoms
        Order of the atoms, periodic directions and total charge of all structures.
    calculators : sequence of ASE calculators
        The first gives dipole, Born charges and charges. Energy, forces and virial are means.
    extras : collection of str
        Names from `EXTRAS`. Born charges increase the cost of a step severalfold. The acoustic
        sum rule is imposed, because i-PI stops otherwise: a nonzero sum of Born charges
        accelerates the center of mass in a field.

    Raises
    ------
    ValueError
        If an extra is unknown, or "committee" is requested for one model.
    """

    def __init__(
        self,
        template: Atoms,
        calculators: Sequence[Calculator],
        extras: Collection[str] = (),
    ) -> None:
        unknown = sorted(set(extras) - set(EXTRAS))
        if unknown:
            raise ValueError(f"extras are {', '.join(EXTRAS)}; got {', '.join(unknown)}")
        if "committee" in extras and len(calculators) < 2:
            raise ValueError("the extra 'committee' needs several models")
        if {"BEC", "dipole"} & set(extras) and template.info.get("charge", 0):
            raise ValueError(
                "i-PI needs Born charges that sum to zero, and the dipole of an ion depends on "
                f"the origin; the template has charge {template.info['charge']} e. Remove the "
                "extras dipole and BEC"
            )
        self.atoms = template.copy()
        self._calculators = tuple(calculators)
        self._extras = frozenset(extras)
        # A slab has a stress in its plane.
        self._has_virial = int(template.pbc.sum()) >= 2

    def __call__(self, positions_A: np.ndarray, cell_A: np.ndarray) -> Evaluation:
        """Evaluate one structure.

        Parameters
        ----------
        positions_A : array of shape (N, 3)
        cell_A : array of shape (3, 3)
            Rows are lattice vectors; ignored without periodic directions.

        Returns
        -------
        Evaluation
            In atomic units, as i-PI expects it; the mean over the calculators of a committee.

        Raises
        ------
        ValueError
            If the number of atoms differs from the template.
        """
        if positions_A.shape != self.atoms.positions.shape:
            raise ValueError(
                f"i-PI sent {len(positions_A)} atoms, the template has {len(self.atoms)}: give "
                "the structure that i-PI was started from"
            )
        self.atoms.positions = positions_A
        if self.atoms.pbc.any():
            self.atoms.set_cell(cell_A)
        found = [self._energy_forces_virial(each) for each in self._calculators]
        energy, forces, virial = (np.mean(values, axis=0) for values in zip(*found, strict=True))
        extras = self._response()
        if "committee" in self._extras:
            pots, all_forces, virials = (np.array(each) for each in zip(*found, strict=True))
            extras["committee_pot"] = pots / units.Ha
            extras["committee_force"] = all_forces * (units.Bohr / units.Ha)
            extras["committee_virial"] = virials / units.Ha
        text = json.dumps({name: value.tolist() for name, value in extras.items()})
        return Evaluation(float(energy), forces, virial, text if extras else "")

    def _energy_forces_virial(self, calculator: Any) -> tuple[float, np.ndarray, np.ndarray]:
        self.atoms.calc = calculator
        virial = np.zeros((3, 3))
        if self._has_virial:
            virial = -self.atoms.get_volume() * self.atoms.get_stress(voigt=False)
        return self.atoms.get_potential_energy(), self.atoms.get_forces(), virial

    def _response(self) -> dict[str, np.ndarray]:
        calculator: Any = self._calculators[0]
        extras = {}
        if "dipole" in self._extras:
            finite = not self.atoms.pbc.any()
            dipole = calculator.get_property("dipole", self.atoms) if finite else None
            if dipole is None:
                dipole = calculator.get_cell_dipole(self.atoms)
            extras["dipole"] = dipole / units.Bohr
        if "BEC" in self._extras:
            born = calculator.get_property("born_effective_charges", self.atoms)
            born = born - born.mean(axis=0)
            # [atom, polarization, displacement] → rows of displacements.
            extras["BEC"] = born.transpose(0, 2, 1).reshape(-1, 3)
        if "charges" in self._extras:
            extras["charges"] = calculator.get_property("charges", self.atoms)
        return extras


def connect(
    address: str = "localhost",
    port: int = DEFAULT_PORT,
    unix: str | None = None,
    patience_s: float = 60.0,
) -> socket.socket:
    """Return a socket connected to i-PI, which may still be starting.

    Parameters
    ----------
    address, port : str, int
        Host of i-PI, and the port in its input.
    unix : str or None
        Name of a Unix socket (``/tmp/ipi_NAME``, or a path) instead of host and port.
    patience_s : float
        Time in s during which to retry the connection.

    Raises
    ------
    ConnectionError
        If i-PI does not listen.
    """
    target: Any = (address, port)
    if unix is not None:
        target = unix if unix.startswith("/") else f"/tmp/ipi_{unix}"
    until = time.monotonic() + patience_s
    while True:
        try:
            if unix is None:
                connection = socket.create_connection(target)
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            else:
                connection = socket.socket(socket.AF_UNIX)
                connection.connect(target)
        except socket.gaierror as error:
            raise ConnectionError(f"unknown host '{address}' ({error})") from error
        except OSError as error:
            if unix is not None:
                connection.close()
            if time.monotonic() > until:
                raise ConnectionError(
                    f"i-PI does not listen at {target} ({error}): start it first, with "
                    "<ffsocket> and this address in its input"
                ) from error
            time.sleep(0.2)
        else:
            return connection


def run_client(
    evaluate: Evaluator,
    connection: socket.socket,
    on_step: Callable[[Evaluation], object] = lambda result: None,
) -> int:
    """Evaluate structures until i-PI ends, and return their number.

    Parameters
    ----------
    evaluate : Evaluator
    connection : socket
        See `connect`; closed at the end.
    on_step : callable
        Called with every result.

    Raises
    ------
    ValueError
        If i-PI sends batches of structures, or a message that is not part of its protocol.
    """
    with connection:
        return _answer(evaluate, IPIProtocol(connection), on_step)


def _answer(
    evaluate: Evaluator, protocol: IPIProtocol, on_step: Callable[[Evaluation], object]
) -> int:
    is_initialized, result, count = False, None, 0
    for message in _messages(protocol):
        if message == "STATUS":
            ready = "READY" if result is None else "HAVEDATA"
            protocol.sendmsg(ready if is_initialized else "NEEDINIT")
        elif message == "INIT":
            _, text = protocol.recvinit()
            _refuse_batches(text.tobytes().decode("utf-8", errors="replace"))
            is_initialized = True
        elif isinstance(message, tuple):
            positions, cell = message
            result = evaluate(positions, cell)
            count += 1
            on_step(result)
        elif message == "GETFORCE" and result is not None:
            extras = np.frombuffer(result.extras.encode() or b" ", np.byte)
            protocol.sendforce(result.energy, result.forces, result.virial, extras)
            result = None
        else:
            raise ValueError(f"message '{message}' of i-PI is not expected here")
    return count


def _messages(protocol: IPIProtocol) -> Iterator[str | tuple[np.ndarray, np.ndarray]]:
    """Yield messages of i-PI until it ends; positions and cell for POSDATA."""
    try:
        while (message := protocol.recvmsg()) != "EXIT":
            if message != "POSDATA":
                yield message
                continue
            cell, _, positions = protocol.recvposdata()
            # i-PI 3.3 waits forever for a client that is killed with a message unread: its socket
            # is then reset instead of closed.
            if not select.select([protocol.socket], [], [], _NEXT_MESSAGE_SECONDS)[0]:
                yield positions, cell
                continue
            following = protocol.recvmsg()
            yield positions, cell
            yield following
    except (SocketClosed, ConnectionResetError):
        return


def _refuse_batches(initialization: str) -> None:
    for entry in initialization.split(","):
        name, _, value = entry.partition(":")
        if name.strip() == "batch_size" and int(value) > 1:
            raise ValueError(
                f"i-PI sends batches of {value.strip()} structures: set <batch_size> 1 in its "
                "<ffsocket>"
            )

"""ASE's optimizers, with all they know about the landscape in a form that can be stored.

ASE's own restart files leave out what a bit-for-bit continuation needs (the mixing of FIRE, the
reference cell of a filter), so the state is taken from the attributes that a step reads.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from ase import Atoms
from ase.filters import FrechetCellFilter
from ase.optimize import BFGS, FIRE, LBFGS
from ase.optimize.bfgs import BFGSMethod
from ase.optimize.optimize import Optimizer


class StepwiseBFGS(BFGS):
    """BFGS that remembers the points its Hessian was made of.

    These take 6N numbers a step, the Hessian 9N² (72 MB for 1,000 atoms) at every checkpoint.
    Going through them again gives the same Hessian, bit for bit.
    """

    def initialize(self) -> None:
        super().initialize()
        self.visited: list[tuple[np.ndarray, np.ndarray]] | None = []

    def update(self, pos, forces, pos0, forces0) -> None:
        super().update(pos, forces, pos0, forces0)
        if self.visited is not None:
            self.visited.append((pos.copy(), forces.copy()))

    def stored(self) -> dict[str, np.ndarray]:
        """The points, or the Hessian once that is the smaller."""
        if self.state is None:
            return {}
        if self.visited is not None and 2 * len(self.visited) < self.optimizable.ndofs():
            positions, forces = zip(*self.visited, strict=True)
            return {"positions": np.array(positions), "forces": np.array(forces)}
        self.visited = None
        return {
            "hessian": self.state.hessian.copy(),
            "positions_before": self.pos0.copy(),
            "forces_before": self.forces0.copy(),
        }

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Be where `stored` was called."""
        if "hessian" in state:
            self.visited = None
            self.state = BFGSMethod(state["hessian"].copy())
            self.pos0 = state["positions_before"].copy()
            self.forces0 = state["forces_before"].copy()
        elif "positions" in state:
            for position, force in zip(state["positions"], state["forces"], strict=True):
                self.update(position, force, self.pos0, self.forces0)
                self.pos0, self.forces0 = position.copy(), force.copy()


OPTIMIZERS = {"bfgs": StepwiseBFGS, "lbfgs": LBFGS, "fire": FIRE}


def make_optimizer(name: str, target: Atoms | FrechetCellFilter) -> Optimizer:
    """The optimizer of this name, moving `target` in place and writing nothing."""
    return OPTIMIZERS[name](target, logfile=None)


def optimizer_state(optimizer: Optimizer) -> dict[str, np.ndarray]:
    """Everything its next step depends on, besides the atoms."""
    if isinstance(optimizer, FIRE):
        numbers = np.array([optimizer.dt, optimizer.a])
        state = {"dt_and_a": numbers, "downhill_steps": np.array(optimizer.Nsteps)}
        return state if optimizer.vel is None else {**state, "velocities": optimizer.vel.copy()}
    if isinstance(optimizer, LBFGS):
        state = {"iteration": np.array(optimizer.state.iteration)}
        if optimizer.r0 is not None:
            n = optimizer.optimizable.ndofs()
            state |= {
                "s": np.array(optimizer.state.s).reshape(-1, n),
                "y": np.array(optimizer.state.y).reshape(-1, n),
                "rho": np.array(optimizer.state.rho, dtype=float),
                "positions_before": optimizer.r0.copy(),
                "forces_before": optimizer.f0.copy(),
            }
        return state
    return optimizer.stored()


def restore_optimizer(optimizer: Optimizer, state: Mapping[str, np.ndarray]) -> None:
    """Let a new optimizer go on from a state of one of the same kind."""
    if isinstance(optimizer, FIRE):
        optimizer.dt, optimizer.a = map(float, state["dt_and_a"])
        optimizer.Nsteps = int(state["downhill_steps"])
        optimizer.vel = state["velocities"].copy() if "velocities" in state else None
    elif isinstance(optimizer, LBFGS):
        optimizer.state.iteration = int(state["iteration"])
        if "s" in state:
            optimizer.state.s = [row.copy() for row in state["s"]]
            optimizer.state.y = [row.copy() for row in state["y"]]
            optimizer.state.rho = [np.float64(value) for value in state["rho"]]
            optimizer.r0 = state["positions_before"].copy()
            optimizer.f0 = state["forces_before"].copy()
    else:
        optimizer.restore(state)

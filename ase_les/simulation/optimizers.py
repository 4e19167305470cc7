"""ASE's optimizers with a state that can be stored for exact restarts.

ASE's restart files lack parts of the state (the mixing of FIRE, the reference cell of a filter);
the state is therefore read from the attributes of the optimizers.
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
    """BFGS that stores the visited points, from which the Hessian can be rebuilt exactly.

    The points need 6N numbers per step, the Hessian 9N² (72 MB for 1,000 atoms) per checkpoint.
    """

    state: BFGSMethod | None  # type: ignore[assignment]  # ASE declares None

    def initialize(self) -> None:
        """Set the state of an optimizer before the first step."""
        super().initialize()
        self.visited: list[tuple[np.ndarray, np.ndarray]] | None = []

    def update(
        self, pos: np.ndarray, forces: np.ndarray, pos0: np.ndarray, forces0: np.ndarray
    ) -> None:
        """Update the Hessian with a new point."""
        super().update(pos, forces, pos0, forces0)
        if self.visited is not None:
            self.visited.append((pos.copy(), forces.copy()))

    def stored(self) -> dict[str, np.ndarray]:
        """Return the points, or the Hessian if it is smaller."""
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
        """Restore a state returned by `stored`."""
        if "hessian" in state:
            self.visited = None
            self.state = BFGSMethod(state["hessian"].copy())
            self.pos0 = state["positions_before"].copy()
            self.forces0 = state["forces_before"].copy()
        elif "positions" in state:
            for position, force in zip(state["positions"], state["forces"], strict=True):
                self.update(position, force, self.pos0, self.forces0)
                self.pos0, self.forces0 = position.copy(), force.copy()


OPTIMIZERS: dict[str, type[Optimizer]] = {"bfgs": StepwiseBFGS, "lbfgs": LBFGS, "fire": FIRE}


def make_optimizer(name: str, target: Atoms | FrechetCellFilter) -> Optimizer:
    """Return an optimizer by name, which changes `target` in place and writes nothing."""
    # Filters are accepted by ASE's optimizers, but not by their annotations.
    return OPTIMIZERS[name](target, logfile=None)  # type: ignore[arg-type]


def optimizer_state(optimizer: Optimizer) -> dict[str, np.ndarray]:
    """Return the state that the next step depends on, besides the atoms."""
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
    assert isinstance(optimizer, StepwiseBFGS)
    return optimizer.stored()


def restore_optimizer(optimizer: Optimizer, state: Mapping[str, np.ndarray]) -> None:
    """Restore a state returned by :func:`optimizer_state` in a new optimizer."""
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
    elif isinstance(optimizer, StepwiseBFGS):
        optimizer.restore(state)

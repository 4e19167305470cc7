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

OPTIMIZERS = {"bfgs": BFGS, "lbfgs": LBFGS, "fire": FIRE}


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
    if optimizer.state is None:
        return {}
    return {
        "hessian": optimizer.state.hessian.copy(),
        "positions_before": optimizer.pos0.copy(),
        "forces_before": optimizer.forces0.copy(),
    }


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
    elif "hessian" in state:
        optimizer.state = BFGSMethod(state["hessian"].copy())
        optimizer.pos0 = state["positions_before"].copy()
        optimizer.forces0 = state["forces_before"].copy()

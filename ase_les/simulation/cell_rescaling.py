"""Constant pressure by stochastic rescaling of the cell."""

from __future__ import annotations

import math

import numpy as np
from ase import Atoms
from ase.md.bussi import Bussi


class StochasticCellRescaling(Bussi):
    r"""Canonical constant-pressure dynamics; Bussi's thermostat, first-order barostat.

    The logarithms :math:`x_k` of the lengths of the lattice vectors that may change (one for all
    three under isotropic pressure) perform a Brownian motion in the free energy of the cell,

    .. math::
        dx_k = D \left[ n_k + \frac{V (\Pi_k - n_k P_0)}{k_B T} \right] dt + \sqrt{2D}\, dW_k,
        \qquad D = \frac{k_B T \beta}{m n^2 V_0 \tau_p},

    while fractional coordinates are constant and momenta are scaled inversely. The stationary
    distribution is :math:`e^{-(H + P_0 V)/k_B T}\, dV` times the scale-invariant measure of the
    shape, independent of :math:`\beta` and :math:`\tau_p`, which only determine how fast the cell
    relaxes. Since :math:`D` is constant, no term with its derivative appears; for isotropic
    pressure the equation agrees with [1]_ in the variable :math:`\ln V`, with the volume in the
    noise term replaced by :math:`V_0`.

    ===================  ===================================================================
    Symbol               Meaning
    ===================  ===================================================================
    :math:`n_k`          number of lattice vectors scaled by :math:`x_k`: 3 or 1
    :math:`m`            number of variables: 1 isotropic, 3 anisotropic, 2 in the plane
    :math:`\Pi_k`        sum of pressure components (virial and kinetic) along those vectors
    :math:`P_0`          target pressure
    :math:`\beta`        isothermal compressibility, an estimate
    :math:`\tau_p`       relaxation time of the volume for this compressibility
    :math:`V_0`          volume at the start
    ===================  ===================================================================

    The angles of the cell are constant. Vectors that are not scaled are constant, and so are
    positions along the normal of the others: the vacuum of a slab does not change. Fixed atoms
    have constant fractional coordinates.

    Parameters
    ----------
    atoms : Atoms
        With momenta and a calculator that provides the stress.
    timestep, taut, taup : float
        Time step and relaxation times of kinetic energy and volume, in ASE's time unit.
    pressure_au : float
        In eV/Å³.
    compressibility_au : float
        In Å³/eV.
    scaled : array of bool, shape (m, 3)
        Lattice vectors scaled by each variable.

    References
    ----------
    .. [1] M. Bernetti, G. Bussi, J. Chem. Phys. 153, 114107 (2020).
    .. [2] G. Bussi, D. Donadio, M. Parrinello, J. Chem. Phys. 126, 014101 (2007).
    """

    def __init__(
        self,
        atoms: Atoms,
        timestep: float,
        temperature_K: float,
        taut: float,
        *,
        pressure_au: float,
        taup: float,
        compressibility_au: float,
        scaled: np.ndarray,
        rng: np.random.Generator,
    ) -> None:
        super().__init__(atoms, timestep, temperature_K, taut, rng=rng)
        self.pressure_au = pressure_au
        self.taup = taup
        self.compressibility_au = compressibility_au
        self.scaled = np.asarray(scaled, dtype=float)
        self.start_volume = atoms.get_volume()

    def step(self, forces: np.ndarray | None = None) -> np.ndarray:
        """Advance by one time step: cell rescaling, thermostat, velocity Verlet.

        The first half kick uses the forces before the rescaling, transformed as momenta: this is
        equivalent to rescaling after the kick and saves a force call.
        """
        before = self.atoms.get_forces(md=True) if forces is None else forces
        return super().step(before @ self._rescale())

    def _rescale(self) -> np.ndarray:
        """Change cell, positions and momenta; return the matrix applied to the momenta."""
        atoms = self.atoms
        frame = self._frame()
        inverse = np.linalg.inv(frame)
        growth = np.exp(self._increments(frame, inverse) @ self.scaled)
        deformation = inverse @ (growth[:, None] * frame)
        of_momenta = np.linalg.inv(deformation).T
        moves = np.atleast_1d(self.scaled.any(axis=0))
        cell = np.where(moves[:, None], growth[:, None] * atoms.cell.array, atoms.cell.array)
        momenta = atoms.get_momenta()
        atoms.set_cell(cell)
        atoms.set_positions(atoms.get_positions() @ deformation, apply_constraint=False)
        atoms.set_momenta(momenta @ of_momenta, apply_constraint=False)
        return of_momenta

    def _frame(self) -> np.ndarray:
        """Return lattice vectors as rows, with unscaled vectors replaced by the normal."""
        frame = self.atoms.cell.array.copy()
        for axis in range(3):
            if self.scaled[:, axis].any():
                continue
            normal = np.cross(frame[axis - 2], frame[axis - 1])
            frame[axis] = normal / np.linalg.norm(normal)
        return frame

    def _increments(self, frame: np.ndarray, inverse: np.ndarray) -> np.ndarray:
        """Return the changes of the variables within one time step."""
        atoms = self.atoms
        volume = atoms.get_volume()
        stress = atoms.get_stress(voigt=False, include_ideal_gas=True)
        outward = -volume * self.scaled @ np.diag(frame @ stress @ inverse)
        vectors = self.scaled.sum(axis=1)
        diffusion = (
            self.temp
            * self.compressibility_au
            / (len(vectors) * vectors**2 * self.start_volume * self.taup)
        )
        drift = vectors + (outward - vectors * self.pressure_au * volume) / self.temp
        noise = self.rng.standard_normal(len(vectors))
        return diffusion * drift * self.dt + math.sqrt(2 * self.dt) * np.sqrt(diffusion) * noise

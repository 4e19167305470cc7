"""Selection of the faster sum, direct or on a mesh, for each structure."""

from __future__ import annotations

import math

from torch import Tensor, nn

from ase_les.electrostatics.blocked_ewald import BlockedEwaldSum
from ase_les.electrostatics.ewald import AnalyticEwaldSum
from ase_les.electrostatics.layout import Layout
from ase_les.electrostatics.particle_mesh import AnalyticParticleMesh, MeshSettings
from ase_les.electrostatics.reciprocal import ReciprocalSum, SumPlan
from ase_les.electrostatics.wave_vectors import ReciprocalKernel
from ase_les.kernels.library import Kernels

# Measured on one core, energy and gradients of one channel, in nanoseconds: without or with
# compiled kernels per wave vector and atom of the direct sum; per mesh point (its share of both
# transforms); without or with kernels per mesh point within an atom's spline and the overhead of a
# mesh sum. Only ratios matter.
_PER_WAVE = {False: 1.1, True: 0.35}
_PER_MESH_POINT = 40.0
_PER_TOUCHED_POINT = {False: 8.0, True: 1.0}
_MESH_OVERHEAD = {False: 5e5, True: 0.0}
# Direct sums per energy where electrons of a metal equilibrate; sums among its atoms on a mesh take
# a small part of the time of the mesh sum.
_SUMS_OF_METAL = 3
# Mesh points per atom above which the box counts as too large.
_POINTS_PER_ATOM = 20_000
# Maximum numbers of wave vectors and mesh points kept in memory: 200 to 400 MB.
_MOST_WAVES, _MOST_POINTS = 2**21, 2**22


class AutoSum(nn.Module):
    """Reciprocal sum by the faster of two methods, with hand-written gradients (inference).

    The mesh is faster above a few hundred atoms; smaller structures are summed directly, which is
    exact. Few atoms in a box with too many wave vectors for the memory are summed on the mesh or,
    if that is too large as well, in blocks.

    Method and mesh depend only on the number of atoms and on the cell. Where a changing cell
    switches from one mesh to the next, the energy has a step of the size of the mesh error:
    5e-9 eV per atom in liquid water at the default accuracy of 1e-4.

    Parameters
    ----------
    kernel : ReciprocalKernel
    accuracy : float
        Relative error of the long-range forces when a mesh is used.
    equilibrates : bool
        Whether electrons of a metal equilibrate, which takes several sums.
    """

    def __init__(self, kernel: ReciprocalKernel, accuracy: float, equilibrates: bool = False):
        super().__init__()
        self._n_sums = _SUMS_OF_METAL if equilibrates else 1
        self.direct = AnalyticEwaldSum(kernel)
        self.blocked = BlockedEwaldSum(kernel)
        self.mesh = AnalyticParticleMesh(kernel, MeshSettings.reaching(accuracy, kernel.smearing))
        self._has_kernels = False

    def use_kernels(self, kernels: Kernels) -> None:
        """Use the costs with kernels; the sums switch to kernels separately."""
        self._has_kernels = True

    def plan(self, cell: Tensor, layout: Layout, truncated: bool = False) -> SumPlan:
        """Return the plan of the faster method, see `ReciprocalSum`."""
        return self.choose(cell, layout).plan(cell, layout, truncated)

    def forward(
        self,
        positions: Tensor,
        charges: Tensor,
        cell: Tensor,
        layout: Layout,
        plan: SumPlan | None = None,
    ) -> Tensor:
        """Return energies (S,) in eV, see `ReciprocalSum`."""
        plan = plan or self.plan(cell, layout)
        return plan.method(positions, charges, cell, layout, plan)

    def choose(self, cell: Tensor, layout: Layout) -> ReciprocalSum:
        """Return the faster of the two sums for cells (S, 3, 3) and their atoms."""
        first, second, third = self.direct.kernel.index_bounds(cell)
        n_atoms = layout.n_structures * layout.width
        n_waves = (first + 1) * (2 * second + 1) * (2 * third + 1)
        n_points = layout.n_structures * math.prod(self.mesh.mesh_size(cell))
        direct = self._n_sums * _PER_WAVE[self._has_kernels] * n_atoms * n_waves
        touched = n_atoms * self.mesh.settings.order**3
        mesh = _PER_TOUCHED_POINT[self._has_kernels] * touched + _PER_MESH_POINT * n_points
        mesh += _MESH_OVERHEAD[self._has_kernels]
        if direct <= mesh and n_waves <= _MOST_WAVES:
            return self.direct
        if n_points > max(_MOST_POINTS, _POINTS_PER_ATOM * n_atoms):
            return self.blocked
        return self.mesh

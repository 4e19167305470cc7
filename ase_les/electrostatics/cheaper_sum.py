"""Direct sum or mesh, whichever takes less time for the structure at hand."""

from __future__ import annotations

import math

from torch import Tensor, nn

from ase_les.electrostatics.ewald import AnalyticEwaldSum
from ase_les.electrostatics.layout import Layout
from ase_les.electrostatics.particle_mesh import AnalyticParticleMesh, MeshSettings
from ase_les.electrostatics.wave_vectors import ReciprocalKernel

# Measured on one core of an AVX-512 CPU, energy and gradients of one channel, in nanoseconds:
# a wave vector of the direct sum per atom, a mesh point touched by an atom, a point of the mesh
# with its share in both transforms, and the calls around a mesh sum. Only ratios matter.
_WAVE, _TOUCH, _POINT, _CALLS = 1.1, 8.0, 40.0, 5e5

# The other sum must be this much cheaper to be taken instead of the one in use: atoms that move
# in a breathing cell must not hop between two energies that differ by the error of the mesh.
_RELUCTANCE = 1.5


class CheaperSum(nn.Module):
    """The reciprocal sum by the faster of two methods, with hand-written gradients (inference).

    From some hundreds of atoms on that is the mesh; below, the direct sum, which is exact.

    Parameters
    ----------
    kernel : ReciprocalKernel
    accuracy : float
        Relative error of the long-range forces when a mesh is used.
    """

    def __init__(self, kernel: ReciprocalKernel, accuracy: float):
        super().__init__()
        self.direct = AnalyticEwaldSum(kernel)
        self.mesh = AnalyticParticleMesh(kernel, MeshSettings.reaching(accuracy, kernel.smearing))
        self._in_use: str | None = None

    def forget(self) -> None:
        """Choose anew at the next call, as a new sum would."""
        self._in_use = None
        self.mesh.forget()

    def forward(self, positions: Tensor, charges: Tensor, cell: Tensor, layout: Layout) -> Tensor:
        """Energies (S,) in eV, see `ReciprocalSum`."""
        self._in_use = self.choose(layout.n_structures * layout.width, layout.n_structures, cell)
        return getattr(self, self._in_use)(positions, charges, cell, layout)

    def choose(self, n_atoms: int, n_structures: int, cell: Tensor) -> str:
        """Return "direct" or "mesh": the faster, unless the one in use is hardly slower."""
        first, second, third = self.direct.kernel.index_bounds(cell)
        n_waves = (first + 1) * (2 * second + 1) * (2 * third + 1)
        n_points = n_structures * math.prod(self.mesh.mesh_size(cell))
        cost = {
            "direct": _WAVE * n_atoms * n_waves,
            "mesh": _TOUCH * n_atoms * self.mesh.settings.order**3 + _POINT * n_points + _CALLS,
        }
        if self._in_use is not None:
            cost[self._in_use] /= _RELUCTANCE
        return min(cost, key=cost.get)

"""Results of models and calculators, and derivatives by finite differences."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Sequence

import numpy as np
import torch
from ase import Atoms
from ase.stress import voigt_6_to_full_3x3_strain, voigt_6_to_full_3x3_stress

from ase_les.calculator import LESCalculator
from ase_les.derivatives import differentiate
from ase_les.graph import Graph, batch, graph_from_atoms
from ase_les.model import LESModel
from ase_les.neighbors import NeighborList
from ase_les.testing.findings import Answer
from ase_les.testing.structures import displaced

# Steps of finite differences. The strain is so small that wave vectors rarely cross the cutoff of
# a model whose sum is not converged, where the energy is discontinuous.
_DISPLACEMENT = 1e-4
_STRAIN = 1e-5

# Central difference of fourth order: offsets in steps, and weights.
_STENCIL = ((-2, 1 / 12), (-1, -2 / 3), (1, 2 / 3), (2, -1 / 12))


def answer_of(model: LESModel, atoms: Atoms) -> Answer:
    """Return the result of the reference definition."""
    result = differentiate(model, graph_of(model, atoms), stress=has_stress_tensor(atoms))
    return Answer(
        energy=result.prediction.energy[0].detach(),
        forces=result.forces,
        stress=None if result.stress is None else result.stress[0],
        charges=result.prediction.charges.detach(),
    )


def calculator_answer(calculator: LESCalculator, atoms: Atoms) -> Answer:
    """Return the result of a calculator."""
    with warnings.catch_warnings():
        # Warnings about net charges are expected here.
        warnings.simplefilter("ignore")
        calculator.calculate(atoms, ["energy", "forces"] + ["stress"] * has_stress_tensor(atoms))
    results = calculator.results
    stress = results.get("stress")
    has_charges = "charges" in results
    charges = calculator.get_latent_charges(atoms) if has_charges else None
    return Answer(
        energy=torch.tensor(results["energy"], dtype=torch.float64),
        forces=torch.tensor(results["forces"]),
        stress=None if stress is None else torch.tensor(voigt_6_to_full_3x3_stress(stress)),
        charges=None if charges is None else torch.tensor(charges)[:, None],
    )


def has_stress_tensor(atoms: Atoms) -> bool:
    """Return whether a structure has a stress tensor."""
    return bool(atoms.pbc.sum() >= 2 and atoms.cell.volume > 0)


def graph_of(model: LESModel, atoms: Atoms) -> Graph:
    """Return the graph of a structure for a model."""
    return graph_from_atoms(atoms, NeighborList(model.config.cutoff))


def float64(model: LESModel) -> LESModel:
    """Return a copy in double precision."""
    return copy.deepcopy(model).double()


def numerical_force(model: LESModel, atoms: Atoms, index: int) -> np.ndarray:
    """Return the force (3,) on an atom by central differences of fourth order, in eV/Å."""
    moved = []
    for axis in range(3):
        for offset, _ in _STENCIL:
            shift = np.zeros((len(atoms), 3))
            shift[index, axis] = offset * _DISPLACEMENT
            moved.append(displaced(atoms, shift))
    weights = [weight for _, weight in _STENCIL]
    return -_energies(model, moved).reshape(3, 4) @ weights / _DISPLACEMENT


def numerical_stress(model: LESModel, atoms: Atoms) -> np.ndarray:
    """Return the stress (6,) by central differences of fourth order, in eV/Å³."""
    weights = [weight for _, weight in _STENCIL]
    slopes = []
    for component in np.eye(6):
        deformed = []
        for offset, _ in _STENCIL:
            deformation = voigt_6_to_full_3x3_strain(offset * _STRAIN * component)
            stretched = atoms.copy()
            stretched.set_cell(atoms.cell.array @ deformation, scale_atoms=False)
            stretched.positions = atoms.positions @ deformation
            deformed.append(stretched)
        slopes.append(_energies(model, deformed) @ weights / _STRAIN)
    xx, yy, zz, yz, xz, xy = np.array(slopes) / atoms.get_volume()
    stress = np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])
    if atoms.pbc.all():
        return stress
    normal = np.cross(*atoms.cell.array[atoms.pbc])
    normal /= np.linalg.norm(normal)
    in_plane = np.eye(3) - np.outer(normal, normal)
    return in_plane @ stress @ in_plane


def _energies(model: LESModel, atoms_list: Sequence[Atoms]) -> np.ndarray:
    """Energies without the constants E0, which would reduce the precision of differences."""
    with torch.no_grad():
        prediction = model(batch([graph_of(model, atoms) for atoms in atoms_list]))
    table = model.config.atomic_energies
    constants = [sum(table[symbol] for symbol in atoms.symbols) for atoms in atoms_list]
    return prediction.energy.numpy() - constants

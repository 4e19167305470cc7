"""Label structures with energies, forces and stresses."""

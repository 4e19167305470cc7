"""Latent Ewald Summation (LES) models for ASE: charges and electrostatics learned from forces."""

"""Structures to label: moves, dynamics, packing and selection."""

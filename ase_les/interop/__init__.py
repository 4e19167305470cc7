"""Models of other programs, read without executing their code."""

from ase_les.interop.checkpoint import read_checkpoint

__all__ = ["read_checkpoint"]

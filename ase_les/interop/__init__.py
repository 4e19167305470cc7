"""Models of other programs, read without running anything of theirs."""

from ase_les.interop.checkpoint import read_checkpoint

__all__ = ["read_checkpoint"]

"""``python -m ase_les``: the same as the command ``ase-les``."""

from __future__ import annotations

from ase_les.cli import main

if __name__ == "__main__":
    main()

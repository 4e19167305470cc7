"""The command ``ase-les``, also as ``python -m ase_les``."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence


def main() -> None:
    """Run the command line in this process."""
    _limit_blas_threads(sys.argv[1:])
    from ase_les.cli import main as run

    run()


def _limit_blas_threads(arguments: Sequence[str]) -> None:
    """Limit the BLAS threads of numpy and scipy to ``--threads``, by default one.

    OpenBLAS reads the variable when it is loaded, and otherwise uses all cores. Values set by the
    user are kept.
    """
    if os.environ.get("OMP_NUM_THREADS") or os.environ.get("OPENBLAS_NUM_THREADS"):
        return
    threads = "1"
    for word, following in zip(arguments, [*arguments[1:], ""], strict=True):
        option, _, value = word.partition("=")
        if option == "--threads":
            threads = value or following
    # Other values are refused by the command.
    is_valid = threads.isdecimal() and int(threads) > 0
    os.environ["OPENBLAS_NUM_THREADS"] = threads if is_valid else "1"


if __name__ == "__main__":
    main()

"""Tasks for tests of Dask, importable from its workers."""

import os
import signal
import time

from ase.calculators.emt import EMT


def double(number):
    return 2 * number


def sleepy(seconds):
    time.sleep(seconds)
    return seconds


def failing(number):
    raise ArithmeticError(f"no result for {number}")


def failing_at_250(number):
    if number == 250:
        raise ArithmeticError(f"no result for {number}")
    return number


def dying_once(number, folder):
    """Kill its worker at the first attempt."""
    mark = folder / str(number)
    if not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def deadly(number):
    """Kill its worker if the number is 3."""
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.05)
    return number


class Soft(EMT):
    """A calculator of a different description."""

    def __init__(self):
        super().__init__(asap_cutoff=True)

"""An engine whose calculations always fail."""

from ase.calculators.calculator import Calculator


class Never(Calculator):
    implemented_properties = ["energy", "forces"]  # noqa: RUF012

    def calculate(self, *arguments, **settings):
        raise RuntimeError("no convergence")


def never(settings):
    return Never()

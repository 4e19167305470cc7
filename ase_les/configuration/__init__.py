"""Typed configurations: dataclasses of settings that are checked when they are built or read.

A configuration is a class decorated with `configuration`: a frozen dataclass whose fields pydantic
validates. Numbers, truth values and strings are never converted into each other (except whole
numbers into floats), unknown keys are errors, ranges and units stand in the annotations, and the
docstring describes the fields::

    @configuration
    class Box:
        length: Annotated[float, Gt(0), Unit("Å")]

`ase_les.reports.configuration` makes references and examples of these.
"""

from annotated_types import Ge, Gt, Interval, Le, Len, Lt, MaxLen, MinLen, Unit

from ase_les.configuration.base import (
    ByKind,
    Count,
    Cutoff,
    Element,
    File,
    Files,
    Fraction,
    Name,
    NotNegative,
    Number,
    Pair,
    Positive,
    Seed,
    Text,
    Width,
    Widths,
    configuration,
    from_mapping,
    read_configuration,
    renamed,
)
from ase_les.configuration.kinds import Means
from ase_les.configuration.yaml_files import read_yaml

__all__ = [
    "ByKind",
    "Count",
    "Cutoff",
    "Element",
    "File",
    "Files",
    "Fraction",
    "Ge",
    "Gt",
    "Interval",
    "Le",
    "Len",
    "Lt",
    "MaxLen",
    "Means",
    "MinLen",
    "Name",
    "NotNegative",
    "Number",
    "Pair",
    "Positive",
    "Seed",
    "Text",
    "Unit",
    "Width",
    "Widths",
    "configuration",
    "from_mapping",
    "read_configuration",
    "read_yaml",
    "renamed",
]

"""Normal, area, heights and atomic layers: see `ase_les.simulation.slab_geometry`."""

from ase_les.simulation.slab_geometry import (
    AXES,
    LAYER_GAP_A,
    area_A2,
    gap_A,
    heights_A,
    layer_numbers,
    normal_axis,
    unit_normal,
)

__all__ = [
    "AXES",
    "LAYER_GAP_A",
    "area_A2",
    "gap_A",
    "heights_A",
    "layer_numbers",
    "normal_axis",
    "unit_normal",
]

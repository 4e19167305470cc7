r"""Read structures and labels from files.

Names are those of extended XYZ (``atoms.info`` for a structure, ``atoms.arrays`` for its atoms).
Other formats are read by ASE; its calculator results serve as labels under ASE's names.

==========================================  ======================================================
Entry                                       Use
==========================================  ======================================================
``Lattice``, ``lattice``, ``cell``,         cell; also from comments of i-PI and CP2K
``box``                                     (`ase_les.reading.xyz_comment`)
``pbc``, ``PBC``                            periodic directions; with a cell, by default all three
``charge``; ``total_charge``,               total charge in e; an error if not a number, or if two
``tot_charge``, ``net_charge``,             disagree. An unknown name with "charge" and a whole
``Charge`` …                                number other than 0 is an error
                                            (`ase_les.reading.total_charge`)
initial charges                             not used; reported if they sum to a charge
``spin``                                    2S + 1, for labeling programs
``masses``, ``mass``; ``D``, ``T``          masses in u
``momenta``                                 velocities, in ASE's units
``velocities``, ``velo``, ``vel``           not used; reported
``move_mask``                               fixed atoms and coordinates
``occupancy`` (cif)                         reported if partial; the most frequent element is used
``config_type=IsolatedAtom``                energy of the element, not trained on
``REF_energy`` …                            labels, see `ase_les.reading.labels`
anything else                               not used; reported once per file
==========================================  ======================================================
"""

from ase_les.reading.files import (
    StructureFile,
    all_frames,
    last_frame,
    read_file,
    readable,
    split_name,
    without_slice,
)
from ase_les.reading.notes import Notes

__all__ = [
    "Notes",
    "StructureFile",
    "all_frames",
    "last_frame",
    "read_file",
    "readable",
    "split_name",
    "without_slice",
]

r"""Structures and labels from files: what is read under which names, and what is said of the rest.

Names are those of extended XYZ (``atoms.info`` for a structure, ``atoms.arrays`` for its atoms);
other formats come through ASE, whose calculator results count as labels under ASE's names.

==========================================  ======================================================
Entry                                       What becomes of it
==========================================  ======================================================
``Lattice``, ``lattice``, ``cell``,         cell; so are the comments of i-PI and CP2K
``box``                                     (`ase_les.reading.xyz_text`)
``pbc``, ``PBC``                            periodic directions; a cell without it repeats in three
``charge``; ``total_charge``,               total charge in e; refused if it is no number, or if two
``tot_charge``, ``net_charge``,             disagree. An unknown name with "charge" and a whole
``Charge`` …                                number other than 0 is refused
                                            (`ase_les.reading.total_charge`)
initial charges                             not used; told if they sum to a charge
``spin``                                    2S + 1, for programs that label
``masses``, ``mass``; ``D``, ``T``          masses in u
``momenta``                                 velocities, in ASE's units
``velocities``, ``velo``, ``vel``           told: not used
``move_mask``                               fixed atoms and coordinates
``occupancy`` (cif)                         told if partial: the most frequent element stays
``config_type=IsolatedAtom``                energy of the element, not trained on
``REF_energy`` …                            labels, see `ase_les.reading.labels`
anything else                               told once per file: not used
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

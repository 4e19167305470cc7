r"""Constants and conventions of all inputs and outputs of the package.

============================  ====================================================================
Quantity                      Convention
============================  ====================================================================
energy, length, charge        eV, Å, e (ASE units)
forces                        eV/Å, minus the gradient of the energy
stress                        eV/Å³, Voigt order xx yy zz yz xz xy, tension positive (ASE)
dipole                        e Å, from negative to positive charge
Born effective charges        e, index order [atom, polarization, displacement]
cell                          rows are lattice vectors; reciprocal vectors are 2π cell⁻ᵀ
charges, dipole, current      physical, as polarization and Born charges are: √ε∞ times latent
                              ones in structures with periodic directions and a known ε∞, latent
                              ones in others; ``dielectric_tensor`` records it (`screening`)
potential and field           of latent charges (calculator); in profiles, steps and work functions
                              times 1/√ε∞, as they act on physical charges
sign of charges               mean charges of elements fall with electronegativity (`charges.sign`)
total charge                  ``atoms.info["charge"]`` in e, 0 when absent
training labels               ``REF_energy``, ``REF_forces``, ``REF_stress`` unless configured
============================  ====================================================================
"""

from ase.units import create_units

# ASE's default constants are CODATA 2014, which differ from current ones in the ninth digit.
_CODATA = create_units("2018")

#: Coulomb constant e²/(4πε₀) in eV Å.
COULOMB_CONSTANT = _CODATA["Hartree"] * _CODATA["Bohr"]

#: Bohr radius in Å.
BOHR = _CODATA["Bohr"]

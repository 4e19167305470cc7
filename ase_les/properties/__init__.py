"""Properties of structures and trajectories, for any ASE calculator."""

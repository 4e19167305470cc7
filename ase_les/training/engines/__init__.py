"""Programs that label structures, and their ASE calculators."""

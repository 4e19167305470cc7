"""Sample and label structures, and train models on them."""

"""Train models on labeled structures, and evaluate them."""

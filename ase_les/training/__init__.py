"""From labelled structures to a model."""

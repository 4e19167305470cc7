"""Label, train and explore until a model meets its criterion."""

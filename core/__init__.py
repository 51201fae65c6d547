"""What the words mean: values, seams, errors, settings, and the two roads, searching and indexing."""

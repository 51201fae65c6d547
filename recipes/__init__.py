"""Scripts that prepare training data and build the models and the corpus that ship."""

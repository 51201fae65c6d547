"""Training: from labelled data to a model folder."""

"""Training: from judgments to a model folder."""

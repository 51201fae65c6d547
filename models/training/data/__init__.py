"""Training data: file formats, datasets, batches, hard negatives and teacher scores."""

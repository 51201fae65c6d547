"""Network architectures of the models."""

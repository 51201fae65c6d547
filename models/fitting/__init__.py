"""What is fitted to judgments and stored beside a model: how its logits combine, and what a score means."""

"""Fits the fusion, the calibration and the cut-off of a model to judgments, and stores them with the model."""

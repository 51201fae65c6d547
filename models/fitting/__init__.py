"""Fits fusion, calibration and cut-off of a model to judgments, and stores them with the model."""

"""Fits of the model to measurements."""

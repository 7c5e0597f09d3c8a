"""Layers of torch models whose products are made by arrays."""

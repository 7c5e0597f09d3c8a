"""Measurements: files, records, and what a device would have given."""

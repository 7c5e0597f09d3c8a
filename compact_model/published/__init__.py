"""The published facts, and what the model answers to each."""

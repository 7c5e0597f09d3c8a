"""Configurations: schema, cards, contradictions."""

"""Cards: documents with units, provenance and line numbers."""

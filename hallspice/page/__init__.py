"""Pages: sections, tables, style, provenance."""

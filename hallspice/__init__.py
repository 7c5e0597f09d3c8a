"""YAML configuration, command line and reports."""

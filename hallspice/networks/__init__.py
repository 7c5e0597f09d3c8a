"""Networks of a configuration: trained, kept, and on many chips."""

"""One SOT Hall bar: geometry, switching, levels and their provenance, vectorised over devices."""

"""`hallspice read` and `hallspice netlist`: one array."""

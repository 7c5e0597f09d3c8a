"""`hallspice paper`: the paper's networks."""

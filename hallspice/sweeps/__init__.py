"""`hallspice sweep`: a configuration over values of its keys."""

"""`hallspice write`: an array programmed."""

"""`hallspice run`: accuracy, energy and certificate of a network."""

"""Networks and devices in ngspice: decks, the simulator, its limits."""

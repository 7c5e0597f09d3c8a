"""Networks trained on the levels of the device and evaluated through the circuit."""

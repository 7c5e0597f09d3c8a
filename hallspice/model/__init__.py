"""`hallspice export` and `verify`: the device for other simulators."""

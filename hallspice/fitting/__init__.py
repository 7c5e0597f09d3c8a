"""`hallspice fit`, `measure` and `levels`: cards from measurements."""

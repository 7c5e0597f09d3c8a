"""`hallspice device`: a card beside the published facts."""

"""`hallspice compare`: architectures side by side."""

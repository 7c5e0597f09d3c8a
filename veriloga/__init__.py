"""The compact model as Verilog-A and SPICE text."""

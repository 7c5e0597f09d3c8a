"""What a read gives: noise, settling, calibration, converters, errors, energy."""

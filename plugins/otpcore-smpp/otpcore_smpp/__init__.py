"""SMPP 3.4 for otpcore."""

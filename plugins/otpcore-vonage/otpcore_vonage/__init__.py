"""Vonage Verify v2 for otpcore."""

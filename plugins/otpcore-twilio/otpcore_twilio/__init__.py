"""Twilio Verify for otpcore."""

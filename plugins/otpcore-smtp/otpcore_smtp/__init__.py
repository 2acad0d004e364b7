"""E-mail over SMTP for otpcore."""

"""AWS End User Messaging SMS, and SNS, for otpcore."""

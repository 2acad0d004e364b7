"""Any REST gateway for otpcore, by configuration."""

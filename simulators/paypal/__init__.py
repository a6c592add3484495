"""PayPal, simulated."""

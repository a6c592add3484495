"""Stripe, from the other side."""

"""Midtrans, simulated: the Core API for QRIS and GoPay, with its notifications."""

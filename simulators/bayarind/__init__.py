"""Bayarind, simulated: inserts, questions, voids, and payment flags whose answer decides; classic and by SNAP BI."""

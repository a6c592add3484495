"""Crash rounds: real processes are killed at chosen moments while payments run, then both ledgers are compared."""

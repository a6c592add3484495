"""Live events of a store as server-sent events, from an ASGI process of its own.

Thousands of idle screens hang on one process, so nothing here takes a thread, a connection to the database or a query
for a screen that waits. Every screen of a store is told from one reading of the outbox.
"""

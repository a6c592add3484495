"""The parts of `make demo`: places, processes, seeding, the story, and the merchant at the other end of it."""

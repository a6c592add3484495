"""iPaymu, simulated: direct and redirect payments of its API v2, check transaction and history, with its callbacks."""

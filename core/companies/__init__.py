"""Companies that more than one domain talks to: what their APIs share, in nobody's domain words."""

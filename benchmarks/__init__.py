"""What `make bench` runs: Lango over HTTP against plain code, side by side. See docs/performance.md."""

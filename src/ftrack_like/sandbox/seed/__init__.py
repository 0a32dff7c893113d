"""The rows of a fresh site, of the demo project, and of large studios for benchmarks."""

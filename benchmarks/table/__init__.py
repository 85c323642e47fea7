"""Score every generative model of the book: make table, or python -m benchmarks.table."""

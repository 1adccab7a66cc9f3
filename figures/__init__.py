"""Data in, a matplotlib Figure out; nothing else draws. One figure a file: import `figures.NAME`."""

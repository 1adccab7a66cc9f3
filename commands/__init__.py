"""What stands behind `cadence`: one command a file, and the ways in which they fail."""

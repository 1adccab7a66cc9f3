"""What a run leaves behind: its directory, metrics.csv, checkpoints, result.json and the environment."""

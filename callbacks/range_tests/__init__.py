"""The range tests' engine: copies trained beside the run, rules on their losses, and what came out."""

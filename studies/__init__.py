"""Many runs at once: cells of a grid, their launchers, the table that they fill, its statistics, claims and report."""

SCALES = ("smoke", "laptop", "full")  # from the smallest to the published one

"""A network layer by layer: shapes, counts, receptive fields."""

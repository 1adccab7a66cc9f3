"""Everything that follows from (seed, step): positions, keys, draws, samples, batches and schedules. No Lightning."""

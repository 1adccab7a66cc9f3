"""What a study found, as a page that needs nothing else, and as files for a paper."""

"""Many files in one run: resuming, sharing work, and reading, restoring and writing at the same time."""

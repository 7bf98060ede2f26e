"""Where a record comes from (bundle, prefetch, server) and how it becomes facts."""

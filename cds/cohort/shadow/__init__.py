"""The report on a shadow phase: what would have been shown, and what a coordinator says of it."""

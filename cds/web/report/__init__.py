"""The determination page: behind a card, every criterion with its evidence."""

"""What is kept of each hook call: decision records, and where asked for what was read."""

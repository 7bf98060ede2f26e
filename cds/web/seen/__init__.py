"""What an operator sees of the running service: log, traces, and who looked into which chart."""

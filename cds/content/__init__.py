"""Trials and mappings: strict YAML and tables with line numbers, checks, cases, review page."""

"""Attestation: what a person answers to the criteria that no record can decide."""

"""Characteristics and how criteria are decided from facts: pure, no clock, no input or output."""

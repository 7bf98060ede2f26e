"""Screening on many machines with Apache Spark: `pip install trial-cds[spark]`."""

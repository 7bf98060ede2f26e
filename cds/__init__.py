"""Clinical trial eligibility at the point of care: records in, determinations out."""

__version__ = "0.1.0"

"""The review page live: a trial beside its protocol, its cases, and what it says of a patient."""

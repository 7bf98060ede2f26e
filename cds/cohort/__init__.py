"""Many patients: an export grouped by patient, evaluated in all cores, and what comes of it."""

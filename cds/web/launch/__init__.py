"""SMART App Launch: from the EHR's own menu to the determination page."""

"""From determinations to CDS Hooks cards: what a clinician reads between two patients."""

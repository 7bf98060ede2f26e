"""What coordinators and feasibility teams ask of a screening, as a page and on a terminal."""

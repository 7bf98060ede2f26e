"""One file for each change of the tables; a released file is never changed."""

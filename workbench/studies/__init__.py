"""Studies: what is trained and measured for the figures, as functions that return tables."""

"""Figures: one pure function each, table in, matplotlib Figure out."""

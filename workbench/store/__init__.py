"""Run records: one folder a run, checkpoints that survive a kill, tables that DuckDB reads."""

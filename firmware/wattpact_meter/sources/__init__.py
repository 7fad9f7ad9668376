"""What measures: one module a source."""

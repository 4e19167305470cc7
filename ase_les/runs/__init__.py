"""Files, records, provenance, progress and worker processes of a calculation."""

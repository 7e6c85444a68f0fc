"""SQLMesh with audits, in an environment of its own."""

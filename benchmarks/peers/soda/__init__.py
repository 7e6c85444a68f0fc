"""Soda Core, in an environment of its own."""

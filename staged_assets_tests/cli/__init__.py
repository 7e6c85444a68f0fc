"""The command, as a person and as a machine uses it."""

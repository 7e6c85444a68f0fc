"""What goes wrong: processes killed anywhere, sources and disks that fail."""

"""From failed checks, failed runs and stale data to people: once, without personal data, and when it is over."""

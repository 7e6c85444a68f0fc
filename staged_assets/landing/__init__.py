"""Into the raw area: append-only, text, nothing refused."""

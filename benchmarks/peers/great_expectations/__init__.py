"""Great Expectations, in an environment of its own."""

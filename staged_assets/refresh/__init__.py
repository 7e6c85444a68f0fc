"""How refreshes are started: the launcher that forks runs from a warm process."""

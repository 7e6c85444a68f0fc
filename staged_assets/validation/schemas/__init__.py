"""The Pandera schemas of the fourteen, by the system that usually feeds them."""

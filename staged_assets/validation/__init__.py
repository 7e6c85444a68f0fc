"""What must hold of the staged datasets: Pandera schemas, the audit before publishing, checks on what is published."""

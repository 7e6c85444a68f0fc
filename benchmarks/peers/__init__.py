"""What others do with the same raw data, to be compared with."""

"""The refresh of the staged datasets."""

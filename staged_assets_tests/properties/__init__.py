"""The guarantees 1 to 7 of the staged datasets, each as a property of random histories."""

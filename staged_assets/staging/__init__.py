"""The refresh of the staged datasets: the dbt project's handle, its runner, the refresh itself, and its assets."""

"""Tests. A package, so that its folder (with rooms named `dbt`, `demo`, …) is never itself on the import path."""

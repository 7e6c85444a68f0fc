"""Northwind for PostgreSQL: its tables with their own names and types, and a few made-up rows."""

from pathlib import Path

SCRIPT = Path(__file__).parent / "northwind.sql"

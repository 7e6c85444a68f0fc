"""A stand-in for SQL Server, for none can be had where these tests run: its protocol, its dialect, DuckDB's tables.

What it shows: that the driver and SQLAlchemy's dialect get on with it, that what is asked is T-SQL, how values and
messages come. What it can't show: how a real server locks, plans or loads, and what its types do beyond the wire.
"""

from staged_assets_tests.sql_server.server import PASSWORD, SqlServer, certificate, sql_server

__all__ = ["PASSWORD", "SqlServer", "certificate", "sql_server"]

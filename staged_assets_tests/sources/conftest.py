"""What the connectors' tests share."""

from staged_assets_tests.mariadb import mariadb_port
from staged_assets_tests.postgres import postgres_server
from staged_assets_tests.sources.shops import shop
from staged_assets_tests.sql_server import certificate, sql_server

__all__ = ["certificate", "mariadb_port", "postgres_server", "shop", "sql_server"]

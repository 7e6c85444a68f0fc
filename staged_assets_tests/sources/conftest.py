"""What the connectors' tests share."""

from staged_assets_tests.postgres import postgres_server

__all__ = ["postgres_server"]

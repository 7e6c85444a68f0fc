"""The whole product, from source systems to outputs."""

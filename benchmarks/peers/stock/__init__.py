"""The stock stack: `@dbt_assets` through `DbtCliResource`, dbt tests, Pandera on pandas as asset checks."""

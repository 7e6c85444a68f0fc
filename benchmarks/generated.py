"""Raw rows made in the engine: a warehouse as large as wanted, in seconds, nearly all of them clean.

Of a hundred sales and orders one has a second version, and of a thousand each two are rejected and five have a value
that cleansing nulls. Newer rows have higher keys and later days, as those of real systems have.
"""

from collections.abc import Callable

from duckdb import DuckDBPyConnection

from staged_assets.landing.layout import DATASETS
from staged_assets.landing.raw_area import prepare

#: Sales for each row of the dataset; those that are not named have a set number of rows.
PROPORTIONS = {
    "sales": 1, "orders": 2, "interactions": 4, "loyalty_activities": 4, "consumers": 10, "inventory": 100,
    "items": 100,
}  # fmt: skip
SET_ROWS = {
    "audience_segments": 30, "location_dimension": 200, "media_channels": 30, "offers": 300, "shops": 400,
    "suppliers": 500, "touchpoints": 30,
}  # fmt: skip
SALES_BEFORE = "2026-01-01"
_SYSTEMS = {
    "items": "erp", "inventory": "erp", "location_dimension": "erp", "suppliers": "erp", "shops": "erp",
    "offers": "ecommerce", "orders": "ecommerce", "sales": "ecommerce",
}  # fmt: skip
_VERSIONED = ("sales", "orders")
#: Every row so many is rejected, has an unusable value, has a second version.
_REJECTED, _DEFECTIVE, _TWICE = 500, 200, 100

_COUNTRY = "['France', 'Germany', 'United Kingdom', 'Spain', 'Portugal', 'Italy'][1 + i % 6]"
_CITY = "['Paris', 'Berlin', 'London', 'Madrid', 'Lisbon', 'Rome'][1 + i % 6]"
_RARE = f"i % {_REJECTED} = 7"
_ODD = f"i % {_DEFECTIVE} = 3"

#: dataset → its business columns as text, of a row number `i`, the number of `rows` and of the dataset's `{parent}`s.
_VALUES: dict[str, str] = {
    "audience_segments": "i, 'Segment of loyal customers ' || i, 'Buys often'",
    "consumers": f"""i, 'Ada Example ' || i, 'ada.' || i || '@mail' || i % 97 || '.co.uk', {_CITY},
        '+44 20 7946 ' || lpad((i % 10000)::varchar, 4, '0'), (date '1950-01-01' + (i % 18000)::integer)::varchar,
        i % 300 || ' High Street', i % 5000, {_COUNTRY}""",
    "interactions": """i, 1 + i % {consumers}, 1 + i % 30, {day}, ['Phone', 'E-mail', 'Chat'][1 + i % 3],
        ['open', 'resolved', 'closed'][1 + i % 3], 'Asked about order ' || i""",
    "inventory": """i, 1 + i % {items}, i % 900, 100, 'Hall ' || i % 12,
        strftime(date '2025-06-01' + (i % 200)::integer, '%d.%m.%Y')""",
    "items": f"""i, 'Kettle no. ' || i, (1 + i % 900) || ',95', 'Kitchen', i % 500, 'Supplier ' || i % 500,
        '1,' || i % 10 || ' kg', 'Brand ' || i % 50, {_COUNTRY}, null""",
    "location_dimension": f"i, {_CITY}, {_COUNTRY}",
    "loyalty_activities": """i, 1 + i % {consumers}, {day}, ['earn', 'redeem'][1 + (i // 7 % 2)],
        case when i // 7 % 2 = 0 then 10 + i % 90 end, case when i // 7 % 2 = 1 then 5 + i % 5 end, i % 5000""",
    "media_channels": "i, 'Paid search ' || i, 'Advertising beside results'",
    "offers": f"""i, 'Winter ' || i, 5 + i % 60 || '%', '2025-01-01', '2026-12-31', 'While stocks last', 'WINTER' || i,
        100000, {_COUNTRY}""",
    "orders": f"""i, 1 + i % {{items}}, 1 + i % 500, case when {_RARE} then 'soon' else {{day}} end,
        case when {_ODD} then 'many' else (1 + i % 9)::varchar end, ['placed', 'shipped', 'delivered'][1 + i % 3],
        {{later}}, 1 + i % {{consumers}}, (1 + i % 90) || '.' || 10 + i % 90""",
    "sales": f"""i, case when {_RARE} then 'soon' else {{day}} || ' ' || (time '00:00:00'
            + to_seconds(i % 86400))::varchar end,
        1 + i % 400, 1 + i % {{consumers}}, 1 + i * 7 % {{items}}, case when i % 5 = 0 then 1 + i % 300 end,
        case when {_ODD} then 'many' else (case when i % 50 = 0 then -1 else 1 end * (1 + i % 5))::varchar end,
        case when i % 50 = 0 then '-' else '' end || (1 + i % 900) || '.' || 10 + i % 90,
        ['Card', 'cash', 'wallet', 'voucher'][1 + i % 4], ['Delivered', 'Shipped', 'Placed'][1 + i % 3],
        {{later}}, case when i % 10 > 0 then 'Delivered' end, {_COUNTRY}""",
    "shops": f"""i, 'Shop ' || i, {_CITY}, 'store', 1900 + i % 120, 'Owner ' || i, 'shop.' || i || '@retail.co.uk',
        {_COUNTRY}""",
    "suppliers": f"""i, 'Supplier ' || i, 'Contact ' || i, 'supplier.' || i || '@trade.co.uk',
        '+44 20 7946 ' || lpad((i % 10000)::varchar, 4, '0'), i || ' Dock Road', {_COUNTRY}""",
    "touchpoints": "i, 'Till no. ' || i, 'Purchase in a store'",
}


def rows_of(dataset: str, sales: int) -> int:
    """How many rows a dataset has beside so many sales, without second versions."""
    return max(1, sales // PROPORTIONS[dataset]) if dataset in PROPORTIONS else SET_ROWS[dataset]


def make_raw(connection: DuckDBPyConnection, sales: int, on_progress: Callable[[str], None] = lambda line: None) -> int:
    """Fill the raw area of an empty warehouse.

    Returns:
        how many raw rows there are.
    """
    prepare(connection)
    total = 0
    for dataset in DATASETS:
        rows = rows_of(dataset, sales)
        on_progress(f"raw {dataset}: {rows:,} rows")
        connection.execute(f"insert into raw.{dataset} by name {_select(dataset, rows, sales)}")
        if dataset in _VERSIONED:
            where = f"_landing_id % {_TWICE} = 1 and _landing_id <= {rows}"
            connection.execute(f"insert into raw.{dataset} by name {_second_versions(dataset, where, rows)}")
        found = connection.execute(f"select count(*) from raw.{dataset}").fetchone()
        total += int(found[0]) if found else 0
    connection.execute("checkpoint")
    return total


def _select(dataset: str, rows: int, sales: int) -> str:
    values = _values(dataset, rows, sales)
    columns = ", ".join(DATASETS[dataset].columns)
    business = ", ".join(f"{name}::varchar as {name}" for name in DATASETS[dataset].columns)
    system = _SYSTEMS.get(dataset, "crm")
    return f"""
        select {business}, null::varchar as _extra, md5('{dataset}' || i) as _raw_row_id, '{system}' as _source_system,
            timestamp '2024-01-01' + to_seconds((i * 60000000 // {rows})::bigint) as _source_updated_at,
            timestamp '2026-01-02' as _landed_at, i as _landing_id, 'upsert' as _operation
        from (select i, {values} from range(1, {rows} + 1) as numbers(i)) as made(i, {columns})"""


def _values(dataset: str, rows: int, sales: int) -> str:
    day = f"(date '2023-01-01' + (i * 1095 // {rows})::integer)"
    return _VALUES[dataset].format(
        consumers=rows_of("consumers", sales), items=rows_of("items", sales),
        day=f"{day}::varchar", later=f"({day} + (1 + i % 9)::integer)::varchar",
    )  # fmt: skip


def _second_versions(dataset: str, where: str, rows: int) -> str:
    return f"""
        select * replace (
            '1' as consumer_id, md5(_raw_row_id) as _raw_row_id, {rows} + row_number() over () as _landing_id,
            _source_updated_at + interval 1 hour as _source_updated_at)
        from raw.{dataset} where {where}"""

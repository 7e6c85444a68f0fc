"""The rules of `stg_sales` for Pandera's pandas backend, as one would write them there, to compare with."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pandera.pandas as pa

from staged_assets.catalogue import DATASETS

METHODS = ("card", "cash", "transfer", "wallet", "voucher", "cash_on_delivery", "other")
KNOWN = frozenset(DATASETS["sales"].columns)

_tidy = pa.Check(lambda values: (values != "") & (values == values.str.strip()), name="tidy")
_code = pa.Check.str_matches(r"^[A-Z]{2}$")
_md5 = pa.Check(lambda values: values.str.len() == 32, name="md5")
_known = pa.Check(lambda values: values.map(KNOWN.issuperset), name="known_columns")


def _days(before: pd.Series, after: pd.Series) -> pd.Series:
    return (after.dt.normalize() - before.dt.normalize()).dt.days


def _same(one: pd.Series, other: pd.Series) -> pd.Series:
    return (one == other) | (one.isna() & other.isna())


def _near(one: pd.Series, other: pd.Series) -> pd.Series:
    return ((one - other).abs() <= 0.0001) | (one.isna() & other.isna())


def _missing_at_most(column: str, share: float) -> pa.Check:
    return pa.Check(lambda frame: bool(frame[column].isna().mean() <= share), name=f"{column}__missing_share")


def _not_constant(column: str) -> pa.Check:
    return pa.Check(lambda frame: frame[column].nunique() > 1, name=f"{column}__not_constant")


def _row(name: str, holds: Callable[[pd.DataFrame], pd.Series]) -> pa.Check:
    return pa.Check(holds, name=name, ignore_na=False)


_any = pa.Column(nullable=True)
_required = pa.Column(nullable=False)

SALES = pa.DataFrameSchema(
    {
        "sale_id": pa.Column("int64", nullable=False, unique=True),
        "sale_date": _required,
        **dict.fromkeys(("shop_id", "consumer_id", "item_id", "offer_id", "quantity", "total_price"), _any),
        "payment_method": pa.Column(checks=pa.Check.isin(METHODS), nullable=True),
        "order_status": pa.Column(checks=_tidy, nullable=True),
        "delivery_date": _any,
        "delivery_status": pa.Column(checks=_tidy, nullable=True),
        "country": pa.Column(checks=_tidy, nullable=True),
        "country_code": pa.Column(checks=_code, nullable=True),
        **dict.fromkeys(("sold_at", "unit_price", "is_return", "days_to_deliver"), _any),
        "_raw_row_id": pa.Column(checks=_md5, nullable=False),
        "_source_system": pa.Column(checks=_tidy, nullable=False),
        "_source_updated_at": _any,
        "_landed_at": _required,
        "_staged_at": _required,
        "_cleansed": pa.Column(checks=_known, nullable=False),
        "_cell_defects": _required,
    },
    checks=[
        _row("unit_price", lambda f: _near(f["unit_price"], f["total_price"] / f["quantity"].replace(0, np.nan))),
        _row("sign_of_quantity", lambda f: ~(np.sign(f["total_price"]) * np.sign(f["quantity"]) < 0)),
        _row("is_return", lambda f: _same(f["is_return"], f["quantity"] < 0)),
        _row("not_before_sale_date", lambda f: ~(f["delivery_date"] < f["sale_date"])),
        _row("days_to_deliver", lambda f: _same(f["days_to_deliver"], _days(f["sale_date"], f["delivery_date"]))),
        _row("sold_at", lambda f: _days(f["sale_date"], f["sold_at"]).fillna(0).between(-1, 1)),
        _row("country_code", lambda f: f["country"].isna() == f["country_code"].isna()),
        _row("not_in_future", lambda f: ~(_days(f["_staged_at"], f["sale_date"]) > 1)),
        _row("not_after_landing", lambda f: ~(f["_source_updated_at"] - f["_landed_at"] > pd.Timedelta(hours=24))),
        _row("not_before_landing", lambda f: ~(f["_staged_at"] < f["_landed_at"])),
        *(_missing_at_most(column, 0.10) for column in ("item_id", "quantity", "total_price")),
        _missing_at_most("shop_id", 0.50),
        *(_not_constant(column) for column in ("payment_method", "quantity")),
        pa.Check(lambda frame: bool((frame["_cell_defects"].map(len) > 0).mean() <= 0.25), name="cell_defects"),
    ],
    strict=True,
    ordered=True,
    name="stg_sales",
)

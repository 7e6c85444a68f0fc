"""The five rules as expectations."""

from typing import Any

import great_expectations as gx
import great_expectations.expectations as gxe

from benchmarks.validation_ways import METHODS

#: What the rules need.
COLUMNS = "sale_id, payment_method, country_code, sale_date, delivery_date"

RULES = [
    gxe.ExpectColumnValuesToNotBeNull(column="sale_id"),
    gxe.ExpectColumnValuesToBeUnique(column="sale_id"),
    gxe.ExpectColumnValuesToBeInSet(column="payment_method", value_set=list(METHODS)),
    gxe.ExpectColumnValuesToMatchRegex(column="country_code", regex="^[A-Z]{2}$"),
    gxe.ExpectColumnPairValuesAToBeGreaterThanB(
        column_A="delivery_date", column_B="sale_date", or_equal=True, ignore_row_if="either_value_is_missing"
    ),
]


def context() -> Any:
    """A context of which nothing is left."""
    return gx.get_context(mode="ephemeral")


def expect(batch: Any) -> None:
    """Validate; what does not hold, or can't be found out, is an error."""
    result = batch.validate(gx.ExpectationSuite(name="sales", expectations=RULES))
    for one in result.results:
        raised = one.exception_info
        for each in [raised, *raised.values()]:
            if isinstance(each, dict) and each.get("raised_exception"):
                raise RuntimeError(each["exception_message"])
    if not result.success:
        raise RuntimeError(str([one for one in result.results if not one.success]))

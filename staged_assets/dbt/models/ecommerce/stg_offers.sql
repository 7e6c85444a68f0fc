{{ staged_config('offers', 'offer_id') }}

select
    offer_id,
    offer_name,
    discount,
    valid_from,
    valid_to,
    terms,
    offer_code,
    max_usage,
    country,
    country_code,
    case
        when discount is not null then 'percentage'
        when discount_amount is not null then 'amount'
    end as discount_type,
    discount_amount,
    {{ dbt.datediff('valid_from', 'valid_to', 'day') }} + 1 as duration_days,
    {{ staged_metadata() }}
from {{ winners('offers') }} as winners

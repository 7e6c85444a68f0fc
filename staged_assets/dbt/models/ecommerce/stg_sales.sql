{{ staged_config('sales', 'sale_id') }}

select
    sale_id,
    sale_date,
    shop_id,
    consumer_id,
    item_id,
    offer_id,
    quantity,
    total_price,
    payment_method,
    order_status,
    delivery_date,
    delivery_status,
    country,
    country_code,
    sold_at,
    {{ unit_price('total_price', 'quantity') }} as unit_price,
    quantity < 0 as is_return,
    {{ dbt.datediff('sale_date', 'delivery_date', 'day') }} as days_to_deliver,
    {{ staged_metadata() }}
from {{ winners('sales') }} as winners

{{ staged_config('orders', 'order_id') }}

select
    order_id,
    item_id,
    supplier_id,
    order_date,
    quantity_ordered,
    order_status,
    expected_delivery_date,
    consumer_id,
    unit_price,
    try_cast(quantity_ordered * unit_price as decimal(18, 4)) as order_value,
    {{ dbt.datediff('order_date', 'expected_delivery_date', 'day') }} as lead_time_days,
    case
        when order_status in ('placed', 'confirmed', 'shipped') then true
        when order_status in ('delivered', 'cancelled', 'returned') then false
    end as is_open,
    {{ staged_metadata() }}
from {{ winners('orders') }} as winners

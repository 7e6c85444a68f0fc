{{ staged_config('inventory', 'inventory_id') }}

with levels as ({{ inventory_levels() }})

select
    winners.inventory_id,
    winners.item_id,
    winners.quantity_on_hand,
    winners.reorder_level,
    winners.warehouse_location,
    winners.last_updated,
    winners.quantity_on_hand < winners.reorder_level as is_below_reorder_level,
    case
        when winners.quantity_on_hand <= 0 then 'out_of_stock'
        when winners.quantity_on_hand < winners.reorder_level then 'low'
        when winners.quantity_on_hand > 0 then 'in_stock'
    end as stock_status,
    winners.quantity_on_hand - levels.quantity_before as quantity_change,
    {{ staged_metadata() }}
from {{ winners('inventory') }} as winners
left join levels on levels._landing_id = winners._landing_id

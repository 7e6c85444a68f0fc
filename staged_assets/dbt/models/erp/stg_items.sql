{{ staged_config('items', 'item_id') }}

select
    winners.item_id,
    winners.item_name,
    winners.item_price,
    winners.category,
    winners.stock_quantity,
    winners.supplier,
    winners.weight,
    winners.brand,
    winners.country,
    winners.country_code,
    winners.weight_unit_given,
    {{ slug('winners.category') }} as category_slug,
    price_bands.price_band,
    winners.gtin,
    winners.stock_quantity > 0 as is_in_stock,
    {{ staged_metadata() }}
from {{ winners('items') }} as winners
left join {{ ref('price_bands') }} as price_bands
    on winners.item_price >= price_bands.lower_bound
    and (winners.item_price < price_bands.upper_bound or price_bands.upper_bound is null)

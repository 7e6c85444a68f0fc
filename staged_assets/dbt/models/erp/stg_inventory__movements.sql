{{ config(
    materialized='audited', dataset='inventory', replaces='inventory_id in (select _key from {base})'
) }}

with levels as ({{ inventory_levels() }})

select
    base.inventory_id,
    base.item_id,
    base.warehouse_location,
    row_number() over (partition by base.inventory_id order by levels.version) as movement_number,
    base.last_updated,
    base._source_updated_at as observed_at,
    levels.quantity_before,
    base.quantity_on_hand as quantity_after,
    base.quantity_on_hand - coalesce(levels.quantity_before, 0) as quantity_change,
    base._raw_row_id
from levels
inner join {{ ref('base_inventory') }} as base on base._landing_id = levels._landing_id
where
    base._operation = 'upsert'
    and base.quantity_on_hand is not null
    and base.quantity_on_hand is distinct from levels.quantity_before

{#-
Relation: the versions of stock levels that replaced one another, with the quantity that each one replaced.

Columns: _landing_id, _key, version, quantity_before (NULL for the first version of a key and for the first one after a
delete: nothing was replaced).
-#}
{% macro inventory_levels() %}
    select
        versions._landing_id,
        versions._key,
        versions.version,
        case
            when lag(versions._operation) over in_order = 'upsert'
                then lag(base.quantity_on_hand) over in_order
        end as quantity_before
    from {{ pending(ref('dispositions_inventory')) }} as versions
    inner join {{ ref('base_inventory') }} as base on base._landing_id = versions._landing_id
    where versions.version is not null
    window in_order as (partition by versions._key order by versions.version)
{% endmacro %}

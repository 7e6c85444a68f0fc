{{ base('inventory', [
    required('inventory_id', 'integer'),
    required('item_id', 'integer'),
    optional('quantity_on_hand', 'integer'),
    optional('reorder_level', 'integer'),
    optional('warehouse_location', 'name'),
    optional('last_updated', 'date'),
]) }}

{{ quarantine('inventory', [
    'inventory_id', 'item_id', 'quantity_on_hand', 'reorder_level', 'warehouse_location', 'last_updated',
]) }}

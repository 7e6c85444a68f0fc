{{ quarantine('orders', [
    'order_id', 'item_id', 'supplier_id', 'order_date', 'quantity_ordered', 'order_status',
    'expected_delivery_date', 'consumer_id', 'unit_price',
]) }}

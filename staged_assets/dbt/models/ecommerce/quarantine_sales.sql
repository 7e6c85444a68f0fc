{{ quarantine('sales', [
    'sale_id', 'sale_date', 'shop_id', 'consumer_id', 'item_id', 'offer_id', 'quantity', 'total_price',
    'payment_method', 'order_status', 'delivery_date', 'delivery_status', 'country',
]) }}

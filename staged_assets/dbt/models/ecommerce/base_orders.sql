{{ base('orders', [
    required('order_id', 'integer'),
    required('item_id', 'integer'),
    optional('supplier_id', 'integer'),
    required('order_date', 'date'),
    optional('quantity_ordered', 'integer', check='quantity_ordered > 0'),
    optional('order_status', 'vocabulary', vocabulary='order_status', fallback='unknown'),
    optional('expected_delivery_date', 'date', check='expected_delivery_date >= order_date', code='before_order_date'),
    optional('consumer_id', 'integer'),
    optional('unit_price', 'decimal'),
]) }}

{{ quarantine('items', [
    'item_id', 'item_name', 'item_price', 'category', 'stock_quantity', 'supplier', 'weight', 'brand', 'country',
    'gtin',
]) }}

{{ base('items', [
    required('item_id', 'integer'),
    optional('item_name', 'name'),
    optional('item_price', 'decimal', check='item_price >= 0'),
    optional('category', 'name'),
    optional('stock_quantity', 'integer'),
    optional('supplier', 'name'),
    optional('weight', 'weight'),
    optional('brand', 'name'),
    optional('country', 'country'),
    optional('gtin', 'gtin'),
    also('weight_unit_given', 'weight_unit', of='weight'),
]) }}

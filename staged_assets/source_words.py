"""By which names source systems call what the fourteen datasets hold: for a first proposal of a mapping."""

#: what a row of the dataset is called
ENTITIES = {
    "audience_segments": "segment audience_segment audience customer_segment",
    "consumers": "customer consumer client account kunde cust",
    "interactions": "interaction ticket case message support_case",
    "inventory": "inventory stock stock_level inventory_level stock_item",
    "items": "item product article artikel sku material",
    "location_dimension": "location site place city standort",
    "loyalty_activities": "loyalty_activity loyalty_entry loyalty_ledger point_transaction bonus",
    "media_channels": "media_channel channel media marketing_channel",
    "offers": "offer promotion coupon voucher campaign angebot",
    "orders": "order purchase_order order_line customer_order bestellung",
    "sales": "sale order_detail transaction receipt invoice_line sales_line order_item verkauf",
    "shops": "shop store branch outlet storefront filiale",
    "suppliers": "supplier vendor seller lieferant",
    "touchpoints": "touchpoint touch_point contact_point",
}

#: endings of a column that identifies a row; it may also stand alone
IDENTIFIERS = "id no nr number code key"
NAMES = "name title label full_name company_name company designation bezeichnung"

#: column → the dataset whose rows it names
REFERENCES = {
    "consumer_id": "consumers",
    "touchpoint_id": "touchpoints",
    "item_id": "items",
    "supplier_id": "suppliers",
    "shop_id": "shops",
    "offer_id": "offers",
}

#: column of a dataset → what it is called elsewhere
COLUMNS = {
    "activity_date": "activity_date posted_on booked_at date created_at",
    "activity_type": "activity_type kind type",
    "address": "address street mailing_address address_line strasse",
    "balance_points": "balance balance_points",
    "brand": "brand make manufacturer marke",
    "category": "category category_name product_group group_name warengruppe",
    "city": "city town ort",
    "comments": "comments notes text remarks body",
    "consumer_city": "city town ort",
    "consumer_email": "email mail e_mail email_address",
    "contact_email": "email mail e_mail contact_email",
    "contact_name": "contact_name contact contact_person ansprechpartner",
    "contact_phone": "phone contact_phone telephone tel",
    "country": "country country_code land ship_country nation origin",
    "date_of_birth": "date_of_birth birth_date birthday born dob",
    "delivery_date": "delivery_date delivered_on delivered_at shipped_date shipped_at",
    "delivery_status": "delivery_status shipping_status",
    "description": "description about details beschreibung",
    "discount": "discount discount_percent rebate rabatt",
    "established_year": "established_year founded opened_year year",
    "expected_delivery_date": "required_date expected_delivery_date promised_on due_date",
    "gtin": "gtin ean upc barcode ean_code",
    "interaction_date": "interaction_date opened_at created_at date sent_at",
    "interaction_type": "interaction_type type medium channel",
    "item_price": "unit_price list_price price sales_price preis",
    "last_updated": "last_updated counted_on last_count updated_at",
    "loyalty_points": "loyalty_points points bonus_points",
    "max_usage": "max_usage usage_limit",
    "offer_code": "offer_code code coupon_code",
    "order_date": "order_date ordered_on ordered_at placed_at date bestelldatum",
    "order_status": "order_status status state",
    "owner": "owner proprietor inhaber",
    "payment_method": "payment_method payment payment_type",
    "phone_number": "phone phone_number telephone tel mobile",
    "points_earned": "points_earned earned",
    "points_redeemed": "points_redeemed redeemed",
    "quantity": "quantity qty pieces menge",
    "quantity_on_hand": "quantity_on_hand on_hand quantity units_in_stock stock bestand",
    "quantity_ordered": "quantity_ordered quantity qty menge",
    "reorder_level": "reorder_level reorder_point minimum_stock",
    "resolution_status": "resolution_status status state",
    "sale_date": "sale_date sold_at sold_on date invoice_date transaction_date",
    "shop_location": "location city town region",
    "shop_type": "shop_type type format",
    "stock_quantity": "units_in_stock stock_quantity stock stock_total",
    "supplier": "supplier_name supplier vendor_name vendor",
    "terms": "terms conditions",
    "total_price": "total_price total amount line_total",
    "unit_price": "unit_price price",
    "valid_from": "valid_from start_date starts_at",
    "valid_to": "valid_to end_date ends_at valid_until",
    "warehouse_location": "warehouse_location warehouse bin",
    "weight": "weight gross_weight net_weight gewicht",
}

CHANGED = "changed_at updated_at modified_at last_modified last_update modified_date row_updated changed geaendert"
DELETED = "is_deleted deleted removed geloescht"

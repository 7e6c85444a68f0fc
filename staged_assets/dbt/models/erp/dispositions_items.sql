{{ dispositions('items') }}

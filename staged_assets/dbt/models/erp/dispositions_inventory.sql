{{ dispositions('inventory') }}

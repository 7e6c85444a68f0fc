{{ dispositions('sales') }}

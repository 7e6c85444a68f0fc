{{ dispositions('orders') }}

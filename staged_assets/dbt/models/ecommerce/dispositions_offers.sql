{{ dispositions('offers') }}

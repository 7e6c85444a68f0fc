{{ dispositions('suppliers', by_system=true) }}

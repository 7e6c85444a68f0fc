{{ dispositions('shops', by_system=true) }}

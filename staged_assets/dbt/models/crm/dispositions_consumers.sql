{{ dispositions('consumers', by_system=true) }}

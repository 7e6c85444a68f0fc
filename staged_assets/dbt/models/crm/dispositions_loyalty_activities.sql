{{ dispositions('loyalty_activities') }}

{{ dispositions('touchpoints') }}

{{ dispositions('location_dimension') }}

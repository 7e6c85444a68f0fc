{{ dispositions('audience_segments') }}

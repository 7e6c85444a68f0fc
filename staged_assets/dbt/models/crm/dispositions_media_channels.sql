{{ dispositions('media_channels') }}

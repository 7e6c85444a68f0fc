{{ quarantine('media_channels', [
    'media_channel_id', 'media_channel_name', 'description',
]) }}

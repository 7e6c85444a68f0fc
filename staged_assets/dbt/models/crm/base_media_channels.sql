{{ base('media_channels', [
    required('media_channel_id', 'integer'),
    optional('media_channel_name', 'name'),
    optional('description', 'text'),
]) }}

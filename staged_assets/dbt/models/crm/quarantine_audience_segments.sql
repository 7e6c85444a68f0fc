{{ quarantine('audience_segments', [
    'audience_segment_id', 'segment_name', 'description',
]) }}

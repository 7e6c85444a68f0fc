{{ base('audience_segments', [
    required('audience_segment_id', 'integer'),
    required('segment_name', 'name'),
    optional('description', 'text'),
]) }}

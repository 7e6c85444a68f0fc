{{ base('interactions', [
    required('interaction_id', 'integer'),
    required('consumer_id', 'integer'),
    required('touchpoint_id', 'integer'),
    required('interaction_date', 'moment'),
    optional('interaction_type', 'text'),
    optional('resolution_status', 'vocabulary', vocabulary='resolution_status', fallback='unknown'),
    optional('comments', 'text'),
    also('interaction_at', 'timestamp', of='interaction_date'),
    also('channel', 'vocabulary', of='interaction_type', vocabulary='interaction_channel', fallback='other'),
]) }}
